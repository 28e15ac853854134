// How a run's page bears a run of 1,000 steps while it goes on: how long the page is busy at a time, and how late changes are on the screen.
//   STEPS   how many steps the run has, by default 1,000
import { setTimeout as delay } from 'node:timers/promises'
import { call, until } from '../api.mjs'
import { freshPage, longTasks } from './measure.mjs'
import { graphOfSteps } from './shapes.mjs'

const steps = Number(process.env.STEPS ?? 1000)
const share = (list, part) => list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))]

/** Opens a run of many steps as it begins, and notes when each state that is in sight came on the screen. */
export async function measure({ browser, base }) {
  const { page, complaints, close } = await freshPage(browser, base)
  const { id } = await call(base, '/runs', { body: { spec: graphOfSteps(steps), display_name: `${steps} steps`, cache: false } })
  await page.goto(`${base}/runs/${id}`)
  await page.locator('[data-path]').first().waitFor()
  await page.evaluate(() => {
    window.seen = []
    new MutationObserver((changes) => {
      const found = changes.filter((c) => c.attributeName === 'data-state' && c.target.dataset.path).map((c) => ({ path: c.target.dataset.path, state: c.target.dataset.state }))
      // What was changed is on the screen with the next frame.
      if (found.length > 0) requestAnimationFrame(() => window.seen.push(...found.map((f) => ({ ...f, at: Date.now() }))))
    }).observe(document.querySelector('main'), { subtree: true, attributes: true, attributeFilter: ['data-state'] })
    window.liveSince = performance.now()
  })
  const run = await until(async () => {
    await delay(500)
    return call(base, `/runs/${id}`)
  }, (r) => r.finished_at)
  await page.waitForTimeout(500)
  const { seen, since } = await page.evaluate(() => ({ seen: window.seen, since: window.liveSince }))
  const worst = await longTasks(page, since)
  const { tasks } = await call(base, `/runs/${id}/tasks`)
  const byPath = new Map(tasks.map((t) => [t.path, t]))
  const late = seen.flatMap(({ path, state, at }) => {
    const task = byPath.get(path)
    const happened = state === 'RUNNING' ? task?.started_at : state === 'SUCCEEDED' ? task?.finished_at : undefined
    return happened ? [at - Date.parse(happened)] : []
  })
  await close()
  if (run.state !== 'SUCCEEDED') throw new Error(`the run is ${run.state}: ${run.failure?.message}`)
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
  if (late.length < 20) throw new Error(`only ${late.length} changes were in sight`)
  return [
    { name: `Run of ${steps} steps while it goes on: longest task`, value: worst, unit: 'ms', budget: 200 },
    { name: `Run of ${steps} steps: a change is on the screen after (95 of 100; ${late.length} changes)`, value: share(late, 0.95), all: [share(late, 0.5), share(late, 0.95), Math.max(...late)], unit: 'ms', budget: 200 },
  ]
}
