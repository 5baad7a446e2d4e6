// Tools that ask in the middle of a call: a form for the answer, or a page to visit; in every tab, and after a reload.
import { assert, card, looksGood, person, walk } from './browser.mjs'
import { base } from './people.mjs'

const { page, context, seen } = await person({ motion: 'reduce' })
const asked = (tab) => card(tab).getByRole('group', { name: 'The tool asks' })

async function begin(tool, day) {
  await page.goto(`${base}/tools/${tool}`)
  await page.getByLabel('day').fill(day)
  await page.getByRole('button', { name: 'Call', exact: true }).click()
  await card(page).getByText('Asks you', { exact: true }).waitFor()
  await asked(page).first().waitFor()
}

await walk({
  'the card asks, with what the tool says and a form by its schema': async () => {
    await begin('book_table', 'Friday')
    await asked(page).getByText('Who comes on Friday?').waitFor()
    await asked(page).getByText('Never give a password or a token here.').waitFor()
    await asked(page).getByLabel('How many guests').waitFor()
    await looksGood(page)
  },
  'what does not fit is said at its field, and nothing is sent': async () => {
    let sent = 0
    page.on('request', (request) => (sent += request.url().endsWith('/input') ? 1 : 0))
    await asked(page).getByRole('button', { name: 'Answer' }).click()
    await asked(page).getByText('is needed').first().waitFor()
    await asked(page).getByLabel('Your name').fill('Ann')
    await asked(page).getByLabel('How many guests').fill('9')
    await asked(page).getByRole('button', { name: 'Answer' }).click()
    await asked(page).locator('.mantine-InputWrapper-error').first().waitFor()
    assert.equal(sent, 0)
  },
  'a reload asks again, and so does another tab': async () => {
    await page.reload()
    await asked(page).getByText('Who comes on Friday?').waitFor()
    const other = await context.newPage()
    await other.goto(base + '/calls')
    await asked(other).getByText('Who comes on Friday?').waitFor()
    await other.close()
  },
  'the answer is what was filled in and no more, and the tool goes on to its next question': async () => {
    await asked(page).getByLabel('Your name').fill('Ann')
    await asked(page).getByLabel('How many guests').fill('3')
    const sent = page.waitForRequest((request) => request.url().endsWith('/input'))
    await asked(page).getByRole('button', { name: 'Answer' }).click()
    assert.deepEqual((await sent).postDataJSON(), { input_responses: { who: { action: 'accept', content: { name: 'Ann', guests: 3 } } } })
    await asked(page).getByText('Shall it be booked?').waitFor()
    await asked(page).getByRole('button', { name: 'Answer' }).click()
    await card(page).getByText('booked for Friday: {"guests":3,"name":"Ann"}').first().waitFor()
    await card(page).getByText('Done', { exact: true }).waitFor()
  },
  'saying no is an answer too': async () => {
    await begin('book_table', 'Saturday')
    await asked(page).getByRole('button', { name: 'Say no' }).click()
    await card(page).getByText('nothing was booked: decline').first().waitFor()
  },
  'a call that asks can be cancelled': async () => {
    await begin('book_table', 'Sunday')
    await card(page).getByRole('button', { name: /^Cancel/ }).click()
    await card(page).getByText('Cancelled', { exact: true }).waitFor()
    assert.equal(await asked(page).count(), 0)
  },
  'what is answered in one tab is over in the other': async () => {
    await begin('book_table', 'Monday')
    const other = await context.newPage()
    await other.goto(base + '/calls')
    await asked(other).getByRole('button', { name: 'Not now' }).click()
    await card(other).getByText('nothing was booked: cancel').first().waitFor()
    await card(page).getByText('nothing was booked: cancel').first().waitFor()
    await other.close()
  },
  'a page to visit is a link that leaves alone what it came from, and a script is none': async () => {
    await begin('pay', 'today')
    assert.equal(await asked(page).count(), 2)
    const link = asked(page).getByRole('link')
    assert.equal(await link.count(), 1)
    assert.deepEqual(await link.evaluate((one) => [one.href, one.target, one.rel]), ['https://bank.example/pay?order=1', '_blank', 'noopener noreferrer'])
    await asked(page).getByText('javascript:alert(document.domain)').waitFor()
    for (const question of ['Pay at the bank.', 'Or here.']) await asked(page).filter({ hasText: question }).getByRole('button', { name: 'I have done that' }).click()
    await card(page).getByText('paid', { exact: true }).first().waitFor()
    assert.deepEqual(seen.foreign, [])
  },
})
