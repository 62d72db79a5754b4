// The walk that the predecessor's documentation takes a newcomer on, on
// "valetkey dev" and the example consumer, with and without JavaScript: a
// personal token for a script, an application of a third party, its flow, its
// refresh, and the reader who takes the permission back.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, visit } from '../lib/browser.js'
import { admin, applications, newApplication, newToken, reader, signIn, signOut } from '../lib/people.js'
import { freePort, startConsumer, startDev, workshop } from '../lib/programs.js'

let browser

before(async () => { browser = await launch() })
after(() => browser?.close())

for (const javaScript of [true, false]) {
  describe(javaScript ? 'with JavaScript' : 'without JavaScript', { concurrency: 1 }, () => {
    let shop, server, consumer, visitor, page, port, token, app

    before(async () => {
      shop = await workshop()
      server = await startDev(shop)
      port = await freePort()
      visitor = await visit(browser, { javaScript })
      page = visitor.page
    })

    after(async () => {
      await visitor?.close()
      await consumer?.stop()
      await server?.stop()
      await shop?.remove()
    })

    /** api calls a resource of the server with a bearer token, as curl would. */
    const api = (path, bearer) => fetch(server.url + path, {
      headers: { 'Content-Type': 'application/json', ...(bearer && { Authorization: `Bearer ${bearer}` }) }
    })
    const text = selector => page.locator(selector).innerText()
    const accessToken = () => text('#access-token')

    test('admin signs in where it was asked for', async () => {
      await page.goto(server.url + applications)
      assert.equal(new URL(page.url()).pathname, '/login/')
      await signIn(page, admin)
      assert.equal(new URL(page.url()).pathname, applications)
    })

    test('admin makes the token "foobar" and curl uses it', async () => {
      assert.equal((await api('/')).status, 401)
      token = await newToken(page, server.url, 'foobar', 'test:scope')
      const answer = await api('/', token)
      assert.equal(answer.status, 200)
      assert.deepEqual((await answer.json()).scopes, ['test:scope'])
      assert.equal(answer.headers.get('set-cookie'), null)
      assert.equal((await api('/oauth/ping', token)).status, 200)
      assert.equal((await api(`/oauth/ping?access_token=${token}`)).status, 200, 'the development server takes a token in the query')
      await page.goto(server.url + applications)
      assert.match(await text('main'), /foobar/)
    })

    test('admin registers "foobar-app"', async () => {
      app = await newApplication(page, server.url, {
        name: 'foobar-app', website: `http://127.0.0.1:${port}/`, redirect: `http://127.0.0.1:${port}/authorized`
      })
      await page.goto(server.url + applications)
      assert.match(await text('main'), /foobar-app/)
    })

    test('admin signs out', () => signOut(page, server.url))

    test('the consumer sends the reader to the consent page', async () => {
      consumer = await startConsumer(shop, server.url, port, app)
      await page.goto(consumer.url + '/')
      await page.locator('#authorize').click()
      await signIn(page, reader)
      assert.equal(new URL(page.url()).pathname, '/oauth/authorize')
      const said = await text('main')
      for (const part of ['foobar-app', 'Reader', 'test:scope']) assert.ok(said.includes(part), `the consent page does not say ${part}:\n${said}`)
    })

    test('the reader may say no', async () => {
      await page.locator('#deny').click()
      await page.waitForURL(consumer.url + '/**')
      assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')
    })

    test('the reader authorizes and the consumer has a token', async () => {
      await authorize()
      assert.equal(await text('#scope'), 'test:scope')
      assert.equal((await api('/oauth/info', await accessToken())).status, 200)
      await page.locator('#resource').click()
      assert.match(await text('#answer'), /^200/)
    })

    test('a new token by refresh', async () => {
      const old = await accessToken()
      await page.locator('#refresh').click()
      await page.waitForLoadState()
      assert.notEqual(await accessToken(), old)
      assert.equal((await api('/oauth/ping', await accessToken())).status, 200)
      assert.equal((await api('/oauth/ping', old)).status, 401, 'one token per client and user, as the predecessor had it')
    })

    test('a new token by a new flow', async () => {
      const old = await accessToken()
      await authorize()
      assert.notEqual(await accessToken(), old)
      assert.equal((await api('/oauth/ping', await accessToken())).status, 200)
    })

    test('the reader reviews and revokes the application', async () => {
      const last = await accessToken()
      await page.goto(server.url + applications)
      await page.getByRole('link', { name: 'foobar-app', exact: true }).click()
      assert.match(await text('main'), /test:scope|Test scope|sample resource/)
      await page.getByRole('link', { name: 'Revoke' }).click()
      await page.locator('main form button[type=submit]').first().click()
      await page.waitForLoadState()
      assert.equal(new URL(page.url()).pathname, applications)
      assert.match(await text('.done[role=status]'), /\w/)
      assert.doesNotMatch(await text('main'), /foobar-app/)
      assert.equal((await api('/oauth/ping', last)).status, 401)
    })

    test('the consumer sees the error', async () => {
      await page.goto(consumer.url + '/')
      await page.locator('#refresh').click()
      await page.waitForLoadState()
      assert.equal(new URL(page.url()).searchParams.get('error'), 'invalid_grant')
      assert.equal(await text('#error'), 'invalid_grant')
    })

    test('a GET revokes nothing', async () => {
      await page.goto(consumer.url + '/')
      await page.locator('#forget').click()
      await authorize()
      const live = await accessToken()
      await page.goto(server.url + applications)
      const revoke = await page.getByRole('link', { name: 'Revoke foobar-app' }).getAttribute('href')
      await page.goto(new URL(revoke, server.url).href)
      assert.equal((await api('/oauth/ping', live)).status, 200)
    })

    test('the reader signs out; admin finds the application and the tokens of everybody', async () => {
      await signOut(page, server.url)
      await signIn(page, admin)
      await page.goto(server.url + '/admin/applications/')
      await page.getByRole('link', { name: 'foobar-app' }).first().click()
      assert.match(await text('main'), new RegExp(app.id))
      await page.goto(server.url + '/admin/tokens/')
      assert.match(await text('main'), /foobar/)
    })

    test('admin deletes the application and the token', async () => {
      await page.goto(`${server.url}${applications}clients/${app.id}/`)
      await page.getByRole('link', { name: 'Delete' }).click()
      await page.locator('[name=name]').fill('foobar-app')
      await page.locator('main form button[type=submit]').first().click()
      await page.waitForLoadState()
      await page.getByRole('link', { name: 'Revoke foobar' }).click()
      await page.locator('main form button[type=submit]').first().click()
      await page.waitForLoadState()
      assert.doesNotMatch(await text('main'), /foobar/)
      assert.equal((await api('/', token)).status, 401)
      const gone = await fetch(`${server.url}/oauth/authorize?response_type=code&client_id=${app.id}`)
      assert.match(gone.url, /\/oauth\/errors/)
    })

    test('nothing went wrong unseen', async () => {
      assert.deepEqual(visitor.problems, [])
      assert.doesNotMatch(await server.output(), /panic|level=ERROR/)
    })

    /** authorize takes the reader, who is signed in, through the flow again. */
    async function authorize () {
      await page.goto(consumer.url + '/')
      await page.locator('#authorize').click()
      await page.locator('#allow').waitFor()
      await page.locator('#allow').click()
      await page.waitForURL(consumer.url + '/')
    }
  })
}
