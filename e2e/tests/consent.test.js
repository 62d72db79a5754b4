// Chromium applies form-action to the redirect that answers a form, so a
// consent page whose policy forgets the client's redirect URI traps people on
// it. Each kind of redirect URI must get through, and the test must see the trap
// when it is set on purpose.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { launch, visit } from '../lib/browser.js'
import { newApplication, reader, signIn } from '../lib/people.js'
import { startDev, workshop } from '../lib/programs.js'

let shop, server, browser, listener

before(async () => {
  shop = await workshop()
  server = await startDev(shop)
  browser = await launch()
  listener = http.createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html')
    answer.end('<!doctype html><title>arrived</title>arrived')
  })
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve))
})

after(async () => {
  await browser?.close()
  await server?.stop()
  listener?.close()
  await shop?.remove()
})

/** kinds of redirect URI, each by the type of application that may have it */
const kinds = {
  'another port of this machine': { type: 'native', uri: () => `http://127.0.0.1:${listener.address().port}/callback` },
  'localhost by name': { type: 'web', uri: () => `http://localhost:${listener.address().port}/callback` },
  'https at another host': { type: 'web', uri: () => 'https://app.example/callback' },
  'a private-use scheme': { type: 'native', uri: () => 'com.example.app:/callback' }
}

for (const [kind, { type, uri }] of Object.entries(kinds)) {
  describe(`the answer goes to ${kind}`, () => {
    for (const javaScript of [true, false]) {
      for (const button of ['allow', 'deny']) {
        test(`${button}, ${javaScript ? 'with' : 'without'} JavaScript`, async () => {
          const { arrived, refused } = await answer({ type, uri: uri(), javaScript, button })
          assert.deepEqual(refused, [])
          assert.ok(arrived?.startsWith(uri() + '?'), `arrived at ${arrived}`)
          const query = new URL(arrived).searchParams
          assert.equal(query.get('state'), 'a state')
          if (button === 'allow') assert.match(query.get('code'), /^vk_ac_/)
          else assert.equal(query.get('error'), 'access_denied')
        })
      }
    }
    test('and this test can fail: a policy without the redirect URI is a trap', async () => {
      const { arrived, refused } = await answer({ type, uri: uri(), button: 'allow', trap: true })
      assert.equal(arrived, undefined, 'the browser went on although the policy forbids it')
      assert.match(refused.join('\n'), /form-action/)
    })
  })
}

test('a click in the moment the page opens is ignored', async () => {
  const { arrived } = await answer({ type: 'web', uri: 'https://app.example/callback', button: 'allow', hasty: true })
  assert.equal(arrived, undefined)
})

/** answer registers an application, opens its authorization request, and presses a button. */
async function answer ({ type, uri, javaScript = true, button, trap = false, hasty = false }) {
  const visitor = await visit(browser, { javaScript })
  const { page, context, problems } = visitor
  try {
    await page.goto(server.url + '/login/')
    await signIn(page, reader)
    const name = 'app-' + randomBytes(4).toString('hex')
    const app = await newApplication(page, server.url, { name, website: 'https://app.example/', redirect: uri, type })
    // Whatever the redirect URI is, Chromium announces the request for it once
    // its policies have let it pass, and only then. (Nothing answers at most of
    // them, so the page itself may never change.)
    let arrived
    const devtools = await context.newCDPSession(page)
    devtools.on('Network.requestWillBeSent', ({ request }) => { if (request.url.startsWith(uri)) arrived ??= request.url })
    await devtools.send('Network.enable')
    if (trap) await setTrap(context)

    const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
    const request = new URLSearchParams({
      response_type: 'code', client_id: app.id, redirect_uri: uri, state: 'a state', scope: 'test:scope',
      code_challenge: challenge, code_challenge_method: 'S256'
    })
    await page.goto(`${server.url}/oauth/authorize?${request}`)
    // For a moment after the page opens its button sleeps, so that a click that
    // somebody was lured into does nothing. Playwright's click waits until the
    // button is awake; the mouse does not.
    if (hasty) {
      const { x, y, width, height } = await page.locator('#' + button).boundingBox()
      await page.mouse.click(x + width / 2, y + height / 2)
    } else {
      await page.locator('#' + button).click({ noWaitAfter: true })
    }
    const refused = () => problems.filter(p => p.includes('Content Security Policy'))
    for (let n = 0; n < (hasty ? 10 : 100) && !arrived && refused().length === 0; n++) await page.waitForTimeout(50)
    if (trap) await page.waitForTimeout(300) // it must not arrive later either
    return { arrived, refused: refused() }
  } finally {
    await visitor.close()
  }
}

/** setTrap makes the consent page's policy the naive one. */
async function setTrap (context) {
  await context.route('**/oauth/authorize?*', async route => {
    const response = await route.fetch()
    const headers = response.headers()
    const policy = headers['content-security-policy']
    if (policy) headers['content-security-policy'] = policy.replace(/form-action [^;]*/, "form-action 'self'")
    await route.fulfill({ response, headers })
  })
}
