// A server where people sign in, but the console has no client to sign in as: the page says what is missing.
import { assert, looksGood, person, walk } from './browser.mjs'
import { base, door } from './people.mjs'

const { page } = await person()

await walk({
  'the page says what to set, and what the provider must know': async () => {
    await page.goto(base + '/tools/reverse_tool')
    await page.getByText('Nobody can sign in to this console yet').waitFor()
    for (const text of ['console.client_id', base + '/auth/callback', base + '/mcp']) await page.locator('code', { hasText: text }).first().waitFor()
    await looksGood(page)
  },
  'there is no way in': async () => {
    assert.equal(await door(page).filter({ visible: true }).count(), 0)
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
  },
})
