// Measures the web interface in a real browser against real servers, and compares it with its budgets: prints a table, writes it to
// bench/out/ui.json and ui.md, and fails when a budget is exceeded.
//   LEVADA_BIN         the program, by default ../bin/levada
//   LEVADA_BENCH_DATA  a data directory with many runs; `make bench-ui` makes one with a million
//   ONLY               names of the parts to measure, separated by commas: load, runs, graph, live, curves
//   FILL=1             only make the data that is kept between measurements
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { launch } from '../browser.mjs'
import { dataDirectory, removeDirectory, start, stop } from '../server.mjs'
import { keptData } from './kept.mjs'

/** The parts, and whether they look at the many runs. The others have a server of their own, on data that is kept where they say so. */
const parts = [
  { name: 'load', many: true },
  { name: 'runs', many: true },
  { name: 'graph' },
  { name: 'live' },
  { name: 'curves' },
]

const out = fileURLToPath(new URL('../../../bench/out/', import.meta.url))
const many = process.env.LEVADA_BENCH_DATA
const only = process.env.ONLY?.split(',')
const fill = process.env.FILL === '1'

async function part(p) {
  if (only && !only.includes(p.name)) return []
  const { measure, kept, make } = await import(new URL(`${p.name}.mjs`, import.meta.url))
  const { data, made } = kept ? await keptData(kept, make) : { data: p.many && many ? many : undefined }
  return fill ? [] : measured(p.name, (server) => measure({ ...server, made }), data)
}

/** Measures with a server on data, or on an empty directory. */
async function measured(name, measure, data) {
  const own = data ?? (await dataDirectory())
  const { server, url } = await start(own)
  const browser = await launch()
  try {
    console.error(`measuring: ${name}`)
    return await measure({ browser, base: url })
  } finally {
    await browser.close()
    await stop(server)
    if (!data) await removeDirectory(own)
  }
}

const round = (n) => (n >= 100 ? Math.round(n) : Math.round(n * 10) / 10)
const range = (all) => (all?.length > 1 ? `${round(Math.min(...all))} to ${round(Math.max(...all))}` : '')

/** Whether a measurement keeps to its budget; one without a budget explains another. */
const keeps = (r) => r.budget === undefined || r.value <= r.budget

function table(results) {
  const rows = results.map((r) => [r.name, `${round(r.value)} ${r.unit}`, range(r.all), r.budget === undefined ? '' : `${round(r.budget)} ${r.unit}`, r.budget === undefined ? '' : keeps(r) ? 'yes' : 'NO'])
  const head = ['what', 'median', 'lowest to highest', 'budget', 'kept']
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((row) => row[i].length)))
  const line = (cells) => `| ${cells.map((c, i) => c.padEnd(widths[i])).join(' | ')} |`
  return [line(head), `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...rows.map(line)].join('\n')
}

const busy = [loadavg()[0]]
const results = []
let broken = false
for (const p of parts) {
  try {
    results.push(...(await part(p)))
  } catch (error) {
    broken = true
    console.error(`${p.name} could not be measured:`, error)
  }
}
if (fill) process.exit(broken ? 1 : 0)
busy.push(loadavg()[0])
const processors = cpus().length
// Times are worth little on a machine that does something else meanwhile.
const text = `${table(results)}\n\n${processors} processors; load before ${busy[0].toFixed(1)}, after ${busy[1].toFixed(1)}`
console.log(text)
await mkdir(out, { recursive: true })
const judged = results.map((r) => ({ ...r, kept: keeps(r) }))
await writeFile(`${out}ui.json`, `${JSON.stringify({ at: new Date().toISOString(), processors, load: busy, processor: cpus()[0]?.model, results: judged }, undefined, 2)}\n`)
await writeFile(`${out}ui.md`, `${text}\n`)
process.exit(!broken && judged.every((r) => r.kept) ? 0 : 1)
