// How much script the first page needs, and how soon it can be used where the processor is four times slower.
import { gzipSync } from 'node:zlib'
import { emptyPage } from './empty.mjs'
import { freshPage, interactive, median, several } from './measure.mjs'

const rounds = 7
/** What is in every row of the list of runs. */
const row = 'a[href^="/runs/"]'

export async function measure({ browser, base }) {
  const scripts = new Set()
  const first = await freshPage(browser, base)
  first.page.on('response', (r) => {
    if (new URL(r.url()).pathname.endsWith('.js')) scripts.add(r.url())
  })
  await first.page.goto(`${base}/runs`)
  await first.page.locator(row).first().waitFor()
  await first.close()
  let size = 0
  for (const url of scripts) size += gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length
  const slowly = async (url) => {
    const { page, close } = await freshPage(browser, base, { slow: 4 })
    await page.goto(url, { waitUntil: 'commit' })
    const took = await interactive(page, row)
    await close()
    return took
  }
  const empty = await emptyPage()
  const least = []
  // In turns, so that both see the same machine.
  const soon = await several(rounds, async () => {
    least.push(await slowly(empty.url))
    return slowly(`${base}/runs`)
  })
  empty.close()
  return [
    { name: 'First load: JavaScript, gzip', value: size / 1000, unit: 'kB', budget: 250 },
    { name: 'First load: interactive, processor 4 times slower', ...soon, unit: 'ms', budget: 1000 },
    { name: 'First load: the same of a page of React with one link', value: median(least), all: least, unit: 'ms' },
  ]
}
