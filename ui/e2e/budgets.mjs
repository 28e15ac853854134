// The budgets of the web interface in a short form: what does not depend on how fast the machine is, and processor time with much room, which a
// busy machine keeps to as well. `make bench-ui` measures the real ones (docs/performance.md).
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 60
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { call, until } from './api.mjs'
import { launch, openPage, settled } from './browser.mjs'
import { layered, oneTask } from './budgets/shapes.mjs'
import { createExperiment } from './seed.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 60) * 1000

let browser
/** What the screens are opened with. */
let made

before(async () => {
  browser = await launch()
  made = await fill()
})

after(() => browser?.close())

/** More runs than a page of the list holds, an experiment of 1,000 tracked runs, and a run of 500 tasks. */
async function fill() {
  const name = `budgets ${Date.now()}`
  const experiment = await createExperiment(base, name)
  const rows = Array.from({ length: 1000 }, (_, i) => ({
    id: randomUUID().replaceAll('-', ''),
    experiment_id: experiment,
    name: `row ${i}`,
    user_id: 'ada',
    status: 'FINISHED',
    start_ms: 1_700_000_000_000 + i,
    end_ms: 1_700_000_001_000 + i,
    params: [{ key: 'lr', value: String(i) }],
  }))
  const { errors } = await call(base, '/imports/runs', { body: { runs: rows } })
  assert.deepEqual(errors, {})
  const ids = []
  for (let i = 0; i < 120; i++) ids.push((await call(base, '/runs', { body: { spec: oneTask('small'), display_name: `${name} ${i}`, cache: i > 0 } })).id)
  ids.push((await call(base, '/runs', { body: { spec: layered(500), display_name: `${name} graph`, cache: false } })).id)
  for (const id of ids) {
    const run = await until(
      () => call(base, `/runs/${id}`),
      (r) => r.finished_at,
    )
    assert.equal(run.state, 'SUCCEEDED')
  }
  return { experiment, tracked: rows[0].id, graph: ids.at(-1) }
}

/** Opens a screen as a browser does that has nothing in its cache. Notes what it asks the server for, and how many milliseconds it works. */
async function open(path, shown) {
  const { page, complaints } = await openPage(browser, base)
  page.setDefaultTimeout(patience)
  const asked = []
  const scripts = []
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (url.pathname.startsWith('/api/')) asked.push(url.pathname.replace('/api/v1', '') + url.search)
    if (url.pathname.endsWith('.js')) scripts.push(request.url())
  })
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.goto(base + path)
  await shown(page).first().waitFor()
  const { metrics } = await session.send('Performance.getMetrics')
  const took = metrics.find((m) => m.name === 'TaskDuration').value * 1000
  await settled(page)
  return {
    page,
    asked,
    scripts,
    took,
    close: async () => {
      assert.deepEqual(complaints, [])
      await page.context().close()
    },
  }
}

const sizeOf = async (urls) => {
  let size = 0
  for (const url of new Set(urls)) size += gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length
  return size
}

const elements = (page) => page.evaluate(() => document.querySelectorAll('*').length)

const row = (page) => page.locator('a[href^="/runs/"]')

test('the list of runs loads at most 250 kB of script in few files, and shows its first rows soon', async () => {
  const { scripts, took, page, close } = await open('/runs', row)
  const size = await sizeOf(scripts)
  assert.ok(size <= 250_000, `${size} bytes of script, gzip`)
  assert.ok(scripts.length <= 6, `the first page needs ${scripts.length} scripts: ${scripts.join(', ')}`)
  assert.ok(took <= 2000, `the page worked for ${took} ms until its first rows were there`)
  const first = await page.evaluate(() => document.querySelector('script[src*="/assets/index-"]').src)
  assert.match(await (await fetch(first)).text(), /^\/\/# allFunctionsCalledOnLoad\n/, 'the functions of the first page are compiled while it loads')
  await close()
})

/** What every screen asks besides: the version, the stream of changes, and where a screen names experiments, these. */
const shared = /^\/(info|changes\?|experiments\?page_size=200&archived=any)/

// What is alive is told of by a stream: that of a run brings all its tasks with it. Of a run that has ended it is asked whether it still has.
const screens = [
  { path: () => '/', shown: (p) => p.getByRole('heading', { name: 'Home', level: 1 }), asks: [/^\/home$/] },
  { path: () => '/runs', shown: row, asks: [/^\/runs\?page_size=100&fields=true$/] },
  { path: ({ graph }) => `/runs/${graph}`, shown: (p) => p.locator('[data-path]'), asks: [/^\/runs\/[^/]+\/events$/, /^\/runs\/[^/]+$/] },
  { path: () => '/experiments', shown: (p) => p.locator('a[href^="/experiments/"]'), asks: [/^\/experiment/] },
  { path: () => '/models', shown: (p) => p.getByRole('heading', { name: 'Models', level: 1 }), asks: [/^\/models/] },
  { path: () => '/recurring-runs', shown: (p) => p.getByRole('heading', { name: 'Recurring runs', level: 1 }), asks: [/^\/recurring-runs/] },
  { path: () => '/triggers', shown: (p) => p.getByRole('heading', { name: 'Triggers', level: 1 }), asks: [/^\/triggers\?page_size=50$/] },
]

test('each screen asks once for what it shows, and nothing more while nothing happens', async () => {
  const opened = []
  for (const { path, shown, asks } of screens) {
    const screen = await open(path(made), shown)
    opened.push(screen)
    const own = screen.asked.filter((url) => !shared.test(url))
    assert.equal(own.length, asks.length, `${path(made)} asked for ${own.join(', ')}`)
    for (const [i, wanted] of asks.entries()) assert.match(own[i], wanted)
  }
  for (const { asked } of opened) asked.length = 0
  await delay(5000)
  for (const { asked, close } of opened) {
    assert.deepEqual(asked, [])
    await close()
  }
})

test('a long list has only the rows in sight in the page', async () => {
  for (const [path, shown] of [
    ['/runs', row],
    [`/experiments/${made.experiment}`, (p) => p.locator('a[href^="/tracked-runs/"]')],
  ]) {
    const { page, took, close } = await open(path, shown)
    assert.ok(took <= 2000, `${path} worked for ${took} ms`)
    const n = await elements(page)
    assert.ok(n <= 2000, `${path} has ${n} elements`)
    await page.mouse.move(640, 500)
    for (let i = 0; i < 10; i++) await page.mouse.wheel(0, 600)
    await settled(page)
    const later = await elements(page)
    assert.ok(later <= 2000, `${path} has ${later} elements after it was scrolled`)
    await close()
  }
})

test('a graph of 500 tasks has only the boxes in sight in the page', async () => {
  const { page, took, close } = await open(`/runs/${made.graph}`, (p) => p.locator('[data-path]'))
  assert.ok(took <= 2000, `the page worked for ${took} ms`)
  const n = await elements(page)
  assert.ok(n <= 2500, `${n} elements`)
  await close()
})

/** Milliseconds from the click on a room of the navigation to the frame with its heading. */
const opened = (page, room) =>
  page.evaluate(
    (name) =>
      new Promise((resolve) => {
        const start = performance.now()
        const look = () => {
          if (document.querySelector('h1')?.textContent === name) resolve(performance.now() - start)
          else requestAnimationFrame(look)
        }
        document.querySelector(`nav a[href="/${name.toLowerCase()}"]`).click()
        look()
      }),
    room,
  )

// React's own lazy would show no page sooner than 300 ms after it began to load it, on any machine: the quickest of them tells.
test('a page that is opened for the first time is there at once', async () => {
  const { page, close } = await open('/runs', row)
  const took = []
  for (const room of ['Models', 'Pipelines', 'Artifacts', 'Triggers', 'System']) took.push(await opened(page, room))
  assert.ok(Math.min(...took) <= 250, `pages were there after ${took.map(Math.round).join(', ')} ms`)
  await close()
})

test('the end of a run is on the screen within a second', async () => {
  const { page, close } = await open('/runs', row)
  const late = []
  // The quickest of a few tells of the page; the others tell of what else the machine does.
  for (let i = 0; i < 5 && !late.some((ms) => ms <= 1000); i++) {
    const name = `seen ${randomUUID()}`
    const { id } = await call(base, '/runs', { body: { spec: oneTask('seen'), display_name: name, cache: false } })
    await page.getByRole('row').filter({ hasText: name }).locator('[data-state=SUCCEEDED]').waitFor()
    const seen = Date.now()
    late.push(seen - Date.parse((await call(base, `/runs/${id}`)).finished_at))
  }
  assert.ok(Math.min(...late) <= 1000, `ends were seen ${late.join(', ')} ms after they happened`)
  await close()
})
