// @auth/core 0.41, the engine of Auth.js: a whole sign-in with its own pages,
// cookies and checks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Auth } from '@auth/core'
import { site, visit } from '../lib/person.js'

export default function (world) {
  test('sign-in with PKCE, state and nonce, and its session', async () => {
    const { issuer } = world.house
    let config
    const seen = {}
    const rp = await site(async (request, response, url) => {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      const answer = await Auth(new Request(url, {
        method: request.method, headers: Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        body: ['GET', 'HEAD'].includes(request.method) ? undefined : Buffer.concat(chunks)
      }), config)
      response.statusCode = answer.status
      for (const [name, value] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, value)
      response.setHeader('Set-Cookie', answer.headers.getSetCookie())
      response.end(Buffer.from(await answer.arrayBuffer()))
    })
    try {
      const made = await world.house.register({
        client_name: 'Auth.js', redirect_uris: [rp.origin + '/auth/callback/valetkey'], token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token']
      })
      config = {
        trustHost: true, basePath: '/auth', secret: 'a secret of the tests alone, long enough', useSecureCookies: false,
        providers: [{
          id: 'valetkey', name: 'Valetkey', type: 'oidc', issuer, clientId: made.client_id, clientSecret: made.client_secret,
          idToken: false, // the claims of scopes are in UserInfo (OpenID Connect Core §5.4)
          checks: ['pkce', 'state', 'nonce'], authorization: { params: { scope: 'openid profile email' } }
        }],
        callbacks: {
          jwt: ({ token, account, profile }) => { if (account) Object.assign(seen, { account, profile }); return token }
        }
      }
      const visitor = await visit(world.browser, issuer)
      await visitor.page.goto(rp.origin + '/auth/signin')
      await Promise.all([visitor.page.waitForNavigation(), visitor.page.getByRole('button', { name: 'Sign in with Valetkey' }).click()])
      await visitor.answer()
      await visitor.page.goto(rp.origin + '/auth/session')
      const session = JSON.parse(await visitor.page.locator('body').innerText())
      await visitor.close()
      assert.equal(session?.user?.email, 'maria@example.org')
      assert.equal(session.user.name, 'Maria Stone')
      assert.equal(session.user.image, 'https://people.example.org/maria.png')
      assert.ok(seen.account.refresh_token)
      assert.ok(seen.profile.sub)
    } finally {
      rp.close()
    }
  })
}
