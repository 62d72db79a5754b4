// simple-oauth2 5: OAuth alone. It knows no PKCE of its own; the application
// brings it along.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { AuthorizationCode, ClientCredentials } from 'simple-oauth2'
import { visit } from '../lib/person.js'

export default function (world) {
  const redirect = () => world.callback.origin + '/callback'
  const endpoint = () => ({ tokenHost: world.house.issuer, tokenPath: '/oauth/token' })
  const endpoints = () => ({ ...endpoint(), revokePath: '/oauth/revoke', authorizePath: '/oauth/authorize' })

  // json: the answer to a revocation has no body (RFC 7009 §2.2), which the library would not take for JSON.
  const party = (made, auth) => ({ client: { id: made.client_id, secret: made.client_secret }, auth, http: { json: true } })

  async function signIn () {
    const app = new AuthorizationCode(party(await world.house.register({
      client_name: 'simple-oauth2', redirect_uris: [redirect()], grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic'
    }), endpoints()))
    const verifier = randomBytes(32).toString('base64url')
    const to = app.authorizeURL({
      redirect_uri: redirect(), scope: 'test:scope', state: 'a state',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256'
    })
    const visitor = await visit(world.browser, world.house.issuer)
    const arrived = await visitor.walk(to)
    await visitor.close()
    assert.equal(arrived.searchParams.get('state'), 'a state')
    return app.getToken({ code: arrived.searchParams.get('code'), redirect_uri: redirect(), code_verifier: verifier })
  }

  test('code flow with PKCE, and refresh', async () => {
    const tokens = await signIn()
    assert.equal(tokens.expired(), false)
    assert.ok(await world.house.allows(tokens.token.access_token))
    const fresh = await tokens.refresh()
    assert.notEqual(fresh.token.access_token, tokens.token.access_token)
    assert.ok(await world.house.allows(fresh.token.access_token))
  })

  test('revocation', async () => {
    const tokens = await signIn()
    await tokens.revokeAll()
    assert.equal(await world.house.allows(tokens.token.access_token), false)
  })

  test('client credentials', async () => {
    const app = new ClientCredentials(party(await world.house.create('--type', 'service'), endpoint()))
    const { token } = await app.getToken({ scope: 'test:scope' })
    assert.ok(await world.house.allows(token.access_token))
    const wrong = new ClientCredentials({ client: { id: 'nobody', secret: 'nothing' }, auth: endpoint() })
    await assert.rejects(wrong.getToken({}), error => error.output.statusCode === 401)
  })
}
