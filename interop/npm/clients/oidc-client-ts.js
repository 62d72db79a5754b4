// oidc-client-ts 3 in Chromium: a single-page application with no secret. Every
// request but the redirects is made by the page, across origins.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { site, visit } from '../lib/person.js'

const library = createRequire(import.meta.url).resolve('oidc-client-ts').replace(/dist\/.*$/, 'dist/browser/oidc-client-ts.min.js')

export default function (world) {
  let app, visitor, settings

  before(async () => {
    const code = await readFile(library)
    app = await site((request, response, url) => {
      if (url.pathname === '/oidc.js') {
        response.setHeader('Content-Type', 'text/javascript')
        response.end(code)
        return
      }
      response.setHeader('Content-Type', 'text/html')
      response.end('<!doctype html><title>Application</title><script src="/oidc.js"></script>')
    })
    const made = await world.house.register({
      client_name: 'oidc-client-ts', application_type: 'web', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [app.origin + '/callback', app.origin + '/silent'], post_logout_redirect_uris: [app.origin + '/bye'], client_uri: app.origin
    })
    settings = {
      authority: world.house.issuer, client_id: made.client_id, redirect_uri: app.origin + '/callback', silent_redirect_uri: app.origin + '/silent',
      post_logout_redirect_uri: app.origin + '/bye', scope: 'openid profile email test:scope', loadUserInfo: true
    }
    visitor = await visit(world.browser, world.house.issuer, { javaScript: true })
  })

  after(async () => {
    await visitor?.close()
    app?.close()
  })

  /** inPage calls a method of a UserManager in the page. */
  const inPage = (method, ...args) => visitor.page.evaluate(async ([settings, method, args]) => {
    const manager = new globalThis.oidc.UserManager({ ...settings, userStore: new globalThis.oidc.WebStorageStateStore({ store: globalThis.sessionStorage }) })
    const user = await manager[method](...args)
    return user && { ...user }
  }, [settings, method, args])

  let user

  test('sign-in with PKCE, UserInfo across origins', async () => {
    await visitor.page.goto(app.origin + '/')
    await Promise.all([visitor.page.waitForURL(world.house.issuer + '/**'), inPage('signinRedirect').catch(() => {})])
    await visitor.page.waitForLoadState()
    await visitor.answer()
    assert.ok(visitor.page.url().startsWith(app.origin + '/callback'), visitor.page.url())
    user = await inPage('signinRedirectCallback')
    assert.equal(user.profile.name, 'Maria Stone')
    assert.equal(user.profile.email, 'maria@example.org')
    assert.ok(await world.house.allows(user.access_token))
  })

  test('refresh', async () => {
    const fresh = await inPage('signinSilent')
    assert.notEqual(fresh.access_token, user.access_token)
    assert.notEqual(fresh.refresh_token, user.refresh_token)
    user = fresh
  })

  test('revocation', async () => {
    await inPage('revokeTokens', ['access_token'])
    assert.equal(await world.house.allows(user.access_token), false)
  })

  test('logout', async () => {
    // The server knows the application by its id_token_hint and need not ask.
    await Promise.all([visitor.page.waitForURL(app.origin + '/bye*'), inPage('signoutRedirect').catch(() => {})])
    await inPage('signoutRedirectCallback')
    await visitor.page.goto(world.house.issuer + '/account/settings/profile/')
    assert.equal(await visitor.page.locator('#password').count(), 1, 'still signed in')
  })
}
