// Maria at a browser: Debian's Chromium, with JavaScript off unless a client
// lives in the page.
import assert from 'node:assert/strict'
import http from 'node:http'
import { chromium } from 'playwright-core'
import { maria } from './house.js'

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'
]

/** launch starts the browser named by CHROMIUM, or Debian's. */
export function launch () {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags })
}

/** visit opens a fresh profile: nobody is signed in. */
export async function visit (browser, issuer, { javaScript = false } = {}) {
  const context = await browser.newContext({ javaScriptEnabled: javaScript })
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const at = () => page.url().startsWith(issuer + '/')

  /** answer fills in the forms of the server until the browser has left it. */
  async function answer () {
    for (let forms = 0; at(); forms++) {
      assert.ok(forms < 6, `no way on from ${page.url()}:\n${await page.content()}`)
      if (await page.locator('#password').count()) {
        await page.locator('#username').fill(maria.email)
        await page.locator('#password').fill(maria.password)
      }
      const button = page.locator('main button.primary, main button.danger').first()
      if (!await button.count()) break
      await Promise.all([page.waitForNavigation(), button.click()])
    }
  }
  return {
    context,
    page,
    answer,
    close: () => context.close(),
    /** walk opens an address and answers the forms on the way, and returns where it arrived. */
    async walk (address) {
      await page.goto(address)
      await answer()
      return new URL(page.url())
    },
    /** approve goes through the pages of the device flow. */
    async approve (address) {
      await page.goto(address)
      await answer()
    }
  }
}

/**
 * site serves a relying party on a port of its own: handler(request, response,
 * url). Without a handler it says "arrived" to everything.
 */
export async function site (handler) {
  const server = http.createServer(async (request, response) => {
    try {
      if (handler) await handler(request, response, new URL(request.url, site.origin))
      else response.end('arrived')
    } catch (error) {
      response.writeHead(500).end(String(error.stack))
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const site = { origin: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close() } }
  return site
}
