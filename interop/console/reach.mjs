// What a script in the page can reach, and what the browser was ever sent: storage, cookies, every answer with its
// headers, and every text on the heap. None of it is a token, and none is the session's cookie.
import { assert, card, person, reverse, walk } from './browser.mjs'
import { base, second, signIn } from './people.mjs'

const self = await person()
const { page, context, seen } = self
// A signed token has a header, which is JSON and so begins like this.
const token = /eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/
const texts = []

await walk({
  'somebody signs in, calls, and looks at every page': async () => {
    await page.goto(base + '/tools/reverse_tool')
    await signIn(page, second)
    await reverse(page, 'nothing to see')
    await card(page).getByText('ees ot gnihton').first().waitFor()
    for (const [path, there] of [['/calls', 'article.card'], ['/resources?uri=time%3A%2F%2Fcurrent', 'pre.code'], ['/connect', 'pre.code'], ['/settings', '.panel'], ['/me', 'dl']]) {
      await page.goto(base + path)
      await page.locator(there).first().waitFor()
    }
    await page.getByRole('button', { name: 'Show the claims' }).click()
  },
  'storage and cookies': async () => {
    const reached = await page.evaluate(async () => ({
      local: { ...localStorage },
      session: { ...sessionStorage },
      cookies: document.cookie,
      databases: (await indexedDB.databases()).map((one) => one.name),
      caches: 'caches' in window ? await caches.keys() : [],
      workers: (await navigator.serviceWorker.getRegistrations()).length,
      name: window.name,
      history: JSON.stringify(history.state),
    }))
    assert.equal(reached.cookies, '')
    assert.deepEqual(reached.databases, [])
    assert.deepEqual(reached.caches, [])
    assert.equal(reached.workers, 0)
    texts.push(['storage', JSON.stringify(reached)])
  },
  'every answer': async () => {
    assert.ok(seen.answers.length > 10)
    for (const answer of seen.answers) {
      const { 'set-cookie': cookie, ...headers } = await answer.allHeaders()
      texts.push([answer.url(), JSON.stringify(headers)])
      if (cookie) assert.match(cookie, /HttpOnly/i, `${answer.url()} sets a cookie that scripts can read`)
      if (answer.status() >= 300 || answer.url().endsWith('/events')) continue
      texts.push([answer.url(), await answer.text().catch(() => '')])
    }
  },
  'the heap': async () => {
    const devtools = await context.newCDPSession(page)
    const chunks = []
    devtools.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => chunks.push(chunk))
    await devtools.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
    const heap = chunks.join('')
    assert.ok(heap.includes(second.name), 'the snapshot does not hold what the page shows')
    texts.push(['the heap', heap])
  },
  'none of it is a token or the session': async () => {
    const secrets = (await context.cookies(base)).filter((one) => one.name.startsWith('fastmcp-auth-')).map((one) => one.value)
    assert.equal(secrets.length, 2) // the session's, and the one that says which it is
    for (const [where, text] of texts) {
      assert.ok(!token.test(text), `${where} holds ${token.exec(text)?.[0].slice(0, 12)}…`)
      for (const secret of secrets) assert.ok(!text.includes(secret), `${where} holds the session's cookie`)
      assert.doesNotMatch(text, /"(access|refresh|id)_token"\s*:/, where)
    }
  },
  'signing out takes no token along either': async () => {
    const from = seen.answers.length
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
    await page.waitForURL((url) => !url.href.startsWith(base + '/me'))
    const answer = seen.answers.slice(from).find((one) => one.url().includes('/console/sign-out'))
    assert.ok(answer)
    assert.ok(!token.test(JSON.stringify(await answer.allHeaders())))
  },
})
