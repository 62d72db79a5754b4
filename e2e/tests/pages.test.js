// Every page there is, as people see it: the crawl follows every link of a
// person with something on every page, and the states that no link leads to are
// made on purpose.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { audit } from '../lib/audit.js'
import { launch, visit } from '../lib/browser.js'
import { admin, applications, newApplication, newToken, reader, signIn } from '../lib/people.js'
import { startDev, workshop } from '../lib/programs.js'

let shop, server, browser
const redirect = 'http://127.0.0.1:5100/authorized'

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

/**
 * as runs a test body as a person (nobody: null). The body gets the page and
 * look(name), which audits it; at the end nothing may have been found, and
 * nothing may have gone wrong unseen.
 */
async function as (person, body) {
  const visitor = await visit(browser)
  const { page, problems } = visitor
  try {
    if (person) {
      await page.goto(server.url + '/login/')
      await signIn(page, person)
    }
    await body(page, async name => problems.push(...await audit(page, name)))
    assert.equal(problems.join('\n'), '')
  } finally {
    await visitor.close()
  }
}

test('pages for strangers', () => as(null, async (page, look) => {
  for (const [name, address] of [
    ['start-stranger', '/'], ['sign-in', '/login/'], ['lost-password', '/lost-password/'], ['not-found', '/nothing/here/'],
    ['authorization-errors', '/oauth/errors?error=invalid_request'],
    ['authorization-error-client', '/oauth/authorize?client_id=nobody&response_type=code']
  ]) {
    await page.goto(server.url + address)
    await look(name)
  }
  await page.goto(server.url + '/login/')
  await signIn(page, { email: reader.email, password: 'wrong' })
  assert.match(await page.locator('main').innerText(), /There is a problem/)
  await look('sign-in-refused')
}))

test('empty settings', () => as(reader, async (page, look) => {
  await page.goto(server.url + applications)
  await look('applications-empty')
}))

test('a profile that is not right yet', () => as(reader, async (page, look) => {
  await page.goto(server.url + '/account/settings/profile/')
  await page.locator('#birthdate').fill('yesterday')
  await page.locator('#phone_number').fill('0123')
  await page.locator('#street_address').fill('1 Main Street')
  await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: 'Save' }).click()])
  await look('profile-refused')
}))

test('forms that are not right yet', () => as(reader, async (page, look) => {
  for (const kind of ['application', 'token']) {
    await page.goto(server.url + applications)
    await page.getByRole('link', { name: `New ${kind}` }).click()
    await page.locator('main form').first().evaluate(form => { form.noValidate = true })
    if (kind === 'application') await page.locator('[name=redirect_uris]').fill('http://app.example/callback')
    const [answer] = await Promise.all([
      page.waitForNavigation(),
      page.locator('main form').first().locator('button[type=submit]').first().click()
    ])
    assert.equal(answer.status(), 422)
    assert.match(await page.locator('main').innerText(), /There is a problem/)
    await look(`new-${kind}-refused`)
  }
}))

test('secrets are shown once', () => as(reader, async (page, look) => {
  await newToken(page, server.url, 'script', 'test:scope')
  const address = page.url()
  await look('token-shown')
  await page.goto(address)
  assert.doesNotMatch(await page.content(), /vk_pat_[0-9A-Za-z]{58}/)
  await newApplication(page, server.url, { name: 'Uploader', website: 'https://app.example/', redirect: 'https://app.example/callback' })
  await look('application-secret-shown')
  await page.goto(page.url())
  assert.doesNotMatch(await page.content(), /vk_cs_[0-9A-Za-z]{58}/)
}))

test('consent, on this computer and on the web', () => as(reader, async (page, look) => {
  for (const [kind, uri] of [['local', redirect], ['web', 'https://app.example/callback']]) {
    const app = await newApplication(page, server.url, { name: `App ${kind}`, website: 'https://app.example/', redirect: uri })
    await page.goto(`${server.url}/oauth/authorize?` + new URLSearchParams({
      response_type: 'code', client_id: app.id, redirect_uri: uri, scope: 'test:scope user:email', state: 'x'
    }))
    await page.locator('#allow').waitFor()
    await look(`consent-${kind}`)
    assert.equal(await page.evaluate(() => document.activeElement === document.querySelector('#allow')), false, 'the focus must not lie on Authorize')
    if (kind === 'web') await page.locator('#allow').click({ noWaitAfter: true })
    await page.waitForTimeout(200)
  }
}))

for (const [who, person] of Object.entries({ reader, admin })) {
  test(`every page that a link leads to, for ${who}`, () => as(person, async (page, look) => {
    const seen = new Map()
    const waiting = [server.url + applications, server.url + '/']
    while (waiting.length > 0) {
      const address = waiting.shift()
      const name = pageName(address)
      if (seen.has(name)) continue
      const answer = await page.goto(address)
      seen.set(name, address)
      if (!answer.headers()['content-type']?.startsWith('text/html')) continue
      assert.equal(answer.status(), 200, `${address} is linked to`)
      await look(`${who}-${name}`)
      waiting.push(...await page.$$eval('a[href]', list => list.map(a => a.href)).then(list => list.filter(ours)))
    }
    assert.ok(seen.size >= 8, `only ${seen.size} pages were found: ${[...seen.keys()]}`)
    if (person === admin) for (const part of ['applications', 'tokens', 'activity', 'users']) assert.ok(seen.has(`admin-${part}`), `no page admin-${part}`)
  }))
}

const ours = href => href.startsWith(server.url + '/') && !/\/assets\//.test(href)

/** pageName names the kind of page, so that each kind is visited once: ids become a word. */
function pageName (address) {
  const { pathname, search } = new URL(address)
  const path = pathname.split('/').filter(Boolean)
    .map(part => /^[0-9A-Za-z_-]{16,}$/.test(part) && /\d/.test(part) ? 'one' : part).join('-') || 'start'
  const keys = [...new URLSearchParams(search).keys()].filter(key => key !== 'next').join('-')
  return keys ? `${path}-${keys}` : path
}
