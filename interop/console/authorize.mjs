// The REST API's page signs in by itself, as any program does: by code and PKCE, in a window of the provider.
import { assert, person, walk } from './browser.mjs'
import { base, provider } from './people.mjs'

const self = await person()
const { page, context, seen } = self
// It alone of all pages talks to the provider: it redeems the code there.
seen.own.push(provider + '/')
seen.allowed.push(/status of 401/)

await walk({
  'without a token a call is refused': async () => {
    await page.goto(base + '/api/docs')
    const row = page.locator('#operations-me-get-me')
    await row.locator('button.opblock-summary-control').click()
    await row.getByRole('button', { name: 'Execute' }).click()
    await row.locator('.live-responses-table').getByText('401').first().waitFor()
  },
  'Authorize opens the provider, and comes back with a token': async () => {
    await page.locator('button.authorize').first().click()
    const flow = page.locator('.auth-container', { hasText: 'authorizationCode' })
    await flow.locator('label[for^=execute]').first().click()
    const opened = context.waitForEvent('page')
    const asked = page.waitForRequest((request) => request.method() === 'POST' && request.url().startsWith(provider))
    await flow.getByRole('button', { name: /^(Authorize|Apply)/ }).click()
    const popup = await opened
    await popup.getByRole('button', { name: /Uma User/ }).click()
    const form = new URLSearchParams((await asked).postData())
    assert.ok(form.get('code_verifier')?.length >= 43)
    assert.ok(!form.get('client_secret'))
    assert.equal(form.get('resource'), base + '/mcp')
    await flow.getByText('Logout').waitFor()
    await flow.locator('.btn-done').click()
  },
  'with it the same call is answered': async () => {
    const row = page.locator('#operations-me-get-me')
    await row.getByRole('button', { name: 'Execute' }).click()
    await row.locator('.live-responses-table').getByText('Uma User').first().waitFor()
  },
  'nothing of it is kept': async () => {
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0)
  },
})
