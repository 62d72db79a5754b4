// passport-openidconnect 0.1, without Express: what it needs of it is little. It
// knows no PKCE, so the client is registered to do without.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import passport from 'passport'
import Strategy from 'passport-openidconnect'
import { site, visit } from '../lib/person.js'

export default function (world) {
  test('sign-in with the profile from UserInfo', async () => {
    const { issuer } = world.house
    const sessions = new Map()
    const authenticator = new passport.Passport()
    const rp = await site(async (request, response, url) => {
      const cookie = /sid=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? randomUUID()
      if (!sessions.has(cookie)) sessions.set(cookie, {})
      response.setHeader('Set-Cookie', `sid=${cookie}; HttpOnly; SameSite=Lax; Path=/`)
      request.session = sessions.get(cookie)
      request.query = Object.fromEntries(url.searchParams)
      authenticator.authenticate('openidconnect', { session: false }, (error, user, info) => {
        if (error || !user) response.writeHead(500).end(String(error?.stack ?? info?.message))
        else response.end(JSON.stringify(user))
      })(request, response, error => response.writeHead(500).end(String(error)))
    })
    try {
      const metadata = await (await fetch(issuer + '/.well-known/openid-configuration')).json()
      const made = await world.house.create('--redirect-uri', rp.origin + '/callback', '--auth-method', 'client_secret_post', '--pkce=false')
      authenticator.use(new Strategy({
        issuer, authorizationURL: metadata.authorization_endpoint, tokenURL: metadata.token_endpoint, userInfoURL: metadata.userinfo_endpoint,
        clientID: made.client_id, clientSecret: made.client_secret, callbackURL: rp.origin + '/callback', scope: ['profile', 'email'], nonce: true,
        skipUserProfile: false // the claims of scopes are in UserInfo (OpenID Connect Core §5.4)
      }, (iss, profile, context, idToken, accessToken, refreshToken, done) => done(null, { iss, profile, accessToken })))
      const visitor = await visit(world.browser, issuer)
      await visitor.walk(rp.origin + '/login')
      const text = await visitor.page.locator('body').innerText()
      assert.match(text, /^{/)
      const user = JSON.parse(text)
      await visitor.close()
      assert.equal(user.iss, issuer)
      assert.equal(user.profile.displayName, 'Maria Stone')
      assert.equal(user.profile.name.familyName, 'Stone')
      assert.deepEqual(user.profile.emails, [{ value: 'maria@example.org' }])
    } finally {
      rp.close()
    }
  })
}
