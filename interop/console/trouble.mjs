// A provider that is down, and a person who is disabled there while signed in. Access tokens are brief here.
import { assert, card, looksGood, person, reverse, walk } from './browser.mjs'
import { base, disabled, door, enter, first, hand, provider, signIn, until } from './people.mjs'

const { page, seen } = await person()
seen.allowed.push(/status of (401|503)/)

// Presses the button, and says with which status the call was begun or not.
const call = async () => {
  const answer = page.waitForResponse((one) => one.request().method() === 'POST' && one.url().endsWith('/api/v1/calls'))
  answer.catch(() => {})
  await page.getByRole('button', { name: 'Call', exact: true }).click()
  return (await answer).status()
}

// Whether the server answers the session so, asked without the page.
const answers = async (status) => (await page.request.get(base + '/api/v1/me')).status() === status

await walk({
  'nobody signs in while the provider is down, and the page says why': async () => {
    await hand('down')
    await page.goto(base + '/tools/random_number_tool')
    await door(page).click()
    await page.waitForURL(/sign_in_error=provider_unavailable/)
    await page.getByText('The provider cannot be reached').waitFor()
    await looksGood(page)
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
  },
  'when it is back, the same button leads in': async () => {
    await hand('up')
    await page.goto(base + '/tools/random_number_tool')
    await until('the provider is asked again', async () => {
      await door(page).click()
      await page.waitForURL((url) => url.href.startsWith(provider) || url.searchParams.has('sign_in_error'))
      return page.url().startsWith(provider)
    })
    await enter(page, first)
    await page.waitForURL((url) => url.href.startsWith(base) && !url.pathname.startsWith('/auth/'))
    await page.getByRole('link', { name: first.name }).waitFor()
  },
  'while the provider is down again, calls go on as long as the token is good': async () => {
    await page.goto(base + '/tools/random_number_tool')
    await page.getByLabel('min').fill('7')
    await page.getByLabel('max').fill('7')
    await until('a call is begun while the provider is down', async () => {
      await hand('up')
      if (!(await answers(200))) return false // which renews the token where its end is near
      await hand('down')
      return (await call()) === 202
    })
    await card(page).getByText('7', { exact: true }).first().waitFor()
  },
  'then they do not, the page says why, and nobody is signed out': async () => {
    await until('the token is over', () => answers(503))
    assert.equal(await call(), 503)
    await page.getByRole('alert').getByText('the identity provider cannot be asked now').waitFor()
    await looksGood(page)
    await page.getByRole('link', { name: first.name }).waitFor()
  },
  'when it is back, they go on without another sign-in': async () => {
    await hand('up')
    await until('the server is answered', () => answers(200))
    assert.equal(await call(), 202)
    await card(page).getByText('7', { exact: true }).first().waitFor()
    await page.getByRole('link', { name: first.name }).waitFor()
  },
  'attack 33: a person who is disabled meanwhile is out at the refresh, and is told so': async () => {
    await hand('disable', first.user)
    await until('the session ends', () => answers(401))
    await page.getByText('Your session has ended').waitFor()
    await looksGood(page)
  },
  'and does not come back': async () => {
    await door(page).click()
    await enter(page, first)
    await disabled(page).waitFor()
  },
  'until enabled again': async () => {
    await hand('enable', first.user)
    await page.goto(base + '/tools/reverse_tool')
    await signIn(page, first)
    await reverse(page, 'back')
    await card(page).getByText('kcab').first().waitFor()
  },
})
