// People who sign in: what they see, what they may do, and how it ends, wherever it is ended. The same at every provider.
import { assert, cancels, card, goesOn, looksGood, moves, person, reverse, walk } from './browser.mjs'
import { neighbour } from './cut.mjs'
import { base, disabled, door, enter, first, keycloak, leaveProvider, off, second, signIn, signOut, tells } from './people.mjs'

const here = await person()
const { page, context } = here
const elsewhere = await person()
// A page that learns that its session is over is told so by a status, which the browser notes.
for (const one of [here, elsewhere]) one.seen.allowed.push(/status of 40[13]/)

const sessionOf = async (one) => (await one.cookies(base)).find((cookie) => /^fastmcp-auth-\d+$/.test(cookie.name))
const missing = (tab) => tab.getByText('This tool needs another permission')

await walk({
  'signed out, there is one button, and no tool': async () => {
    await page.goto(base + '/tools/reverse_tool')
    await door(page).waitFor()
    assert.equal(await page.locator('.offer').count(), 0)
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
  },
  'signing in leads back to the page that was asked for': async () => {
    await signIn(page, first)
    await page.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    assert.equal(new URL(page.url()).pathname, '/tools/reverse_tool')
    await page.getByRole('link', { name: first.name }).waitFor()
  },
  'the cookie is for the server alone': async () => {
    const session = await sessionOf(context)
    assert.ok(session?.httpOnly)
    assert.equal(session.sameSite, 'Strict')
    assert.equal(await page.evaluate(() => document.cookie), '')
  },
  'attack 10: a sign-in that a link of another site begins ends the session that was there': async () => {
    const before = await sessionOf(context)
    const tab = await context.newPage()
    // A link on a page of its own origin, which the browser takes for another site's.
    await tab.goto(`data:text/html,<a href="${base}/console/sign-in?return_to=/settings">free cake</a>`)
    const begun = tab.waitForRequest((request) => request.url().startsWith(base + '/console/sign-in'))
    await signIn(tab, first, { remembered: true, press: () => tab.getByRole('link').click() })
    const sent = (await (await begun).allHeaders()).cookie ?? ''
    assert.ok(!sent.includes(before.value), 'the browser sends the cookie to whom another site leads')
    assert.equal(new URL(tab.url()).pathname, '/settings')
    const now = await sessionOf(context)
    assert.notEqual(now.value, before.value)
    const asked = (session) => fetch(base + '/api/v1/tools', { headers: { cookie: `${session.name}=${session.value}` } })
    assert.equal((await asked(before)).status, 401)
    assert.equal((await asked(now)).status, 200)
    await tab.close()
    await page.goto(base + '/tools/reverse_tool')
    await page.getByRole('link', { name: first.name }).waitFor()
  },
  'a call is begun, its bar moves, and it goes on after a reload in the middle': async () => {
    await reverse(page, 'stressed')
    await card(page).getByRole('progressbar').waitFor()
    await moves(page)
    await goesOn(page)
    await card(page).getByText('desserts').first().waitFor()
  },
  'a call is cancelled': async () => {
    await reverse(page, 'never mind')
    await cancels(page)
  },
  'attack 9: a request without the proof that a page sent it is refused': async () => {
    const status = await page.evaluate(async () => (await fetch('/api/v1/calls', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"tool":"reverse_tool","arguments":{"query":"x"}}' })).status)
    assert.equal(status, 403)
  },
  'attack 9: a page next door sends what it likes with this browser’s cookies, and is refused': async () => {
    const evil = await neighbour()
    const tab = await context.newPage()
    await tab.goto(evil.at)
    const refused = async (path, send, ...given) => {
      const asked = tab.waitForRequest((request) => request.url() === base + path)
      await tab.evaluate(send, ...given)
      const request = await asked
      assert.equal((await request.response()).status(), 403, `${request.method()} ${path}`)
      return (await request.allHeaders()).cookie ?? ''
    }
    const simple = ([at, type]) => void fetch(at, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': type }, body: '{"tool":"reverse_tool","arguments":{"query":"x"}}' }).catch(() => {})
    for (const path of ['/api/v1/calls', '/api/v1/tools/reverse_tool', '/reverse', '/console/sign-out', '/console/sign-out?everywhere=1']) await refused(path, simple, [base + path, 'text/plain'])
    const sent = await refused('/api/v1/calls', (at) => {
      document.body.innerHTML = `<iframe name=f></iframe><form method=post target=f enctype=text/plain action="${at}"><input name='{"tool":"reverse_tool","arguments":{"query":"' value='"}}'></form>`
      document.forms[0].submit()
    }, base + '/api/v1/calls')
    assert.ok(sent.includes((await sessionOf(context)).value), 'the browser keeps the cookie back, so this shows nothing')
    await tab.close()
    evil.close()
    here.seen.foreign = here.seen.foreign.filter((url) => !url.startsWith(evil.at)) // where this step itself went
    await page.reload()
    await page.locator('article.card').nth(1).waitFor()
    assert.equal(await page.locator('article.card').count(), 2) // those that were made before
  },
  'who am I says who, and the claims on request': async () => {
    await page.getByRole('link', { name: 'Who am I' }).click()
    await page.getByText(/\S+@\S+/).first().waitFor()
    await page.getByText(/^ends in /).waitFor()
    await page.getByRole('button', { name: 'Show the claims' }).click()
    await page.getByRole('region', { name: 'Claims' }).getByText('aud', { exact: true }).waitFor()
  },
  'somebody else sees none of these calls': async () => {
    await elsewhere.page.goto(base + '/calls')
    await signIn(elsewhere.page, second)
    await elsewhere.page.getByText('Nothing was called yet.').waitFor()
  },
  'a tool that needs more is asked for in place, and the form is as it was': async () => {
    const tab = elsewhere.page
    await tab.goto(base + '/tools/convert_time')
    await missing(tab).waitFor()
    await looksGood(tab)
    await tab.getByLabel('source_timezone').fill('UTC')
    await tab.getByLabel('target_timezone').fill('Asia/Kathmandu')
    await tab.getByRole('textbox', { name: /^time/ }).fill('12:00')
    await signIn(tab, second, { remembered: true, press: () => tab.getByRole('button', { name: 'Ask for it and come back' }).click() })
    assert.equal(new URL(tab.url()).pathname, '/tools/convert_time')
    await tab.getByRole('heading', { name: 'Convert time', level: 1 }).waitFor()
    await tab.waitForFunction(() => [...document.querySelectorAll('input')].some((one) => one.value === 'Asia/Kathmandu'))
    assert.equal(await missing(tab).count(), 0)
    await tab.getByRole('button', { name: 'Call', exact: true }).click()
    await card(tab).getByText('+5.75h').first().waitFor()
  },
  'a call begun in one tab is seen in the other, and cancelled there': async () => {
    const other = await context.newPage()
    await other.goto(base + '/calls')
    await other.locator('article.card').nth(1).waitFor()
    await page.goto(base + '/tools/reverse_tool')
    await reverse(page, 'two of them')
    await other.locator('article.card').nth(2).waitFor()
    await cancels(other)
    await card(page).getByText('Cancelled', { exact: true }).waitFor()
    await other.close()
  },
  ...(tells && {
    'signed out at the provider itself, the page knows at once': async () => {
      await page.goto(base + '/tools')
      await page.getByRole('link', { name: /Reverse text/ }).waitFor()
      await leaveProvider(context)
      await page.getByText('Your session has ended').waitFor()
      assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
      await signIn(page, first)
    },
  }),
  'signed out in one tab, the other knows at once': async () => {
    const other = await context.newPage()
    await other.goto(base + '/tools')
    await other.getByRole('link', { name: /Reverse text/ }).waitFor()
    await signOut(page, 'Sign out')
    await door(other).waitFor()
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
    await other.close()
  },
  'signed out everywhere, another browser knows without being touched, and keeps the form': async () => {
    await signIn(page, second)
    const tab = elsewhere.page
    await tab.goto(base + '/tools/reverse_tool')
    await tab.getByLabel('query').fill('half a sentence')
    await page.goto(base + '/me')
    await page.getByRole('button', { name: 'Sign out everywhere' }).waitFor()
    await signOut(page, 'Sign out everywhere')
    await tab.getByText('Your session has ended').waitFor()
    await signIn(tab, second, { remembered: true }) // at the provider, each browser has a session of its own
    await tab.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    await tab.waitForFunction(() => document.querySelector('textarea')?.value === 'half a sentence')
  },
  'a session that ended while nobody listened is told by the next request': async () => {
    const tab = elsewhere.page
    await elsewhere.context.addCookies([{ ...(await sessionOf(elsewhere.context)), value: 'A'.repeat(43) }])
    await tab.getByRole('button', { name: 'Call', exact: true }).click()
    await tab.getByText('Your session has ended').waitFor()
  },
  'a disabled account is told so in words': async () => {
    const third = await person()
    third.seen.allowed.push(/status of 40\d/)
    const tab = third.page
    await tab.goto(base + '/')
    await door(tab).click()
    await enter(tab, off)
    await disabled(tab).waitFor()
    if (keycloak) return // it lets nobody back from there
    await tab.getByRole('button', { name: /cancel/i }).first().click()
    await tab.waitForURL((url) => url.href.startsWith(base))
    assert.match(await tab.getByRole('alert').textContent(), /not signed in/)
  },
})
