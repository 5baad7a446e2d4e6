// A person without a mouse: everything is reached by Tab, done by Enter and Space, and where the keyboard is can be seen.
import { assert, card, person, walk } from './browser.mjs'
import { base } from './people.mjs'

const { page } = await person()
const focused = () => page.evaluate(() => (document.activeElement?.textContent || document.activeElement?.getAttribute('aria-label') || document.activeElement?.tagName || '').trim())

/** Tabs until the focus is on something of that text, and sees it at each stop. */
async function tabTo(text, key = 'Tab') {
  for (let stops = 0; stops < 60; stops++) {
    await page.keyboard.press(key)
    const seen = await page.evaluate(() => {
      const at = document.activeElement
      if (!at || at === document.body) return true
      // A box that is drawn for an input shows the focus of the input within.
      const boxes = [at, at.nextElementSibling, at.parentElement].filter(Boolean).map((one) => getComputedStyle(one))
      return boxes.some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)
    })
    const now = await focused()
    assert.ok(seen, `the focus on “${now}” cannot be seen`)
    if (text.test(now)) return
  }
  assert.fail(`the keyboard does not reach ${text}`)
}

await walk({
  'the first stop leads past the menu': async () => {
    await page.goto(base + '/')
    await page.getByRole('link', { name: /Reverse text/ }).waitFor()
    await page.keyboard.press('Tab')
    assert.equal(await focused(), 'Skip to the page')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main')
  },
  'a tool is reached and opened, and its title is where one goes on': async () => {
    await tabTo(/Reverse text/)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Reverse text', level: 1 }).waitFor()
    await page.waitForFunction(() => document.activeElement?.tagName === 'H1')
    await page.getByLabel('query').waitFor()
  },
  'the form is filled in and sent': async () => {
    for (let stops = 0; stops < 10 && (await page.evaluate(() => document.activeElement?.tagName)) !== 'TEXTAREA'; stops++) await page.keyboard.press('Tab')
    await page.keyboard.type('drawer')
    await tabTo(/^Call$/)
    await page.keyboard.press('Enter')
    await card(page).getByRole('progressbar').waitFor()
  },
  'progress is told to whoever does not see the bar': async () => {
    await page.waitForFunction(() => [...document.querySelectorAll('[role=status]')].some((one) => /Reverse text: (25|50|75) percent/.test(one.textContent ?? '')))
  },
  'the call is cancelled': async () => {
    await tabTo(/^Cancel/)
    await page.keyboard.press('Space')
    await card(page).getByText('Cancelled', { exact: true }).waitFor()
    await page.waitForFunction(() => [...document.querySelectorAll('[role=status]')].some((one) => one.textContent === 'Reverse text: Cancelled'))
  },
  'Control and Enter send a form from within a field': async () => {
    await page.getByLabel('query').focus()
    await page.keyboard.press('Control+Enter')
    await card(page).getByRole('progressbar').waitFor()
  },
  'the menu leads everywhere': async () => {
    for (const [link, heading] of [['Calls', 'Calls'], ['Resources', 'Resources'], ['Who am I', 'Who am I'], ['Connect a client', 'Connect a client'], ['Settings', 'Settings']]) {
      await page.goto(base + '/')
      await page.getByRole('link', { name: /Reverse text/ }).waitFor()
      await tabTo(new RegExp(`^${link}$`))
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: heading, level: 1 }).waitFor()
    }
  },
  'colours are chosen by arrow keys, and stay': async () => {
    for (let stops = 0; stops < 30 && (await page.evaluate(() => document.activeElement?.getAttribute('type'))) !== 'radio'; stops++) await page.keyboard.press('Tab')
    await page.keyboard.press('ArrowLeft')
    await page.waitForFunction(() => document.documentElement.dataset.mantineColorScheme === 'dark')
    await page.reload()
    await page.waitForFunction(() => document.documentElement.dataset.mantineColorScheme === 'dark')
  },
})
