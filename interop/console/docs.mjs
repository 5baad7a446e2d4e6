// The page that explains the REST API: from this origin alone, under the same kind of policy, and it works.
import { assert, person, walk } from './browser.mjs'
import { base } from './people.mjs'

const { page } = await person()

await walk({
  'it lists the operations under a policy without unsafe': async () => {
    const answer = await page.goto(base + '/api/docs')
    assert.doesNotMatch(answer.headers()['content-security-policy'], /unsafe|\*/)
    await page.getByText('/api/v1/tools/reverse_tool').first().waitFor()
  },
  'an operation is tried out in it': async () => {
    const row = page.locator('#operations-tools-call-random_number_tool')
    await row.locator('button.opblock-summary-control').click()
    await row.locator('textarea').fill('{"min": 7, "max": 7}')
    await row.getByRole('button', { name: 'Execute' }).click()
    await row.locator('.live-responses-table').getByText('"random_number": 7').waitFor()
  },
})
