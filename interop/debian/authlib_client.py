"""A client with Authlib: it prints where to send the person, reads where they
came back to, verifies the ID token, and prints what it got, as JSON.

    authlib_client.py ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI
"""
import json
import secrets
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oidc.core import CodeIDToken

issuer, client_id, client_secret, redirect_uri = sys.argv[1:]
metadata = requests.get(issuer + "/.well-known/openid-configuration").json()
session = OAuth2Session(client_id, client_secret, scope="openid profile email test:scope", redirect_uri=redirect_uri,
                        code_challenge_method="S256", token_endpoint=metadata["token_endpoint"])
verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
print(url, flush=True)

token = session.fetch_token(authorization_response=sys.stdin.readline().strip(), code_verifier=verifier, state=state)


def verified(raw, **params):
    keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"]).json())
    claims = jwt.decode(raw, keys, claims_cls=CodeIDToken, claims_params={"client_id": client_id, **params},
                        claims_options={"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}})
    claims.validate(leeway=5)
    return dict(claims)


claims = verified(token["id_token"], nonce=nonce, access_token=token["access_token"])
info = session.get(metadata["userinfo_endpoint"]).json()
fresh = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
verified(fresh["id_token"], access_token=fresh["access_token"])
before = session.introspect_token(metadata["introspection_endpoint"], token=fresh["access_token"]).json()
session.revoke_token(metadata["revocation_endpoint"], token=fresh["access_token"], token_type_hint="access_token").raise_for_status()
after = session.introspect_token(metadata["introspection_endpoint"], token=fresh["access_token"]).json()
print(json.dumps({"token": token["access_token"], "fresh": fresh["access_token"], "claims": claims, "info": info,
                  "active": [before["active"], after["active"]]}))
