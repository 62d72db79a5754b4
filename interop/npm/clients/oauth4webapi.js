// oauth4webapi 3: each step of the protocol by itself, checked to the letter.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { visit } from '../lib/person.js'

const insecure = { [oauth.allowInsecureRequests]: true }
const json = response => response.clone().json()

export default function (world) {
  const redirect = () => world.callback.origin + '/callback'

  async function server (algorithm = 'oidc') {
    const issuer = new URL(world.house.issuer)
    return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...insecure }))
  }

  async function party (metadata = {}) {
    const made = await world.house.register({
      client_name: 'oauth4webapi', redirect_uris: [redirect()], grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_post', ...metadata
    })
    const auth = made.client_secret ? oauth.ClientSecretPost(made.client_secret) : oauth.None()
    return { client: { client_id: made.client_id, ...metadata }, auth }
  }

  /** signIn goes through the code flow, checking every answer, and returns the token answer. */
  async function signIn (as, { client, auth }, scope, parameters = {}) {
    const verifier = oauth.generateRandomCodeVerifier()
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
    const to = new URL(as.authorization_endpoint)
    to.search = new URLSearchParams({
      client_id: client.client_id, redirect_uri: redirect(), response_type: 'code', scope, state, ...(scope.includes('openid') && { nonce }),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...parameters
    })
    const visitor = await visit(world.browser, world.house.issuer)
    const arrived = await visitor.walk(to.href)
    await visitor.close()
    const answer = oauth.validateAuthResponse(as, client, arrived, state)
    const response = await oauth.authorizationCodeGrantRequest(as, client, auth, answer, redirect(), verifier,
      { ...insecure, ...(parameters.resource && { additionalParameters: { resource: parameters.resource } }) })
    return oauth.processAuthorizationCodeResponse(as, client, response, scope.includes('openid') ? { expectedNonce: nonce, requireIdToken: true } : {})
  }

  test('both kinds of metadata say the same (RFC 8414, OpenID Connect Discovery)', async () => {
    const [openid, plain] = [await server('oidc'), await server('oauth2')]
    assert.equal(openid.token_endpoint, plain.token_endpoint)
    assert.equal(openid.authorization_response_iss_parameter_supported, true)
  })

  test('code flow with PKCE, OAuth alone', async () => {
    const as = await server('oauth2')
    const tokens = await signIn(as, await party(), 'test:scope')
    assert.equal(tokens.id_token, undefined)
    assert.ok(await world.house.allows(tokens.access_token))
  })

  test('code flow with PKCE and an ID token whose signature is checked', async () => {
    const as = await server()
    for (const alg of ['RS256', 'ES256']) {
      const rp = await party({ id_token_signed_response_alg: alg })
      const verifier = oauth.generateRandomCodeVerifier()
      const to = new URL(as.authorization_endpoint)
      to.search = new URLSearchParams({ client_id: rp.client.client_id, redirect_uri: redirect(), response_type: 'code', scope: 'openid',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' })
      const visitor = await visit(world.browser, world.house.issuer)
      const answer = oauth.validateAuthResponse(as, rp.client, await visitor.walk(to.href), oauth.expectNoState)
      await visitor.close()
      const response = await oauth.authorizationCodeGrantRequest(as, rp.client, rp.auth, answer, redirect(), verifier, insecure)
      await oauth.processAuthorizationCodeResponse(as, rp.client, response, { requireIdToken: true })
      await oauth.validateApplicationLevelSignature(as, response, insecure)
    }
  })

  test('UserInfo', async () => {
    const as = await server()
    const rp = await party()
    const tokens = await signIn(as, rp, 'openid email')
    const { sub } = oauth.getValidatedIdTokenClaims(tokens)
    const info = await oauth.processUserInfoResponse(as, rp.client, sub, await oauth.userInfoRequest(as, rp.client, tokens.access_token, insecure))
    assert.equal(info.email, 'maria@example.org')
  })

  test('refresh, revocation, introspection', async () => {
    const as = await server()
    const rp = await party()
    const tokens = await signIn(as, rp, 'openid test:scope')
    const fresh = await oauth.processRefreshTokenResponse(as, rp.client, await oauth.refreshTokenGrantRequest(as, rp.client, rp.auth, tokens.refresh_token, insecure))
    const look = async token => oauth.processIntrospectionResponse(as, rp.client, await oauth.introspectionRequest(as, rp.client, rp.auth, token, insecure))
    assert.equal((await look(fresh.access_token)).active, true)
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, rp.client, rp.auth, fresh.access_token, insecure))
    assert.equal((await look(fresh.access_token)).active, false)
  })

  test('a refused code is an error that says so', async () => {
    const as = await server()
    const rp = await party()
    const response = await oauth.authorizationCodeGrantRequest(as, rp.client, rp.auth,
      oauth.validateAuthResponse(as, rp.client, new URLSearchParams({ code: 'made-up', iss: as.issuer }), oauth.expectNoState), redirect(), oauth.generateRandomCodeVerifier(), insecure)
    await assert.rejects(oauth.processAuthorizationCodeResponse(as, rp.client, response), error => error.error === 'invalid_grant' && error.status === 400)
  })

  test('a wrong secret is challenged (RFC 6749 §5.2)', async () => {
    const as = await server()
    const made = await world.house.create('--type', 'service')
    const rp = { client: { client_id: made.client_id } }
    const response = await oauth.clientCredentialsGrantRequest(as, rp.client, oauth.ClientSecretBasic('wrong'), {}, insecure)
    assert.equal(response.status, 401)
    assert.equal((await json(response)).error, 'invalid_client')
    await assert.rejects(oauth.processClientCredentialsResponse(as, rp.client, response), oauth.WWWAuthenticateChallengeError)
  })

  test('an access token that is a JWT (RFC 9068)', async () => {
    const as = await server()
    const rp = await party({ access_token_format: 'jwt' })
    const tokens = await signIn(as, rp, 'openid test:scope')
    const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${tokens.access_token}` } })
    const told = await oauth.validateJwtAccessToken(as, request, world.house.issuer, insecure)
    assert.equal(told.client_id, rp.client.client_id)
    assert.equal(told.sub, oauth.getValidatedIdTokenClaims(tokens).sub)
    assert.ok(await world.house.allows(tokens.access_token))
  })

  test('hybrid: not offered unless it is turned on', async () => {
    const as = await server()
    assert.deepEqual(as.response_types_supported.filter(type => type !== 'code'), [])
  })

  test('pushed authorization request', async () => {
    const as = await server()
    const rp = await party()
    const verifier = oauth.generateRandomCodeVerifier()
    const pushed = await oauth.processPushedAuthorizationResponse(as, rp.client, await oauth.pushedAuthorizationRequest(as, rp.client, rp.auth, {
      redirect_uri: redirect(), response_type: 'code', scope: 'test:scope', code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256'
    }, insecure))
    const visitor = await visit(world.browser, world.house.issuer)
    const arrived = await visitor.walk(`${as.authorization_endpoint}?${new URLSearchParams({ client_id: rp.client.client_id, request_uri: pushed.request_uri })}`)
    await visitor.close()
    const response = await oauth.authorizationCodeGrantRequest(as, rp.client, rp.auth, oauth.validateAuthResponse(as, rp.client, arrived, oauth.expectNoState), redirect(), verifier, insecure)
    const tokens = await oauth.processAuthorizationCodeResponse(as, rp.client, response)
    assert.ok(await world.house.allows(tokens.access_token))
  })

  test('a resource that does not exist (RFC 8707)', async () => {
    const as = await server()
    await assert.rejects(signIn(as, await party(), 'test:scope', { resource: 'https://elsewhere.example/' }),
      error => error instanceof oauth.AuthorizationResponseError && error.error === 'invalid_target')
  })
}
