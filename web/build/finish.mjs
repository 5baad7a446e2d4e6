// Compresses what Vite has built, once and well, drops the plain files, and says how much a first visit loads. Over the
// budget, the build fails.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const budget = 350 * 1024
const dist = new URL('../dist/', import.meta.url).pathname

const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'))
rmSync(join(dist, '.vite'), { recursive: true })

const gzipped = new Map()
for (const name of readdirSync(join(dist, 'assets'))) {
  const path = join(dist, 'assets', name)
  if (!statSync(path).isFile()) continue
  const data = readFileSync(path)
  const gz = gzipSync(data, { level: 9 })
  const br = brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } })
  writeFileSync(`${path}.gz`, gz)
  writeFileSync(`${path}.br`, br)
  rmSync(path)
  gzipped.set(`assets/${name}`, { gz: gz.length, br: br.length })
}
writeFileSync(join(dist, '.keep'), '')

/** A chunk's files, and those of all that it imports before it runs. */
function filesOf(key, seen = new Set()) {
  const chunk = manifest[key]
  if (!chunk || seen.has(chunk.file)) return seen
  seen.add(chunk.file)
  for (const style of chunk.css ?? []) seen.add(style)
  for (const asset of chunk.assets ?? []) seen.add(asset)
  for (const one of chunk.imports ?? []) filesOf(one, seen)
  return seen
}

const sum = (files, kind) => [...files].reduce((total, file) => total + (gzipped.get(file)?.[kind] ?? 0), 0)
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`

const first = filesOf('index.html')
const page = statSync(join(dist, 'index.html')).size
const form = new Set([...filesOf('src/pages/Tool.tsx'), ...filesOf('src/forms/SchemaForm.tsx')].filter((file) => !first.has(file)))
const load = sum(first, 'gz') + page
console.log(`first load of the console   ${kib(load)} gzipped, ${kib(sum(first, 'br') + page)} with brotli, of ${kib(budget)}`)
console.log(`a tool with its form        ${kib(sum(form, 'gz'))} gzipped more`)
console.log(`the REST API's page         ${kib(sum(filesOf('docs/index.html'), 'gz'))} gzipped, by itself`)
if (load > budget) {
  console.error('the first load is over the budget')
  process.exit(1)
}
