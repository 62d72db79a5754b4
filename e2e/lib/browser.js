// One Chromium for a test file, and visitors in it who notice everything that
// a person would not see: console errors, policy violations, failed loads.
import { chromium } from 'playwright-core'

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // Nothing but this machine exists.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'
]

export const widths = { wide: 1280, narrow: 320 }

/** launch starts the browser named by CHROMIUM, or Debian's. */
export function launch () {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags })
}

/**
 * visit opens a fresh browser profile with one page.
 *
 * javaScript, width and scheme say how the visitor looks at it. problems
 * collects what went wrong unseen. Answers that a test provokes on purpose
 * (4xx) are the test's own business: Chromium's line about them is left out.
 */
export async function visit (browser, { javaScript = true, width = widths.wide, scheme = 'light' } = {}) {
  const context = await browser.newContext({
    javaScriptEnabled: javaScript,
    viewport: { width, height: 800 },
    colorScheme: scheme,
    reducedMotion: 'reduce'
  })
  context.setDefaultTimeout(10_000)
  const problems = []
  const page = await context.newPage()
  page.on('console', message => {
    const expected = /^Failed to load resource: the server responded with a status of 4\d\d/
    if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) {
      problems.push(`${page.url()}: ${message.type()}: ${message.text()}`)
    }
  })
  page.on('pageerror', error => problems.push(`${page.url()}: ${error}`))
  page.on('response', response => {
    if (response.status() >= 500) problems.push(`${response.url()}: ${response.status()}`)
  })
  return { context, page, problems, close: () => context.close() }
}
