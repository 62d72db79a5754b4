// Signing out at the server's own endpoint, and the frame by which an
// application notices it (OpenID Connect Session Management).
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { audit } from '../lib/audit.js'
import { launch, visit } from '../lib/browser.js'
import { newApplication, reader, signIn, signOut } from '../lib/people.js'
import { startDev, workshop } from '../lib/programs.js'

let shop, server, browser, application

before(async () => {
  shop = await workshop()
  server = await startDev(shop)
  browser = await launch()
  // The application's page holds the frame, whatever its address.
  application = http.createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html')
    answer.end(`<!doctype html><title>arrived</title><iframe id="op" src="${server.url}/oauth/check_session"></iframe>`)
  })
  await new Promise(resolve => application.listen(0, '127.0.0.1', resolve))
})

after(async () => {
  await browser?.close()
  await server?.stop()
  application?.close()
  await shop?.remove()
})

const origin = () => `http://127.0.0.1:${application.address().port}`

/** ask sends a message to the frame and returns its answer. */
function ask (page, message) {
  return page.evaluate(([message, target]) => new Promise((resolve, reject) => {
    addEventListener('message', event => resolve(event.data), { once: true })
    setTimeout(() => reject(new Error('the frame does not answer')), 5000)
    document.getElementById('op').contentWindow.postMessage(message, target)
  }), [message, server.url])
}

/** authorize is the address of an OpenID Connect request. */
function authorize (id, more = {}) {
  return `${server.url}/oauth/authorize?` + new URLSearchParams({
    response_type: 'code',
    client_id: id,
    redirect_uri: origin() + '/callback',
    scope: 'openid',
    nonce: 'n',
    state: 's',
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    ...more
  })
}

test('an application notices that its person signed out', async () => {
  const visitor = await visit(browser)
  const { page } = visitor
  await page.goto(server.url + '/login/')
  await signIn(page, reader)
  const { id } = await newApplication(page, server.url, {
    name: 'Watcher', website: 'https://watcher.example/', redirect: origin() + '/callback', type: 'native'
  })
  await page.goto(authorize(id))
  await page.locator('#allow:not([disabled])').click()
  await page.waitForURL(url => url.href.startsWith(origin()))
  const state = new URL(page.url()).searchParams.get('session_state')
  assert.ok(state, 'the answer has no session_state')
  assert.equal(await ask(page, `${id} ${state}`), 'unchanged')
  assert.equal(await ask(page, `another ${state}`), 'changed')
  for (const nonsense of ['', 'x', `${id} `, `${id} nodot`, `${id} ${state} more`]) {
    assert.equal(await ask(page, nonsense), 'error', nonsense)
  }

  await signOut(page, server.url)
  await page.goto(origin())
  assert.equal(await ask(page, `${id} ${state}`), 'changed')
  await page.goto(authorize(id, { prompt: 'none' }))
  const back = new URL(page.url()).searchParams
  assert.equal(back.get('error'), 'login_required')
  assert.equal(await ask(page, `${id} ${back.get('session_state')}`), 'unchanged', 'nobody was and is signed in')
  assert.deepEqual(visitor.problems, [])
  await visitor.close()
})

test('signing out without JavaScript', async () => {
  const visitor = await visit(browser, { javaScript: false })
  const { page } = visitor
  await page.goto(server.url + '/login/')
  await signIn(page, reader)
  await page.goto(server.url + '/oauth/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.test%2F')
  assert.match(await page.locator('main').innerText(), /cannot be accepted as it is/)
  await page.locator('#confirm-logout').click()
  assert.equal(await page.locator('h1').innerText(), 'You are signed out')
  await page.goto(server.url + '/account/settings/applications/')
  assert.match(new URL(page.url()).pathname, /^\/login\//)
  assert.deepEqual(visitor.problems, [])
  await visitor.close()
})

test('the pages are as every page must be', async () => {
  const { page, close } = await visit(browser)
  await page.goto(server.url + '/login/')
  await signIn(page, reader)
  const findings = []
  for (const [name, query] of [['logout', ''], ['logout-wrong', '?id_token_hint=nonsense']]) {
    await page.goto(server.url + '/oauth/logout' + query)
    findings.push(...await audit(page, name))
  }
  await page.locator('#confirm-logout').click()
  findings.push(...await audit(page, 'logout-done'))
  assert.deepEqual(findings, [])
  await close()
})
