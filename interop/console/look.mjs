// What axe finds on each page, in both colour schemes, at a desk's and at a phone's width; and whether a phone must be
// scrolled sideways. With PICTURES it keeps what it saw there, a sheet for each page.
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
const seen = {} // pictures by page, in the order they were taken

/** Keeps what was seen of a page, in both colours and both widths, side by side. */
async function keep(name) {
  const { page, context } = await person({ width: 1600, height: 420 })
  await page.setContent(`<body style="margin:0;display:flex;gap:10px;background:#888">${seen[name].map(({ width, data }) => `<img width="${width / 2}" src="data:image/png;base64,${data}">`).join('')}</body>`)
  await page.waitForFunction(() => [...document.images].every((one) => one.complete))
  await page.screenshot({ path: `${folder}/${name}.jpg`, type: 'jpeg', quality: 80, fullPage: false })
  await context.close()
}

const steps = {}
for (const scheme of ['light', 'dark']) {
  for (const width of [1200, 360]) {
    steps[`${scheme}, ${width} pixels wide`] = async () => {
      const { page, context } = await person({ scheme, width, height: width === 360 ? 780 : 800, motion: 'reduce' })
      const look = async (name) => {
        assert.deepEqual(await violations(page), [], name)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.ok(wide <= width, `${name} is ${wide} pixels wide`)
        const cut = await page.evaluate(() => [...document.querySelectorAll('.mantine-Button-label')].filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent))
        assert.deepEqual(cut, [], `${name} cuts off what stands on buttons`)
        if (folder) (seen[name] ??= []).push({ width, data: (await page.screenshot()).toString('base64') })
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
if (folder) steps['what was seen is kept'] = async () => {
  for (const name of Object.keys(seen)) await keep(name)
}
await walk(steps)
