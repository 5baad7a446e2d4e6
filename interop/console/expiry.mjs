// Sessions whose time is up: unused for too long, or as old as one may be. Both limits are brief here, and the page is
// told without asking.
import { assert, person, walk } from './browser.mjs'
import { base, first, signIn, until } from './people.mjs'

const { page, seen } = await person()
seen.allowed.push(/status of 401/)

const over = page.getByText('Your session has ended')
const session = () => page.evaluate(async () => (await fetch('/console/session')).json())

await walk({
  'a session that is not used ends by itself, and the page says so': async () => {
    await page.goto(base + '/tools/reverse_tool')
    await signIn(page, first)
    await page.getByLabel('query').fill('half a sentence')
    await over.waitFor({ timeout: 60_000 })
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
  },
  'one that is used goes on, and ends when it is as old as one may be': async () => {
    await signIn(page, first, { remembered: true })
    await page.waitForFunction(() => document.querySelector('textarea')?.value === 'half a sentence')
    const { expires_at: end, idle_expires_at: idle } = await session()
    assert.ok(Date.parse(idle) < Date.parse(end))
    let last = 0
    await until('the session ends', async () => {
      if (await over.count()) return true
      const asked = Date.now()
      if ((await page.request.get(base + '/api/v1/me')).status() === 200) last = asked
      return false
    })
    assert.ok(last > Date.parse(idle), 'it ended because it was not used, although it was')
    assert.ok(last < Date.parse(end), 'it was used after its end')
  },
  'and the next one begins anew': async () => {
    await signIn(page, first, { remembered: true })
    await page.getByRole('link', { name: first.name }).waitFor()
  },
})
