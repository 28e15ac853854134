// Prints what a browser loads, and fails when the first page needs more script than it should.
import { readFile, readdir } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

const limit = 150 * 1024
const dist = new URL('../../internal/web/dist/', import.meta.url)
const index = await readFile(new URL('index.html', dist), 'utf8')
let entry = 0
for (const name of (await readdir(new URL('assets/', dist))).toSorted()) {
  const size = gzipSync(await readFile(new URL(`assets/${name}`, dist))).length
  const first = index.includes(name)
  if (first && name.endsWith('.js')) entry += size
  console.log(`${(size / 1024).toFixed(1).padStart(7)} KB gzip  ${name}${first ? '  (first page)' : ''}`)
}
console.log(`${(entry / 1024).toFixed(1).padStart(7)} KB gzip  script of the first page`)
if (entry > limit) {
  console.error(`The first page loads more than ${limit / 1024} KB of script. Load what it does not show lazily.`)
  process.exit(1)
}
