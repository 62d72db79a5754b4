"""A client with requests-oauthlib: it prints where to send the person, reads
where they came back to, and prints what it got, as JSON.

    requests_oauthlib_client.py ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI
"""
import base64
import hashlib
import json
import secrets
import sys

import requests
from requests_oauthlib import OAuth2Session

issuer, client_id, client_secret, redirect_uri = sys.argv[1:]
metadata = requests.get(issuer + "/.well-known/oauth-authorization-server").json()
session = OAuth2Session(client_id, redirect_uri=redirect_uri, scope=["openid", "email", "test:scope"])

# This release knows no PKCE of its own; the application brings it along.
verifier = secrets.token_urlsafe(48)
challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
url, _ = session.authorization_url(metadata["authorization_endpoint"], code_challenge=challenge, code_challenge_method="S256")
print(url, flush=True)

token = session.fetch_token(metadata["token_endpoint"], authorization_response=sys.stdin.readline().strip(),
                            client_secret=client_secret, code_verifier=verifier)
info = session.get(metadata["userinfo_endpoint"]).json()
fresh = session.refresh_token(metadata["token_endpoint"], auth=(client_id, client_secret))
print(json.dumps({"token": token["access_token"], "fresh": fresh["access_token"], "info": info}))
