// The provider's administrator ends a person's sign-ins, and the page hears of it without being touched.
import { assert, person, walk } from './browser.mjs'
import { base, first, hand, signIn } from './people.mjs'

const { page, seen } = await person()
seen.allowed.push(/status of 401/)

await walk({
  'somebody is signed in': async () => {
    await page.goto(base + '/me')
    await signIn(page, first)
    await page.getByText(/^ends in /).waitFor()
  },
  'the administrator ends it, and the page says so': async () => {
    await hand('logout', first.user)
    await page.getByText('Your session has ended').waitFor()
    assert.equal((await page.request.get(base + '/api/v1/tools')).status(), 401)
  },
  'a new sign-in is asked for the password': () => signIn(page, first),
})
