// A device without a browser (RFC 8628): what it shows is typed here, with and
// without JavaScript, and every page on the way is looked at.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { audit } from '../lib/audit.js'
import { launch, visit } from '../lib/browser.js'
import { applications, reader, signIn } from '../lib/people.js'
import { startDev, workshop } from '../lib/programs.js'

const grant = 'urn:ietf:params:oauth:grant-type:device_code'
const demo = 'valetkey-flow' // the client that "valetkey dev" makes

let shop, server, browser

before(async () => {
  shop = await workshop()
  server = await startDev(shop)
  browser = await launch()
})

after(async () => {
  await browser?.close()
  await server?.stop()
  await shop?.remove()
})

/** post sends a form as the device does. */
async function post (path, form) {
  const answer = await fetch(server.url + path, {
    method: 'POST', body: new URLSearchParams(form), headers: { 'User-Agent': 'LivingRoomTV/2.1 (Linux; armv7l)' }
  })
  return { status: answer.status, ...await answer.json() }
}

const begin = (client = demo, scope = 'test:scope user:email') => post('/oauth/device_authorization', { client_id: client, scope })
const poll = (codes, client = demo) => post('/oauth/token', { client_id: client, grant_type: grant, device_code: codes.device_code })

for (const javaScript of [true, false]) {
  describe(javaScript ? 'with JavaScript' : 'without JavaScript', { concurrency: 1 }, () => {
    let visitor, page
    const look = async name => { if (javaScript) visitor.problems.push(...await audit(page, name)) }
    const said = () => page.locator('main').innerText()

    before(async () => {
      visitor = await visit(browser, { javaScript })
      page = visitor.page
    })
    after(() => visitor?.close())

    test('the address that the device shows leads to sign-in, and from there to the form', async () => {
      const codes = await begin()
      assert.equal(codes.verification_uri, server.url + '/device')
      await page.goto(codes.verification_uri)
      assert.equal(new URL(page.url()).pathname, '/login/')
      await signIn(page, reader)
      assert.equal(new URL(page.url()).pathname, '/device')
      assert.match(await said(), /You are signed in as Reader/)
      await look('device')
    })

    test('a wrong code is told so', async () => {
      await page.goto(server.url + '/device')
      await page.locator('#user_code').fill('bbbb bbbb')
      await page.locator('#continue').click()
      assert.match(await said(), /That code is not valid\. Codes expire after 10 minutes/)
      await look('device-wrong')
    })

    test('the right code, typed as people type, is asked back and allowed', async () => {
      const codes = await begin()
      assert.equal((await poll(codes)).error, 'authorization_pending')
      await page.goto(server.url + '/device')
      await page.locator('#user_code').fill(' ' + codes.user_code.toLowerCase().replace('-', ' '))
      await page.locator('#continue').click()
      const question = await said()
      for (const part of ['Is this you?', 'valetkey flow', 'just now', '127.0.0.0/24', 'LivingRoomTV/2.1', codes.user_code, 'Reader', 'test:scope']) {
        assert.ok(question.includes(part), `the page does not say ${part}:\n${question}`)
      }
      await look('device-confirm')
      await page.locator('#allow').click()
      await page.waitForLoadState()
      assert.match(await said(), /You can return to your device/)
      await look('device-done')
      const tokens = await poll(codes)
      assert.equal(tokens.status, 200)
      const resource = await fetch(server.url + '/', { headers: { Authorization: `Bearer ${tokens.access_token}` } })
      assert.equal(resource.status, 200)
      assert.equal((await poll(codes)).error, 'invalid_grant')
    })

    test('a link fills the code in and sends nothing; the answer may be no', async () => {
      const codes = await begin()
      await page.goto(codes.verification_uri_complete)
      assert.equal(await page.locator('#user_code').inputValue(), codes.user_code)
      await page.waitForTimeout(200)
      assert.equal(new URL(page.url()).pathname, '/device')
      await page.keyboard.press('Enter') // the field has the focus
      await page.waitForSelector('#deny')
      await page.locator('#deny').click()
      await page.waitForLoadState()
      assert.match(await said(), /Nothing was allowed/)
      await look('device-denied')
      assert.equal((await poll(codes)).error, 'access_denied')
    })

    test('going back lets another account answer', async () => {
      const codes = await begin()
      await page.goto(codes.verification_uri_complete)
      await page.locator('#continue').click()
      await page.locator('#back').click()
      await page.waitForLoadState()
      assert.equal(await page.locator('#user_code').inputValue(), codes.user_code)
      await page.getByRole('link', { name: 'Use another account' }).click()
      await page.waitForLoadState()
      assert.equal(new URL(page.url()).pathname, '/login/')
    })

    test('nothing went wrong unseen', () => assert.equal(visitor.problems.join('\n'), ''))
  })
}

test('an application for a device is registered without a redirect URI', async () => {
  const { page, problems, close } = await visit(browser, { javaScript: false })
  try {
    await page.goto(server.url + applications)
    await signIn(page, reader)
    await page.getByRole('link', { name: 'New application' }).click()
    await page.locator('#type-native').check()
    await page.locator('[name=name]').fill('Living-room TV')
    await page.locator('[name=website]').fill('https://tv.example/')
    await page.locator('details.advanced > summary').click()
    await page.locator(`input[value="${grant}"]`).check()
    await page.locator('input[value="refresh_token"]').check()
    await page.locator('main form').first().locator('button[type=submit]').first().click()
    await page.waitForLoadState()
    const id = await page.locator('#client_id').inputValue()
    assert.match(await page.locator('main').innerText(), /Device authorization/)
    const codes = await begin(id, 'user:email')
    await page.goto(codes.verification_uri_complete)
    await page.locator('#continue').click()
    assert.match(await page.locator('main').innerText(), /Living-room TV by the user Reader \(tv\.example\)/)
    await page.locator('#allow').click()
    await page.waitForLoadState()
    const tokens = await poll(codes, id)
    assert.match(tokens.access_token, /^vk_at_/)
    assert.match(tokens.refresh_token, /^vk_rt_/)
    assert.equal(problems.join('\n'), '')
  } finally {
    await close()
  }
})
