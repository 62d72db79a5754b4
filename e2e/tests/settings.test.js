// What people do to look after their tokens, applications and accounts, with
// and without JavaScript: make a token anew, replace a client's secret, change
// and reset a password, sign out elsewhere, and work by the keyboard alone.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, visit } from '../lib/browser.js'
import { applications, newApplication, newToken, reader, shown, signIn } from '../lib/people.js'
import { startDev, workshop } from '../lib/programs.js'

let browser

before(async () => { browser = await launch() })
after(() => browser?.close())

for (const javaScript of [true, false]) {
  describe(javaScript ? 'with JavaScript' : 'without JavaScript', { concurrency: 1 }, () => {
    let shop, server, visitor, page
    let password = reader.password

    before(async () => {
      shop = await workshop()
      server = await startDev(shop)
      visitor = await visit(browser, { javaScript })
      page = visitor.page
      await page.goto(server.url + '/login/')
      await signIn(page, reader)
    })

    after(async () => {
      await visitor?.close()
      await server?.stop()
      await shop?.remove()
    })

    const ping = async token => (await fetch(server.url + '/oauth/ping', { headers: { Authorization: `Bearer ${token}` } })).status
    const submit = async () => {
      await page.locator('main form').first().locator('button[type=submit]').first().click()
      await page.waitForLoadState()
    }
    const credentials = async app => (await fetch(server.url + '/oauth/token', {
      method: 'POST',
      headers: { Authorization: 'Basic ' + Buffer.from(`${app.id}:${app.secret}`).toString('base64') },
      body: new URLSearchParams({ grant_type: 'client_credentials' })
    })).json()

    test('a regenerated token: the old value is dead, the new one works', async () => {
      const old = await newToken(page, server.url, 'nightly', 'test:scope')
      await page.goto(server.url + applications)
      await page.getByRole('link', { name: 'nightly', exact: true }).click()
      await page.getByRole('link', { name: /Regenerate/ }).click()
      await submit()
      const fresh = await shown(page, /^vk_pat_/)
      assert.notEqual(fresh, old)
      assert.equal(await ping(old), 401)
      assert.equal(await ping(fresh), 200)
    })

    test('a renamed token keeps its value', async () => {
      const value = await newToken(page, server.url, 'first name', 'test:scope')
      await page.goto(server.url + applications)
      await page.getByRole('link', { name: 'first name', exact: true }).click()
      await page.locator('[name=name]').fill('second name')
      await submit()
      await page.goto(server.url + applications)
      assert.match(await page.locator('main').innerText(), /second name/)
      assert.equal(await ping(value), 200)
    })

    test('a form that is sent twice makes one token', async () => {
      await page.goto(`${server.url}${applications}tokens/new/`)
      await page.locator('[name=name]').fill('only one')
      await page.locator('input[type=checkbox][value="test:scope"]').check()
      await submit()
      await page.goBack()
      await page.locator('[name=name]').fill('only one')
      await page.locator('input[type=checkbox][value="test:scope"]').check()
      await submit()
      await page.goto(server.url + applications)
      assert.equal(await page.getByRole('link', { name: 'only one', exact: true }).count(), 1)
    })

    test('a new client secret replaces the old one at once', async () => {
      const app = await newApplication(page, server.url, { name: 'daily', website: 'https://app.example/', redirect: '', type: 'service' })
      assert.ok((await credentials(app)).access_token)
      await page.goto(`${server.url}${applications}clients/${app.id}/`)
      await page.getByRole('link', { name: 'Reset client secret' }).click()
      await page.locator('#keep_old-0').check()
      await submit()
      const secret = await shown(page, /^vk_cs_/)
      assert.equal((await credentials(app)).error, 'invalid_client')
      assert.ok((await credentials({ ...app, secret })).access_token)
    })

    test('a changed password ends every other session', async () => {
      const other = await visit(browser, { javaScript })
      await other.page.goto(server.url + '/login/')
      await signIn(other.page, { ...reader, password })
      await page.goto(server.url + '/account/settings/password/')
      await page.locator('#current_password').fill(password)
      password = 'a sentence that only I would write'
      await page.locator('#password').fill(password)
      await submit()
      await other.page.goto(server.url + applications)
      assert.equal(new URL(other.page.url()).pathname, '/login/')
      await page.goto(server.url + applications)
      assert.equal(new URL(page.url()).pathname, applications, 'the session that changed it goes on')
      await other.close()
    })

    test('signing out elsewhere', async () => {
      const other = await visit(browser, { javaScript })
      await other.page.goto(server.url + '/login/')
      await signIn(other.page, { ...reader, password })
      await page.goto(server.url + '/account/settings/security/')
      await page.getByRole('link', { name: 'Sign out everywhere else' }).click()
      await submit()
      await other.page.goto(server.url + applications)
      assert.equal(new URL(other.page.url()).pathname, '/login/')
      await other.close()
    })

    test('a forgotten password is reset by a link that works once', async () => {
      const other = await visit(browser, { javaScript })
      const lost = other.page
      await lost.goto(server.url + '/login/')
      await lost.getByRole('link', { name: /Forgot/ }).click()
      await lost.locator('#email').fill(reader.email)
      await lost.locator('main button[type=submit]').first().click()
      await lost.waitForLoadState()
      const link = await mailed(/http:\/\/[^\s\\"]+\/reset-password\/[^\s\\"]+/)
      await lost.goto(link)
      password = 'another sentence of mine alone'
      await lost.locator('#password').fill(password)
      await lost.locator('main button[type=submit]').first().click()
      await lost.waitForLoadState()
      const again = await lost.goto(link)
      assert.equal(again.status(), 410)
      await page.goto(server.url + applications)
      assert.equal(new URL(page.url()).pathname, '/login/', 'a reset ends the sessions of who may have stolen the password')
      await signIn(page, { ...reader, password })
      assert.equal(new URL(page.url()).pathname, applications)
      assert.deepEqual(other.problems, [])
      await other.close()
    })

    test('a profile: what is wrong is told, and what is right is kept', async () => {
      const typed = {
        name: 'Maria Stone', given_name: 'Maria', middle_name: 'Anna', family_name: 'Stone', nickname: 'Mia',
        website: 'https://maria.example/', profile: 'https://example.org/maria', picture: 'https://example.org/maria.png',
        gender: 'female', birthdate: '31.12.1990', zoneinfo: 'Paris', locale: 'en-GB', phone_number: '+33 1 23 45 67 89',
        street_address: '1 Main Street\nBack yard', formatted: '1 Main Street\n75001 Paris', postal_code: '75001', locality: 'Paris',
        region: 'Île-de-France', country: 'France'
      }
      const kept = { ...typed, birthdate: '1990-12-31', zoneinfo: 'Europe/Paris', phone_number: '+33123456789' }
      const values = () => page.locator('fieldset :is(input, textarea)').evaluateAll(list => Object.fromEntries(list.map(e => [e.name, e.value])))
      await page.goto(server.url + '/account/settings/profile/')
      for (const [name, value] of Object.entries(typed)) await page.locator(`#${name}`).fill(value)
      await submit()
      assert.equal(await page.locator('.summary li').count(), 2)
      await page.locator('.summary a').first().click()
      assert.equal(await page.evaluate(() => document.activeElement.id), 'birthdate', 'the link in the summary leads to the field')
      assert.deepEqual(await values(), typed, 'nothing needs to be typed twice')
      await page.locator('#birthdate').fill(kept.birthdate)
      await page.locator('#zoneinfo').fill(kept.zoneinfo)
      await submit()
      assert.match(await page.locator('.done').innerText(), /Your profile is saved/)
      assert.deepEqual(await values(), kept)
    })

    test('a token by the keyboard alone', async () => {
      await page.goto(server.url + applications)
      await tabTo('a', 'New token')
      await page.keyboard.press('Enter')
      await page.locator('[name=name]').waitFor()
      await tabTo('input', 'name')
      await page.keyboard.type('typed')
      await tabTo('input', 'test:scope')
      await page.keyboard.press('Space')
      await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
      assert.equal(await ping(await shown(page, /^vk_pat_/)), 200)
    })

    test('nothing went wrong unseen', async () => {
      assert.deepEqual(visitor.problems, [])
      assert.doesNotMatch(await server.output(), /panic|level=ERROR/)
    })

    /** tabTo presses Tab until the focus is on the control with that text, name or value, and sees that it can be seen. */
    async function tabTo (tag, what) {
      for (let n = 0; n < 80; n++) {
        await page.keyboard.press('Tab')
        const focused = await page.evaluate(() => {
          const e = document.activeElement
          const style = getComputedStyle(e)
          return { tag: e.localName, texts: [e.textContent.trim(), e.name, e.value], outline: parseFloat(style.outlineWidth) * (style.outlineStyle === 'none' ? 0 : 1) }
        })
        if (focused.tag === tag && focused.texts.includes(what)) {
          assert.ok(focused.outline >= 2, `the focus on ${what} cannot be seen`)
          return
        }
      }
      assert.fail(`Tab never reaches ${what}`)
    }

    /** mailed waits for a mail, which the development server writes to its log. */
    async function mailed (pattern) {
      for (let n = 0; n < 100; n++) {
        const found = (await server.output()).match(pattern)
        if (found) return found[0]
        await new Promise(resolve => setTimeout(resolve, 50))
      }
      assert.fail(`no mail holds ${pattern}`)
    }
  })
}
