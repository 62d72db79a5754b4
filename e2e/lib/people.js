// What people do on the pages, in their words.
import assert from 'node:assert/strict'

export const admin = { email: 'admin@inveniosoftware.org', password: '123456' }
export const reader = { email: 'reader@inveniosoftware.org', password: '123456' }

export const applications = '/account/settings/applications/'

/** signIn fills in the sign-in page that the browser shows. */
export async function signIn (page, person) {
  await page.locator('#username').fill(person.email)
  await page.locator('#password').fill(person.password)
  await page.locator('#login').click()
  await page.waitForLoadState()
}

/** signOut leaves by the link in the header and the page that asks back. */
export async function signOut (page, server) {
  await page.goto(server + applications)
  await page.getByRole('link', { name: 'Sign out' }).first().click()
  await page.locator('#confirm-logout').click()
  await page.waitForLoadState()
  await page.goto(server + applications)
  assert.match(new URL(page.url()).pathname, /^\/login\//, 'still signed in')
}

/** newToken makes a personal access token and returns it as shown. */
export async function newToken (page, server, name, scope) {
  await page.goto(server + applications)
  await page.getByRole('link', { name: 'New token' }).click()
  await page.getByLabel('Name', { exact: false }).first().fill(name)
  await page.locator(`input[type=checkbox][value="${scope}"]`).check()
  await page.locator('main form').first().locator('button[type=submit]').first().click()
  await page.waitForLoadState()
  return shown(page, /^vk_pat_/)
}

/**
 * newApplication registers an application and returns its id and secret as
 * shown; a public one (browser, native) has no secret.
 */
export async function newApplication (page, server, { name, website, redirect, type = 'web' }) {
  await page.goto(server + applications)
  await page.getByRole('link', { name: 'New application' }).click()
  await page.locator(`#type-${type}`).check()
  await page.locator('[name=name]').fill(name)
  await page.locator('[name=website]').fill(website)
  await page.locator('[name=redirect_uris]').fill(redirect)
  await page.locator('main form').first().locator('button[type=submit]').first().click()
  await page.waitForLoadState()
  const secret = ['browser', 'native'].includes(type) ? '' : await shown(page, /^vk_cs_/)
  return { id: await page.locator('#client_id').inputValue(), secret }
}

/** shown finds a secret of the given kind in a read-only field of the page. */
export async function shown (page, pattern) {
  const values = await page.locator('input[readonly]').evaluateAll(list => list.map(e => e.value))
  const found = values.find(v => pattern.test(v))
  assert.ok(found, `the page ${page.url()} shows nothing like ${pattern}`)
  return found
}
