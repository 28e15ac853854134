// Data directories that are filled once and used by every measurement after that: what a server needs minutes to take in.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { start, stop } from '../server.mjs'

const cache = process.env.LEVADA_BENCH_CACHE ?? fileURLToPath(new URL('../../../.cache/bench-ui/', import.meta.url))
const notes = 'bench.json'

/**
 * The directory of a name, and what its making noted. Where there is none, make is given the address of a server with nothing in it; what
 * make returns is noted. The directory gets its name when it is whole: one that was interrupted is made again.
 */
export async function keptData(name, make) {
  const data = join(cache, name)
  if (!existsSync(data)) {
    console.error(`making ${name} (once)`)
    const began = Date.now()
    const part = `${data}.part`
    await rm(part, { recursive: true, force: true })
    await mkdir(part, { recursive: true })
    const { server, url } = await start(part)
    let made
    try {
      made = await make(url)
    } finally {
      await stop(server)
    }
    await writeFile(join(part, notes), JSON.stringify(made))
    await rename(part, data)
    console.error(`${name} is made, in ${Math.round((Date.now() - began) / 1000)} s`)
  }
  return { data, made: JSON.parse(await readFile(join(data, notes), 'utf8')) }
}
