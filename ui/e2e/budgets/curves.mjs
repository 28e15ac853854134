// How long a hundred long curves take from the click to the picture. The points are put into the store as an import from an MLflow
// server does it: 100,000 a request.
//   CURVES_POINTS  points of each curve, by default 1,000,000
//   CURVES_RUNS    how many curves, by default 100
//   CURVES_ROUNDS  how often it is measured; each time in a browser that has nothing in its cache. By default 5
import { randomUUID } from 'node:crypto'
import { call } from '../api.mjs'
import { createExperiment } from '../seed.mjs'
import { freshPage, median } from './measure.mjs'

const points = Number(process.env.CURVES_POINTS ?? 1_000_000)
const runs = Number(process.env.CURVES_RUNS ?? 100)
const rounds = Number(process.env.CURVES_ROUNDS ?? 5)
const batch = 100_000
const began = 1_700_000_000_000

/** A loss as a program prints it: falling, with noise, four digits. */
function piece(run, first, n) {
  const times = Array.from({ length: n })
  const steps = Array.from({ length: n })
  const values = Buffer.alloc(8 * n)
  for (let i = 0; i < n; i++) {
    const step = first + i
    times[i] = began + step * 20 + Math.floor(Math.random() * 12)
    steps[i] = step
    values.writeDoubleLE(Math.round((1 / (1 + ((run % 7) + 1) * (step / points)) + Math.random() / 10 + run / 200) * 1e4) / 1e4, 8 * i)
  }
  return { key: 'loss', times, steps, values: values.toString('base64') }
}

export const kept = `curves-${runs}x${points}`

/** Logs the curves and returns the ids of their runs. */
export async function make(base) {
  const experiment_id = await createExperiment(base, 'long curves')
  const ids = Array.from({ length: runs }, () => randomUUID().replaceAll('-', ''))
  const rows = ids.map((id, r) => ({
    id,
    experiment_id,
    name: `run ${r}`,
    user_id: 'ada',
    status: 'FINISHED',
    start_ms: began,
    end_ms: began + points * 20,
    params: [{ key: 'lr', value: String(0.001 * (r + 1)) }],
  }))
  const { errors } = await call(base, '/imports/runs', { body: { runs: rows } })
  if (Object.keys(errors).length > 0) throw new Error(JSON.stringify(errors))
  for (const [r, run_id] of ids.entries()) {
    for (let first = 0; first < points; first += batch) {
      await call(base, '/imports/metrics', { body: { run_id, metrics: [piece(r, first, Math.min(batch, points - first))] } })
    }
  }
  return ids
}

/** Milliseconds from the click on "Curves" to the frame after the lines are drawn. */
async function once(browser, base, ids) {
  const { page, complaints, close } = await freshPage(browser, base)
  const address = new URLSearchParams([...ids.map((id) => ['run', id]), ['view', 'scatter']])
  await page.goto(`${base}/compare?${address}`)
  await page.locator('[data-point]').nth(ids.length - 1).waitFor()
  const took = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const tab = [...document.querySelectorAll('[role=tab]')].find((e) => e.textContent === 'Curves')
        const start = performance.now()
        const look = () => {
          const chart = document.querySelector('figure[data-drawn]')
          if (!chart) requestAnimationFrame(look)
          // The frame in which the chart was found drawn is shown when the next one begins.
          else requestAnimationFrame(() => resolve(performance.now() - start))
        }
        tab.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, button: 0 }))
        tab.click()
        look()
      }),
  )
  const [answer] = await page.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/api/v1/curves')).map((e) => e.duration))
  const lines = Number(await page.locator('figure[data-drawn]').first().getAttribute('data-drawn'))
  if (lines !== ids.length) throw new Error(`${lines} curves were drawn, want ${ids.length}`)
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
  await close()
  return { took, answer }
}

export async function measure({ browser, base, made }) {
  const all = []
  for (let i = 0; i < rounds; i++) all.push(await once(browser, base, made))
  const what = `${made.length} curves of ${points.toLocaleString('en-GB')} points`
  const of = (key) => ({ value: median(all.map((a) => a[key])), all: all.map((a) => a[key]), unit: 'ms' })
  return [
    { name: `${what}, from the click until they are drawn`, ...of('took'), budget: 500 },
    { name: `${what}, of that the server's answer`, ...of('answer') },
  ]
}
