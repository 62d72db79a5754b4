// What every page must be, whoever drew it.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import axe from 'axe-core'
import { widths } from './browser.js'

const screenshots = new URL('../screenshots/', import.meta.url).pathname
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** the smallest target of WCAG 2.2 §2.5.8, in CSS pixels */
const smallestTarget = 24

/**
 * audit looks at the page as it stands at both widths and in both colour
 * schemes, leaves screenshots, and returns what is wrong: sideways scrolling,
 * violations that axe knows of, targets too small to hit, broken house rules.
 */
export async function audit (page, name) {
  // First, before the tools below add marks of their own to the page.
  const findings = await structure(page, name)
  await mkdir(screenshots, { recursive: true })
  for (const width of Object.values(widths)) {
    await page.setViewportSize({ width, height: 800 })
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme })
      const where = `${name} at ${width} px, ${scheme}`
      await page.screenshot({ path: path.join(screenshots, `${name}-${width}-${scheme}.png`), fullPage: true })
      const scrolled = await page.evaluate(() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth)
      if (scrolled > 0) findings.push(`${where}: scrolls sideways by ${scrolled} px`)
      findings.push(...await violations(page, where))
    }
  }
  findings.push(...await smallTargets(page, name))
  await page.setViewportSize({ width: widths.wide, height: 800 })
  await page.emulateMedia({ colorScheme: 'light' })
  return findings
}

async function violations (page, where) {
  await page.evaluate(axe.source)
  const result = await page.evaluate(tags => globalThis.axe.run(document, { runOnly: tags }), rules)
  return result.violations.map(v => `${where}: ${v.id}: ${v.help}\n  ${v.nodes.map(n => n.html).join('\n  ')}`)
}

/** Links inside a sentence may be smaller; controls may not. */
async function smallTargets (page, name) {
  const small = await page.$$eval('button, select, input:not([type=hidden]), a.button, nav a', (list, least) => list
    .map(e => ({ e, box: e.getBoundingClientRect() }))
    .filter(({ e, box }) => box.width > 0 && (box.width < least || box.height < least))
    // WCAG lets a label that belongs to a control count as the target.
    .filter(({ e }) => !(e.labels && [...e.labels].some(l => l.getBoundingClientRect().height >= least)))
    .map(({ e, box }) => `${e.outerHTML.slice(0, 120)} is ${Math.round(box.width)} x ${Math.round(box.height)} px`), smallestTarget)
  return small.map(text => `${name}: too small to hit: ${text}`)
}

/** House rules of the page itself. */
async function structure (page, name) {
  return page.evaluate(name => {
    const found = []
    const say = text => found.push(`${name}: ${text}`)
    if (document.querySelectorAll('h1').length !== 1) say('has not exactly one h1')
    if (!document.documentElement.lang) say('says no language')
    if (!document.title.trim()) say('has no title')
    if (document.querySelector('header form, nav form')) say('has a form in the header or the navigation')
    if (document.querySelector('[style], style, [onclick], script:not([src])')) say('has inline style or script')
    for (const b of document.querySelectorAll('button:not([type])')) say(`button without a type: ${b.outerHTML.slice(0, 120)}`)
    for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) say(`positive tabindex: ${e.outerHTML.slice(0, 120)}`)
    const ids = [...document.querySelectorAll('[id]')].map(e => e.id)
    for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) say(`id ${id} is there twice`)
    return found
  }, name)
}
