// The whole way where nobody signs in.
import { assert, cancels, card, goesOn, moves, person, reverse, walk } from './browser.mjs'
import { cuttable } from './cut.mjs'
import { base } from './people.mjs'

const self = await person()
const { page, context } = self

await walk({
  'the page has a policy without unsafe, and nothing is kept where a nonce would be used twice': async () => {
    const answer = await page.goto(base + '/')
    const policy = answer.headers()['content-security-policy']
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[A-Z2-7]{26}';/)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    assert.equal(answer.headers()['cache-control'], 'no-store')
    await page.getByRole('heading', { name: 'Tools', level: 1 }).waitFor()
  },
  'a first visit is small, and soon there': async () => {
    const first = await person()
    await first.page.goto(base + '/')
    await first.page.locator('.offer').first().waitFor()
    const { there, bytes, files } = await first.page.evaluate(() => {
      const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].filter((one) => !one.name.includes('/api/') && !one.name.includes('/console/'))
      return { there: Math.round(performance.now()), bytes: all.reduce((sum, one) => sum + one.encodedBodySize, 0), files: all.length }
    })
    console.log(`first visit: ${files} files, ${(bytes / 1024).toFixed(1)} KiB as sent, tools listed after ${there} ms`)
    assert.ok(bytes < 350 * 1024)
    await first.context.close()
  },
  'a tool is found by a word of what it does': async () => {
    await page.getByLabel('Find a tool').fill('around emoji')
    assert.equal(await page.locator('.offer').count(), 0)
    await page.getByLabel('Find a tool').fill('emoji joined')
    await page.getByRole('link', { name: /Reverse text/ }).click()
    await page.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    assert.equal(new URL(page.url()).pathname, '/tools/reverse_tool')
  },
  'what is missing is said at its field, which gets the focus': async () => {
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await page.getByText('is needed').first().waitFor()
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true')
    assert.equal(await page.locator('article.card').count(), 0)
  },
  'a call is begun, and its bar moves': async () => {
    await reverse(page, 'stressed')
    await card(page).getByRole('progressbar').waitFor()
    await moves(page)
  },
  'a reload in the middle shows it going on, and its end': async () => {
    await goesOn(page)
    await card(page).getByText('Done', { exact: true }).waitFor()
    await card(page).getByText('desserts').first().waitFor()
  },
  'a lost connection is taken up again after the last event': async () => {
    const way = await cuttable(base)
    self.seen.own.push(way.at + '/')
    const tab = await context.newPage()
    self.seen.allowed.push(/ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION/)
    await tab.goto(way.at + '/tools/reverse_tool')
    await reverse(tab, 'parts')
    await tab.waitForFunction(() => Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')) >= 10)
    const again = tab.waitForRequest((request) => request.url().endsWith('/events') && request.headers()['last-event-id'] !== undefined)
    way.cut()
    assert.ok(Number((await again).headers()['last-event-id']) > 0)
    await card(tab).getByText('strap').first().waitFor()
    await tab.close()
    way.close()
  },
  'a call is cancelled': async () => {
    await page.reload()
    await reverse(page, 'never mind')
    await cancels(page)
  },
  'untouched optional fields are not sent, and JSON is the same': async () => {
    await page.goto(base + '/tools/convert_time')
    await page.getByLabel('source_timezone').fill('UTC')
    await page.getByLabel('time', { exact: true }).or(page.getByLabel('time *', { exact: true })).first().fill('12:00')
    await page.getByLabel('target_timezone').fill('Asia/Kathmandu')
    await page.getByText('JSON', { exact: true }).click()
    const text = await page.getByLabel('Arguments as JSON').inputValue()
    assert.deepEqual(JSON.parse(text), { source_timezone: 'UTC', time: '12:00', target_timezone: 'Asia/Kathmandu' })
    const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/api/v1/calls'))
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    const request = await sent
    assert.deepEqual(request.postDataJSON(), { tool: 'convert_time', arguments: JSON.parse(text) })
    assert.match(request.headers()['idempotency-key'], /^[0-9a-f]{32}$/)
    await card(page).getByText('+5.75h').first().waitFor()
  },
  "a tool's own refusal is shown as one": async () => {
    await page.goto(base + '/tools/get_current_time')
    await page.getByLabel('timezone').fill('Asia/Katmandoo')
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await card(page).getByText('The tool says no', { exact: true }).waitFor()
  },
  'what the server finds wrong stands at its field': async () => {
    await page.goto(base + '/tools/reverse_tool')
    const problem = { type: 'urn:x', title: 'Unprocessable', status: 422, code: 'invalid_arguments', detail: 'no', errors: [{ field: 'query', message: 'is too sad' }] }
    await page.route('**/api/v1/calls', (route) => (route.request().method() === 'POST' ? route.fulfill({ status: 422, contentType: 'application/problem+json', body: JSON.stringify(problem) }) : route.fallback()))
    self.seen.allowed.push(/status of 422/)
    await reverse(page, 'alas')
    await page.locator('.mantine-InputWrapper-error', { hasText: 'is too sad' }).waitFor()
    await page.unroute('**/api/v1/calls')
  },
  'the history has them all, the newest first, and forgets one': async () => {
    await page.goto(base + '/calls')
    const states = page.locator('article.card')
    await states.nth(4).waitFor()
    assert.deepEqual(await states.evaluateAll((all) => all.map((one) => one.dataset.state)), ['completed', 'completed', 'cancelled', 'completed', 'completed'])
    await card(page).getByRole('button', { name: /^Show/ }).click()
    await card(page).getByRole('button', { name: 'Forget' }).click()
    await page.waitForFunction(() => document.querySelectorAll('article.card').length === 4)
    await page.reload()
    await states.nth(3).waitFor()
    assert.equal(await states.count(), 4)
  },
  'calling again fills the form as it was': async () => {
    await states(page, 'completed').last().getByRole('button', { name: /^Show/ }).click()
    await states(page, 'completed').last().getByRole('button', { name: 'Call again…' }).click()
    await page.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    await page.waitForFunction(() => document.querySelector('textarea')?.value === 'stressed')
  },
  'a call begun in one tab is seen in the other': async () => {
    const other = await context.newPage()
    await other.goto(base + '/calls')
    await other.locator('article.card').first().waitFor()
    const before = await other.locator('article.card').count()
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await other.waitForFunction((n) => document.querySelectorAll('article.card').length === n + 1, before)
    await card(other).getByText('Done', { exact: true }).waitFor()
    await other.close()
  },
  'many calls at once leave the pages usable': async () => {
    await page.goto(base + '/tools/reverse_tool')
    for (let i = 0; i < 8; i++) {
      await page.getByLabel('query').fill(`call ${i}`)
      const begun = page.waitForResponse((response) => response.request().method() === 'POST' && response.url().endsWith('/api/v1/calls'))
      await page.getByRole('button', { name: 'Call', exact: true }).click()
      await begun
    }
    await page.getByRole('link', { name: 'Resources' }).click()
    await page.getByRole('link', { name: /Current time in UTC/ }).click()
    await page.getByText('"timezone": "UTC"').waitFor()
  },
  'a page that there is not says so, and is not the console’s for the server': async () => {
    self.seen.allowed.push(/status of 404/)
    const answer = await page.goto(base + '/nowhere')
    assert.equal(answer.status(), 404)
  },
})

function states(page, state) {
  return page.locator(`article.card[data-state=${state}]`)
}
