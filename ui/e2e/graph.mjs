// A run's page in a real browser: graph, timeline, finding a task, and where a failure is told. It starts runs of its own on a real
// server; local.mjs starts that.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds a run may take to end, by default 120
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'
import { fanOut } from './budgets/shapes.mjs'
import { graphPipeline, lastWords } from './graphPipeline.mjs'
import { hostile } from './seed.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000

let browser
let page
let complaints
let failed
let tasks

const ended = (r) => ['SUCCEEDED', 'FAILED', 'CANCELED'].includes(r.state)
const start = async (spec, display_name) => (await call(base, '/runs', { body: { spec, display_name, cache: false } })).id
const end = (id) => until(() => call(base, `/runs/${id}`), ended)
const stage = () => page.getByRole('group', { name: 'Graph of the tasks' })
const field = () => page.getByRole('combobox', { name: 'Find a task' })
const box = (path) => page.locator(`[data-path="${path}"]`)
const row = (name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
const param = (name) => new URL(page.url()).searchParams.getAll(name)

async function assertFine() {
  assert.deepEqual(await seriousFindings(page), [])
  assert.deepEqual(complaints.splice(0), [])
}

before(async () => {
  failed = await start(graphPipeline(), 'graph of a failure')
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(() => browser?.close())

test('the page shows the states as they change, and at the end the failed step’s last words without a click', async () => {
  await page.goto(`${base}/runs/${failed}`)
  await page.locator('[data-path="load"][data-state="SUCCEEDED"]').waitFor()
  await page.locator('[data-path="train"][data-state="FAILED"]').waitFor()
  await page.locator('header h1 ~ [data-state="FAILED"]').waitFor()
  const lines = page.getByRole('alert').getByRole('region', { name: 'Last lines of train' })
  await lines.getByText(lastWords).waitFor()
  assert.equal((await lines.innerText()).trim(), `Traceback (most recent call last):\n${lastWords}`)
  await end(failed)
  tasks = (await call(base, `/runs/${failed}/tasks`)).tasks
  assert.ok((await page.locator('[data-path="hostile"]').innerText()).includes('<img src=x'))
  assert.notEqual(await page.title(), 'ran')
  await assertFine()
})

test('groups are opened and closed, and the address holds it', async () => {
  await page.goto(`${base}/runs/${failed}`)
  const loop = page.getByRole('button', { name: 'Tasks of sweep' })
  await loop.focus()
  await page.keyboard.press('Enter')
  await box('sweep/0/score').waitFor()
  assert.deepEqual(param('open'), ['sweep'])
  await page.getByRole('button', { name: 'Tasks of prepare' }).click()
  await box('prepare/split').waitFor({ state: 'detached' })
  assert.deepEqual(param('close'), ['prepare'])
  await page.reload()
  await box('sweep/0/score').waitFor()
  assert.equal(await box('prepare/split').count(), 0)
  await assertFine()
})

test('keys move and zoom the graph; the place is in the address and is found again', async () => {
  await page.goto(`${base}/runs/${failed}`)
  await box('load').waitFor()
  const first = await box('load').boundingBox()
  await stage().focus()
  for (const key of ['ArrowRight', 'ArrowRight', '-']) await page.keyboard.press(key)
  // The address follows once the graph rests.
  await page.waitForFunction(() => {
    const zoom = Number(new URL(location.href).searchParams.get('at')?.split(',')[2])
    return Math.abs(document.querySelector('[data-path="load"]').getBoundingClientRect().width / 188 - zoom) < 0.01
  })
  const moved = await box('load').boundingBox()
  assert.ok(moved.width < first.width)
  await page.reload()
  await box('load').waitFor()
  const again = await box('load').boundingBox()
  for (const key of ['x', 'width']) assert.ok(Math.abs(again[key] - moved[key]) < 3, `${key}: ${again[key]} and ${moved[key]}`)
  await page.getByRole('button', { name: /^Lay out from/ }).click()
  assert.equal(param('dir').length, 1)
  await assertFine()
})

test('a task is found by its name with the keyboard, and the groups around it are opened', async () => {
  await page.goto(`${base}/runs/${failed}?close=sweep`)
  await field().fill('check')
  await page.getByRole('option').first().waitFor()
  assert.equal(await page.getByRole('option').count(), 8)
  assert.deepEqual(await seriousFindings(page), [])
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  const wanted = tasks.find((t) => t.path === 'sweep/1/check')
  await page.waitForURL((url) => url.pathname === `/runs/${failed}/tasks/${wanted.id}`)
  await box('sweep/1/check').waitFor()
  await page.getByRole('region', { name: 'Task check' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('region', { name: 'Task check' }).waitFor({ state: 'detached' })
  // What was opened to show the task stays open.
  await box('sweep/1/check').waitFor()
  assert.deepEqual(param('iteration'), ['sweep/1'])
  await field().fill('no such task')
  await page.getByText('No task is called so.').waitFor()
  await field().fill(hostile.slice(0, 12))
  await page.getByRole('option').filter({ hasText: '<img src=x' }).waitFor()
  await assertFine()
})

test('the timeline tells attempts and kinds of time apart, and marks the critical path', async () => {
  await page.goto(`${base}/runs/${failed}?view=timeline`)
  const flaky = row('flaky')
  await flaky.waitFor()
  const spans = await flaky.locator('[data-span]').evaluateAll((all) => all.map((e) => e.dataset.span))
  assert.equal(spans.filter((s) => s === 'running').length, 2)
  assert.ok(spans.includes('pause'))
  assert.match(await flaky.textContent(), /attempt 1 ran .* \(ExitError\)/)
  await row('load').getByText('on the critical path').waitFor({ state: 'attached' })
  const all = Number(await page.getByRole('table', { name: 'Tasks along the time' }).getAttribute('aria-rowcount'))
  await page.getByRole('checkbox', { name: /^Only the critical path/ }).check()
  assert.deepEqual(param('only'), ['critical'])
  await row('flaky').waitFor({ state: 'detached' })
  await row('load').waitFor()
  assert.ok(Number(await page.getByRole('table', { name: 'Tasks along the time' }).getAttribute('aria-rowcount')) < all)
  await assertFine()
})

test('a reused result is told apart in the timeline', async () => {
  const spec = graphPipeline({ failing: false, iterations: 2 })
  for (const name of ['to be reused', 'that reuses']) {
    const { id } = await call(base, '/runs', { body: { spec, display_name: name } })
    await end(id)
    await page.goto(`${base}/runs/${id}?view=timeline`)
  }
  await row('load').locator('[data-span=cached]').waitFor()
  await row('load').getByText('Cached', { exact: true }).waitFor({ state: 'attached' })
  await assertFine()
})

test('a fan-out of hundreds is one block of rows, and only what is in sight is in the page', async () => {
  const id = await start(fanOut(800), 'wide')
  assert.equal((await end(id)).state, 'SUCCEEDED')
  await page.goto(`${base}/runs/${id}`)
  await box('task-00000').waitFor()
  assert.ok((await page.locator('[data-path]').count()) < 500)
  await field().fill('task-00799')
  await page.keyboard.press('Enter')
  await box('task-00799').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Show the whole graph' }).click()
  await page.getByText('Point at a box for its name').waitFor()
  await page.locator('[data-path]').first().waitFor({ state: 'detached' })
  await assertFine()
})

test('addresses with nonsense show the run all the same', async () => {
  await page.goto(`${base}/runs/${failed}?at=1e9,NaN,0&open=gone&iteration=x&dir=up&only=this&close=%3Cscript%3E`)
  await box('load').waitFor()
  await page.goto(`${base}/runs/${failed}/tasks/gone?at=99999999,99999999,900`)
  await page.getByText('This run has no task gone').waitFor()
  await page.locator('canvas').waitFor()
  await assertFine()
})

test('a phone shows graph and timeline without being too narrow for them', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  for (const query of ['', '?view=timeline']) {
    await phone.page.goto(`${base}/runs/${failed}${query}`)
    await phone.page.getByRole('combobox', { name: 'Find a task' }).fill('score')
    await phone.page.getByRole('option').first().waitFor()
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0)
  }
  assert.deepEqual(phone.complaints, [])
})
