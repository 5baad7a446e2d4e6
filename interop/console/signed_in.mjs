// People who sign in: what they see, what they may do, and how it ends, wherever it is ended.
import { assert, base, card, person, provider, reverse, signIn, walk } from './browser.mjs'

const uma = await person()
const { page, context } = uma
const elsewhere = await person()
// A page that learns that its session is over is told so by a status, which the browser notes.
for (const one of [uma, elsewhere]) one.seen.allowed.push(/status of 40[13]/)

const button = (tab) => tab.getByRole('link', { name: /^Sign in/ })

await walk({
  'signed out, there is one button, and no tool': async () => {
    await page.goto(base + '/tools/reverse_tool')
    await button(page).waitFor()
    assert.equal(await page.locator('.offer').count(), 0)
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
  },
  'signing in leads back to the page that was asked for': async () => {
    await signIn(page, /Uma User/)
    await page.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    assert.equal(new URL(page.url()).pathname, '/tools/reverse_tool')
    await page.getByRole('link', { name: 'Uma User' }).waitFor()
  },
  'the cookie is for the server alone': async () => {
    const cookies = await context.cookies(base)
    const session = cookies.find((one) => /^fastmcp-auth-\d+$/.test(one.name))
    assert.ok(session?.httpOnly)
    assert.equal(session.sameSite, 'Strict')
    assert.equal(await page.evaluate(() => document.cookie), '')
  },
  'a call is made, reloaded in the middle, and seen to its end': async () => {
    await reverse(page, 'stressed')
    await card(page).getByRole('progressbar').waitFor()
    await page.reload()
    await card(page).getByRole('progressbar').waitFor()
    await card(page).getByText('desserts').first().waitFor()
  },
  'a request without the proof that a page sent it is refused': async () => {
    const status = await page.evaluate(async () => (await fetch('/api/v1/calls', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"tool":"reverse_tool","arguments":{"query":"x"}}' })).status)
    assert.equal(status, 403)
  },
  'who am I says who, and the claims on request': async () => {
    await page.getByRole('link', { name: 'Who am I' }).click()
    await page.getByText('user@', { exact: false }).first().waitFor()
    await page.getByText(/^ends in /).waitFor()
    await page.getByRole('button', { name: 'Show the claims' }).click()
    await page.getByRole('region', { name: 'Claims' }).getByText('aud', { exact: true }).waitFor()
  },
  'somebody else sees none of these calls': async () => {
    await elsewhere.page.goto(base + '/calls')
    await signIn(elsewhere.page, /Ada Admin/)
    await elsewhere.page.getByText('Nothing was called yet.').waitFor()
  },
  'a tool that needs more is asked for in place, and the form is as it was': async () => {
    const tab = elsewhere.page
    await tab.goto(base + '/tools/convert_time')
    await tab.getByText('This tool needs another permission').waitFor()
    await tab.getByLabel('source_timezone').fill('UTC')
    await tab.getByLabel('target_timezone').fill('Asia/Kathmandu')
    await tab.getByRole('textbox', { name: /^time/ }).fill('12:00')
    await tab.getByRole('button', { name: 'Ask for it and come back' }).click()
    await tab.waitForURL((url) => url.href.startsWith(provider) || url.pathname === '/tools/convert_time')
    if (tab.url().startsWith(provider)) await tab.getByRole('button', { name: /Ada Admin/ }).click()
    await tab.waitForURL(base + '/tools/convert_time')
    await tab.getByRole('heading', { name: 'Convert time', level: 1 }).waitFor()
    await tab.waitForFunction(() => [...document.querySelectorAll('input')].some((one) => one.value === 'Asia/Kathmandu'))
    assert.equal(await tab.getByText('This tool needs another permission').count(), 0)
    await tab.getByRole('button', { name: 'Call', exact: true }).click()
    await card(tab).getByText('+5.75h').first().waitFor()
  },
  'signed out in one tab, the other knows at once': async () => {
    const other = await context.newPage()
    await other.goto(base + '/tools')
    await other.getByRole('link', { name: /Reverse text/ }).waitFor()
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
    await button(other).waitFor()
    await page.waitForURL((url) => url.href.startsWith(base + '/?signed_out=1') || url.href.startsWith(provider))
    if (page.url().startsWith(provider)) {
      await page.getByRole('button').first().click()
      await page.waitForURL(base + '/?signed_out=1')
    }
    await page.getByText('You are signed out.').waitFor()
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
    await other.close()
  },
  'signed out everywhere, another browser knows without being touched, and keeps the form': async () => {
    await signIn(page, /Ada Admin/)
    const tab = elsewhere.page
    await tab.goto(base + '/tools/reverse_tool')
    await tab.getByLabel('query').fill('half a sentence')
    await page.goto(base + '/me')
    await page.getByRole('button', { name: 'Sign out everywhere' }).click()
    await tab.getByText('Your session has ended').waitFor()
    await signIn(tab, /Ada Admin/)
    await tab.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    await tab.waitForFunction(() => document.querySelector('textarea')?.value === 'half a sentence')
  },
  'a session that ended while nobody listened is told by the next request': async () => {
    const tab = elsewhere.page
    const cookies = await elsewhere.context.cookies(base)
    const session = cookies.find((one) => /^fastmcp-auth-\d+$/.test(one.name))
    await elsewhere.context.addCookies([{ ...session, value: 'A'.repeat(43) }])
    await tab.getByRole('button', { name: 'Call', exact: true }).click()
    await tab.getByText('Your session has ended').waitFor()
  },
  'a disabled account is told so in words': async () => {
    const third = await person()
    third.seen.allowed.push(/status of 40\d/)
    const tab = third.page
    await tab.goto(base + '/')
    await button(tab).click()
    await tab.waitForURL((url) => url.href.startsWith(provider))
    await tab.getByRole('button', { name: /Dee Disabled/ }).click()
    await tab.waitForLoadState()
    if (tab.url().startsWith(provider)) {
      await tab.getByText(/disabled/i).first().waitFor()
      const cancel = tab.getByRole('button', { name: /cancel/i })
      if (await cancel.count()) await cancel.first().click()
    }
    await tab.waitForURL((url) => url.href.startsWith(base))
    await tab.getByRole('alert').waitFor()
    assert.match(await tab.getByRole('alert').textContent(), /not signed in/)
  },
})
