// openid-client 6: every feature that it and we have.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { claims } from '../lib/house.js'
import { visit } from '../lib/person.js'

const everything = 'openid profile email address phone'
const device = 'urn:ietf:params:oauth:grant-type:device_code'

export default function (world) {
  const { discovery, allowInsecureRequests } = client
  const redirect = () => world.callback.origin + '/callback'
  const options = { execute: [allowInsecureRequests] }
  const authentications = { client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost, none: client.None }

  /** party registers a client and learns everything else by discovery. */
  async function party (metadata = {}, authentication) {
    const made = await world.house.register({
      client_name: 'openid-client', redirect_uris: [redirect()], grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic', ...metadata
    })
    const auth = authentication ?? authentications[metadata.token_endpoint_auth_method ?? 'client_secret_basic'](made.client_secret)
    return discovery(new URL(world.house.issuer), made.client_id, { ...metadata, client_secret: made.client_secret }, auth, options)
  }

  /** signIn goes through the code flow in a fresh browser, or the one given. */
  async function signIn (config, { visitor, build = client.buildAuthorizationUrl, ...parameters } = {}) {
    const who = visitor ?? await visit(world.browser, world.house.issuer)
    const verifier = client.randomPKCECodeVerifier()
    const expected = { expectedState: client.randomState(), expectedNonce: client.randomNonce(), pkceCodeVerifier: verifier, idTokenExpected: true }
    const to = await build(config, {
      redirect_uri: redirect(), scope: everything + ' test:scope', state: expected.expectedState, nonce: expected.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...parameters
    })
    if ('max_age' in parameters) expected.maxAge = parameters.max_age
    const arrived = await who.walk(to.href)
    if (!visitor) await who.close()
    return client.authorizationCodeGrant(config, arrived, expected)
  }

  for (const method of Object.keys(authentications)) {
    test(`code flow with PKCE, ${method}`, async () => {
      const config = await party({ token_endpoint_auth_method: method })
      const tokens = await signIn(config)
      assert.ok(tokens.refresh_token)
      assert.equal(tokens.claims().acr, '1')
      assert.ok(await world.house.allows(tokens.access_token))
    })
  }

  test('ES256 ID tokens', async () => {
    const config = await party({ id_token_signed_response_alg: 'ES256' })
    await signIn(config)
  })

  test('max_age and prompt=login', async () => {
    const config = await party()
    const visitor = await visit(world.browser, world.house.issuer)
    const first = await signIn(config, { visitor, max_age: 300 })
    await new Promise(resolve => setTimeout(resolve, 1100))
    const second = await signIn(config, { visitor, prompt: 'login' })
    assert.ok(second.claims().auth_time > first.claims().auth_time)
    await visitor.close()
  })

  test('UserInfo tells every claim', async () => {
    const config = await party()
    const tokens = await signIn(config)
    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
    const { sub, updated_at: updatedAt, ...told } = info
    assert.deepEqual(told, await claims())
    assert.equal(typeof updatedAt, 'number')
  })

  test('UserInfo as a signed JWT', async () => {
    const config = await party({ userinfo_signed_response_alg: 'ES256' })
    const tokens = await signIn(config)
    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
    assert.equal(info.name, 'Maria Stone')
  })

  test('refresh', async () => {
    for (const method of ['client_secret_basic', 'none']) {
      const config = await party({ token_endpoint_auth_method: method })
      const tokens = await signIn(config)
      const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
      assert.notEqual(fresh.access_token, tokens.access_token)
      assert.equal(fresh.claims().auth_time, tokens.claims().auth_time)
      assert.ok(await world.house.allows(fresh.access_token))
    }
  })

  test('introspection and revocation', async () => {
    const config = await party()
    const tokens = await signIn(config)
    const info = await client.tokenIntrospection(config, tokens.access_token)
    assert.equal(info.active, true)
    assert.equal(info.sub, tokens.claims().sub)
    await client.tokenRevocation(config, tokens.refresh_token)
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false)
    assert.equal(await world.house.allows(tokens.access_token), false)
  })

  test('introspection as a signed JWT', async () => {
    const config = await party({ introspection_signed_response_alg: 'ES256' })
    const tokens = await signIn(config)
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true)
  })

  test('client credentials', async () => {
    const made = await world.house.create('--type', 'service')
    const config = await discovery(new URL(world.house.issuer), made.client_id, {}, client.ClientSecretBasic(made.client_secret), options)
    const tokens = await client.clientCredentialsGrant(config, { scope: 'test:scope' })
    assert.ok(await world.house.allows(tokens.access_token))
  })

  test('device flow', async () => {
    const config = await party({ grant_types: [device, 'refresh_token'], response_types: [], redirect_uris: [], token_endpoint_auth_method: 'none' })
    const begun = await client.initiateDeviceAuthorization(config, { scope: 'openid email' })
    const visitor = await visit(world.browser, world.house.issuer)
    await visitor.approve(begun.verification_uri_complete)
    await visitor.close()
    const tokens = await client.pollDeviceAuthorizationGrant(config, begun)
    assert.ok(tokens.claims().sub)
    assert.ok(tokens.refresh_token)
  })

  test('pushed authorization requests', async () => {
    const config = await party({ require_pushed_authorization_requests: true })
    await signIn(config, { build: client.buildAuthorizationUrlWithPAR })
    await assert.rejects(signIn(config), /invalid_request|WWW|authorization response/i)
  })

  test('private_key_jwt and a signed request object', async () => {
    const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const jwk = { ...await crypto.subtle.exportKey('jwk', keys.publicKey), kid: 'one', use: 'sig', alg: 'ES256' }
    const key = { key: keys.privateKey, kid: 'one' }
    const config = await party({
      token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', request_object_signing_alg: 'ES256', jwks: { keys: [jwk] }
    }, client.PrivateKeyJwt(key))
    await signIn(config, { build: (config, parameters) => client.buildAuthorizationUrlWithJAR(config, parameters, key) })
  })

  test('client_secret_jwt', async () => {
    const made = await world.house.register({
      client_name: 'openid-client', redirect_uris: [redirect()], token_endpoint_auth_method: 'client_secret_jwt', token_endpoint_auth_signing_alg: 'HS256'
    })
    const config = await discovery(new URL(world.house.issuer), made.client_id, {}, client.ClientSecretJwt(made.client_secret), options)
    await signIn(config)
  })

  test('dynamic registration', async () => {
    const config = await client.dynamicClientRegistration(new URL(world.house.issuer),
      { client_name: 'registered itself', redirect_uris: [redirect()], token_endpoint_auth_method: 'client_secret_post' }, undefined, options)
    assert.ok(config.clientMetadata().client_id)
    await signIn(config)
  })

  test('logout', async () => {
    const bye = world.callback.origin + '/bye'
    const config = await party({ post_logout_redirect_uris: [bye] })
    const visitor = await visit(world.browser, world.house.issuer)
    const tokens = await signIn(config, { visitor })
    const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: bye, state: 'bye' })
    assert.equal((await visitor.walk(end.href)).href, bye + '?state=bye')
    await assert.rejects(signIn(config, { visitor, prompt: 'none' }), error => error.error === 'login_required')
    await visitor.close()
  })
}
