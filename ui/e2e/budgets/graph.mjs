// How a run's page bears many tasks: graphs of 10,000 in three shapes. The runs are real: they are submitted to the server like any
// other. They are made of importers, which run no process; the server still takes half a minute for them, so they are kept.
//   TASKS   how many tasks each graph has, by default 10,000
import { setTimeout as delay } from 'node:timers/promises'
import { call, until } from '../api.mjs'
import { freshPage, longTasks, median } from './measure.mjs'
import { chain, fanOut, layered } from './shapes.mjs'

const count = Number(process.env.TASKS ?? 10_000)
const rounds = 3

export const kept = `graphs-${count}`

/** Runs a graph of each shape, and returns the ids of the runs by the names of the shapes. */
export async function make(base) {
  const ids = {}
  for (const [name, shape] of Object.entries({ 'fan-out': fanOut, chain, layers: layered })) ids[name] = await finished(base, shape(count), `${name} of ${count}`)
  return ids
}

/** Measures; the answer has a line for each budget. */
export async function measure({ browser, base, made }) {
  const results = []
  for (const [name, id] of Object.entries(made)) {
    const opened = []
    for (let i = 0; i < rounds; i++) opened.push(await open(browser, base, id))
    const of = (key) => opened.map((o) => o[key])
    results.push({ name: `Graph of ${count} tasks (${name}): laid out and interactive`, value: median(of('took')), all: of('took'), unit: 'ms', budget: 1500 })
    // The same without what other programs did to the machine meanwhile, and without the server.
    results.push({ name: `Graph of ${count} tasks (${name}): processor time of the page until then`, value: median(of('processor')), all: of('processor'), unit: 'ms', budget: 1500 })
    results.push({ name: `Graph of ${count} tasks (${name}): longest task while it is moved and zoomed`, value: await moves(browser, base, id), unit: 'ms', budget: 100 })
  }
  return results
}

async function finished(base, spec, display_name) {
  const { id } = await call(base, '/runs', { body: { spec, display_name, cache: false } })
  const run = await until(async () => {
    await delay(500)
    return call(base, `/runs/${id}`)
  }, (r) => r.finished_at)
  if (run.state !== 'SUCCEEDED') throw new Error(`the run ${display_name} is ${run.state}: ${run.failure?.message}`)
  return id
}

/** Milliseconds from the beginning of the page until boxes are drawn and the graph has followed a key, and how much of it the page worked. */
async function open(browser, base, id) {
  const { page, complaints, close } = await freshPage(browser, base)
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.goto(`${base}/runs/${id}`, { waitUntil: 'commit' })
  const took = await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    let box
    while (!(box = document.querySelector('[data-path]'))) await frame()
    const stage = box.closest('[role=group]')
    const before = box.getBoundingClientRect().left
    stage.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))
    while (box.getBoundingClientRect().left === before) await frame()
    await frame()
    return performance.now()
  })
  const { metrics } = await session.send('Performance.getMetrics')
  await close()
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
  return { took, processor: metrics.find((m) => m.name === 'TaskDuration').value * 1000 }
}

/** The longest task while the graph is dragged, zoomed out to all of it, dragged there, and zoomed in again. */
async function moves(browser, base, id) {
  const { page, close } = await freshPage(browser, base)
  await page.goto(`${base}/runs/${id}`)
  await page.locator('[data-path]').first().waitFor()
  const stage = page.getByRole('group', { name: 'Graph of the tasks' })
  await stage.scrollIntoViewIfNeeded()
  await page.waitForTimeout(1000)
  const from = await page.evaluate(() => performance.now())
  const area = await stage.boundingBox()
  const drag = async () => {
    await page.mouse.move(area.x + area.width * 0.8, area.y + 300)
    await page.mouse.down()
    await page.mouse.move(area.x + area.width * 0.2, area.y + 60, { steps: 30 })
    await page.mouse.move(area.x + area.width * 0.7, area.y + 200, { steps: 20 })
    await page.mouse.up()
    await page.waitForTimeout(300)
  }
  const zoom = async (by) => {
    await page.keyboard.down('Control')
    for (let i = 0; i < 20; i++) await page.mouse.wheel(0, by)
    await page.keyboard.up('Control')
    await page.waitForTimeout(300)
  }
  await drag()
  await page.getByRole('button', { name: 'Show the whole graph' }).click()
  await page.waitForTimeout(300)
  await page.mouse.move(area.x + area.width / 2, area.y + 200)
  await zoom(-20)
  await drag()
  await zoom(-40)
  await drag()
  const worst = await longTasks(page, from)
  await close()
  return worst
}
