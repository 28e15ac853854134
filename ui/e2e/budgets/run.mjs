// Measures the web interface in a real browser against real servers, and compares it with its budgets: prints a table, writes it to
// bench/out/ui.json and ui.md, and fails when a budget is exceeded.
//   LEVADA_BIN         the program, by default ../bin/levada
//   LEVADA_BENCH_DATA  a data directory with many runs; `make bench-ui` makes one with a million
//   ONLY               names of the parts to measure, separated by commas: load, runs, graph, curves
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { launch } from '../browser.mjs'
import { dataDirectory, removeDirectory, start, stop } from '../server.mjs'

/** The parts, and whether they look at the many runs or at a server of their own. */
const parts = [
  { name: 'load', many: true },
  { name: 'runs', many: true },
  { name: 'graph', many: false },
  { name: 'curves', many: false },
]

const out = fileURLToPath(new URL('../../../bench/out/', import.meta.url))
const many = process.env.LEVADA_BENCH_DATA
const only = process.env.ONLY?.split(',')

async function part({ name, many: onMany }) {
  const file = new URL(`${name}.mjs`, import.meta.url)
  if ((only && !only.includes(name)) || !existsSync(file)) return []
  const { measure } = await import(file)
  const data = onMany && many ? many : await dataDirectory()
  const { server, url } = await start(data)
  const browser = await launch()
  try {
    console.error(`measuring: ${name}`)
    return await measure({ browser, base: url })
  } finally {
    await browser.close()
    await stop(server)
    if (data !== many) await removeDirectory(data)
  }
}

const round = (n) => (n >= 100 ? Math.round(n) : Math.round(n * 10) / 10)
const range = (all) => (all?.length > 1 ? `${round(Math.min(...all))} to ${round(Math.max(...all))}` : '')

function table(results) {
  const rows = results.map((r) => [r.name, `${round(r.value)} ${r.unit}`, range(r.all), `${round(r.budget)} ${r.unit}`, r.value <= r.budget ? 'yes' : 'NO'])
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
busy.push(loadavg()[0])
const processors = cpus().length
// Times are worth little on a machine that does something else meanwhile.
const text = `${table(results)}\n\n${processors} processors; load before ${busy[0].toFixed(1)}, after ${busy[1].toFixed(1)}`
console.log(text)
await mkdir(out, { recursive: true })
const measured = results.map((r) => ({ ...r, kept: r.value <= r.budget }))
await writeFile(`${out}ui.json`, `${JSON.stringify({ at: new Date().toISOString(), processors, load: busy, processor: cpus()[0]?.model, results: measured }, undefined, 2)}\n`)
await writeFile(`${out}ui.md`, `${text}\n`)
process.exit(!broken && measured.every((r) => r.kept) ? 0 : 1)
