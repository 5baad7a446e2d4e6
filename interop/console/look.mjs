// What axe finds on each page, in both colour schemes, at a desk's and at a phone's width; and whether a phone must be
// scrolled sideways. With PICTURES it keeps what it saw there.
import { mkdirSync } from 'node:fs'
import { assert, card, person, reverse, violations, walk } from './browser.mjs'
import { base, provider, second, signIn } from './people.mjs'

// Each page, and what is there once it is whole.
const pages = {
  tools: ['/', '.offer'],
  tool: ['/tools/reverse_tool', 'textarea'],
  form: ['/tools/convert_time', 'input[type=text]'],
  calls: ['/calls', 'article.card'],
  resources: ['/resources?uri=time%3A%2F%2Fcurrent', 'pre.code'],
  me: ['/me', '.panel'],
  connect: ['/connect', 'pre.code'],
  settings: ['/settings', '.panel'],
}
const folder = process.env.PICTURES
if (folder) mkdirSync(folder, { recursive: true })

const steps = {}
for (const scheme of ['light', 'dark']) {
  for (const width of [1200, 360]) {
    steps[`${scheme}, ${width} pixels wide`] = async () => {
      const { page, context } = await person({ scheme, width, height: width === 360 ? 780 : 800, motion: 'reduce' })
      const look = async (name) => {
        assert.deepEqual(await violations(page), [], name)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.ok(wide <= width, `${name} is ${wide} pixels wide`)
        if (folder) await page.screenshot({ path: `${folder}/${name}-${scheme}-${width}.png` })
      }
      if (provider) {
        await page.goto(base + '/?sign_in_error=another_browser')
        await page.getByRole('link', { name: /^Sign in/ }).waitFor()
        await look('signed-out-error')
        await page.goto(base + '/')
        await page.getByRole('link', { name: /^Sign in/ }).waitFor()
        await look('signed-out')
        await signIn(page, second)
      }
      await page.goto(base + pages.tool[0])
      await reverse(page, 'stressed')
      await card(page).getByRole('progressbar').waitFor()
      await look('running')
      await card(page).getByText('Done', { exact: true }).waitFor()
      for (const [name, [path, there]] of Object.entries(pages)) {
        await page.goto(base + path)
        await page.getByRole('heading', { level: 1 }).waitFor()
        await page.locator(there).first().waitFor()
        if (name === 'calls') {
          await card(page).getByRole('button', { name: /^Show/ }).click()
          await card(page).getByText('desserts').first().waitFor()
        }
        if (name === 'me' && provider) await page.getByRole('button', { name: 'Show the claims' }).click()
        await look(name)
        if (name === 'form') {
          await page.getByRole('button', { name: 'Call', exact: true }).click()
          await page.getByText('is needed').first().waitFor()
          await look('form-faults')
          await page.getByText('JSON', { exact: true }).click()
          await page.getByLabel('Arguments as JSON').waitFor()
          await look('form-json')
        }
      }
      if (width === 360) {
        await page.getByRole('button', { name: 'Menu' }).click()
        await look('menu')
      }
      await page.goto(base + '/settings')
      await page.getByLabel('Plain').check()
      await look('plain')
      await context.close()
    }
  }
}
await walk(steps)
