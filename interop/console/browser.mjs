// A real Chromium without a window, and what is watched while a person walks through the console: what the browser
// complains of, and what leaves the console's origin.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { base, provider } from './people.mjs'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const { chromium } = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

const watched = []

/** A person's browser: its own cookies and storage. */
export async function person({ scheme = 'light', width = 1200, height = 800, motion = 'no-preference' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: motion, locale: 'en-GB', timezoneId: 'UTC' })
  context.setDefaultTimeout(30_000)
  const seen = { complaints: [], foreign: [], answers: [], allowed: [], own: [base + '/'] }
  watched.push(seen)
  const watch = (page) => {
    page.on('pageerror', (error) => seen.complaints.push(`${page.url()}: ${error.message}`))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && seen.own.some((one) => page.url().startsWith(one)) && !seen.allowed.some((one) => one.test(message.text()))) seen.complaints.push(`${page.url()}: ${message.text()}`)
    })
    page.on('request', (request) => {
      const url = request.url()
      // The person goes to the provider and back; the page itself never asks anybody else.
      const travels = request.isNavigationRequest() && provider && url.startsWith(provider)
      const from = request.frame().url()
      if (!seen.own.some((one) => url.startsWith(one)) && !/^(data|blob|about):/.test(url) && !travels && !(provider && from.startsWith(provider))) seen.foreign.push(url)
    })
    page.on('response', (response) => {
      if (response.url().startsWith(base)) seen.answers.push(response)
    })
  }
  context.on('page', watch)
  return { context, seen, page: await context.newPage() }
}

/** Ends the walk: whatever was complained of, or asked of others, is a failure. */
export async function walk(steps) {
  try {
    for (const [name, step] of Object.entries(steps)) {
      try {
        await step()
      } catch (error) {
        error.message = `${name}: ${error.message}`
        throw error
      }
      console.log(`done: ${name}`)
    }
    for (const { complaints, foreign } of watched) {
      assert.deepEqual(complaints, [], 'the browser complains')
      assert.deepEqual(foreign, [], 'the pages ask others')
    }
  } finally {
    await browser.close()
  }
}

/** What axe finds wrong with a page, in a line each. */
export async function violations(page) {
  // Playwright runs scripts in the page from outside of it, which its policy does not forbid.
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary.split('\n').slice(1).join(' ').trim()}`))
}

/** Sees that axe finds nothing wrong with a page, in either colours. */
export async function looksGood(page) {
  await page.emulateMedia({ reducedMotion: 'reduce' }) // a colour on its way to another is neither
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme })
    await page.waitForFunction((scheme) => document.documentElement.dataset.mantineColorScheme === scheme, colorScheme)
    assert.deepEqual(await violations(page), [], colorScheme)
  }
}

export const card = (page) => page.locator('article.card').first()

const percent = async (page) => Number(await card(page).getByRole('progressbar').getAttribute('aria-valuenow'))

/** Sees the newest call's bar move: some values, each more than the one before. */
export async function moves(page, values = 4) {
  const seen = await page.evaluate(
    (enough) =>
      new Promise((resolve) => {
        const seen = []
        const look = () => {
          const newest = document.querySelector('article.card')
          const now = newest?.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')
          if (now && Number(now) !== seen.at(-1)) seen.push(Number(now))
          if (seen.length === enough || newest?.dataset.state !== 'running') resolve(seen)
          else requestAnimationFrame(look)
        }
        look()
      }),
    values,
  )
  assert.equal(seen.length, values)
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b))
}

/** Reloads the page, and sees the newest call go on from where it was: its bar fills as what has happened is read again. */
export async function goesOn(page) {
  const before = await percent(page)
  assert.ok(before > 0 && before < 100, `${before} percent is no middle`)
  await page.reload()
  await page.waitForFunction((before) => {
    const newest = document.querySelector('article.card')
    const now = newest?.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')
    return (now && Number(now) >= before) || newest?.dataset.state === 'completed'
  }, before)
}

/** Cancels the newest call, and sees that it is. */
export async function cancels(page) {
  await card(page).getByRole('progressbar').waitFor()
  await card(page).getByRole('button', { name: /^Cancel/ }).click()
  await card(page).getByText('Cancelled', { exact: true }).waitFor()
}

/** Begins a call of reverse_tool from its page. */
export async function reverse(page, text) {
  await page.getByLabel('query').fill(text)
  await page.getByRole('button', { name: 'Call', exact: true }).click()
}

export { assert }
