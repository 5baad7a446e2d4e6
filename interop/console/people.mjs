// What people do at a provider, and what else a walk can do there than a person in a browser: ask whoever runs it.
import assert from 'node:assert/strict'

export const base = process.env.CONSOLE
export const provider = process.env.PROVIDER
export const keycloak = process.env.KIND === 'keycloak'

/** Those who can sign in: first and second may do the same, and each walk says what is done to them. */
export const { first, second, off } = JSON.parse(process.env.PEOPLE || 'null') ?? {
  first: { name: 'Uma User', user: 'user' },
  second: { name: 'Ada Admin', user: 'admin' },
  off: { name: 'Dee Disabled', user: 'disabled' },
}

/** Asks whoever runs the provider to do something. */
export async function hand(name, given = '') {
  const answer = await fetch(`${process.env.HANDS}/${name}?${new URLSearchParams({ given })}`, { method: 'POST' })
  assert.equal(answer.status, 200, `${name}: ${await answer.clone().text()}`)
}

/** Says at the provider's page who one is. */
export async function enter(page, who) {
  await page.waitForURL((url) => url.href.startsWith(provider))
  if (!keycloak) return page.getByRole('button', { name: who.name }).click()
  await page.locator('input[name=username]').fill(who.user)
  await page.locator('input[name=password]').fill(who.password)
  await page.locator('#kc-login, [type=submit]').first().click()
}

/** What the provider's page says to somebody whose account is disabled there. */
export const disabled = (page) => page.getByText(/account (\S+ )?is disabled/i).first()

/** The way in, where a session of the console begins. */
export const door = (page) => page.getByRole('link', { name: /^Sign in/ })

/**
 * Goes to the provider by press, and comes back signed in. Who is remembered is not asked again, at a provider that
 * remembers people.
 */
export async function signIn(page, who, { press = (tab) => door(tab).click(), remembered = false } = {}) {
  const back = page.waitForRequest((request) => request.url().startsWith(base + '/auth/callback'))
  back.catch(() => {}) // what went wrong before is said first
  await press(page)
  if (!(remembered && keycloak)) await enter(page, who)
  await back
  await page.waitForURL((url) => url.href.startsWith(base) && !url.pathname.startsWith('/auth/'))
}

/** Signs out by a button of that name, at the provider too, and sees that it is so. */
export async function signOut(page, name) {
  await page.getByRole('button', { name, exact: true }).first().click()
  await page.waitForURL(base + '/?signed_out=1')
  await page.getByText('You are signed out.').waitFor()
}

/** Whether the provider tells the console of a sign-out at the provider itself. */
export const tells = process.env.TELLS === 'true'

/** Signs out at the provider itself, in a tab of that browser, as somebody does who has forgotten the console. */
export async function leaveProvider(context) {
  const { end_session_endpoint: at } = await (await fetch(process.env.ISSUER + '/.well-known/openid-configuration')).json()
  const tab = await context.newPage()
  await tab.goto(at)
  await tab.getByRole('button', { name: /^(sign out|logout)$/i }).click()
  await tab.getByText(/signed out|logged out/i).first().waitFor()
  await tab.close()
}

/** Does something again and again until it brings what is waited for. */
export async function until(what, attempt) {
  const end = Date.now() + 60_000
  for (;;) {
    const got = await attempt()
    if (got) return got
    assert.ok(Date.now() < end, `it did not come to that: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
