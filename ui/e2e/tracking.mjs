// Drives the screens of experiments, tracked runs and models on a real server, with runs that seed.mjs logs as MLflow's
// client does.
//   LEVADA_URL       the server; run.mjs has started pipelines there
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 60
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, succeed, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage, settled } from './browser.mjs'
import { createExperiment, createRun, finish, hostile, logCurves, seed } from './seed.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 60) * 1000
const name = `delays ${Date.now()}`

let browser
let page
let complaints
let seeded
let pipelineRun
let requests = []

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !['frame is sandboxed', ...expected].some((e) => c.includes(e))), [])
const row = (id) => page.locator(`tr[data-run="${id}"]`)
const filter = () => page.getByRole('combobox', { name: 'Filter' })
const query = () => new URL(page.url()).searchParams
const asked = (part) => requests.filter((r) => r.includes(part))
const tables = () => asked('/tracked-runs?')
const names = () => page.locator('tr[data-run] th a').allInnerTexts()

before(async () => {
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
  page.on('request', (r) => requests.push(r.url()))
  seeded = await seed(base, name)
  pipelineRun = await succeed(base, 'succeeding', 'a pipeline in the browser')
})

after(() => browser?.close())

const experiment = (more = '') => `${base}/experiments/${seeded.experiment}${more}`

test('an experiment is found and opened with the keyboard', async () => {
  await page.goto(base)
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Experiments' }).focus()
  await page.keyboard.press('Enter')
  await page.getByLabel('Name contains').fill(name)
  await page.getByRole('link', { name, exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name }).waitFor()
  await row(seeded.sweep.run_id).waitFor()
  quiet()
})

test('a table is one request, and runs lie beneath the run that started them', async () => {
  requests = []
  await page.goto(experiment())
  await row(seeded.sweep.run_id).waitFor()
  await settled(page)
  assert.equal(tables().filter((r) => !r.includes('parent=')).length, 1, tables().join('\n'))
  assert.equal(await row(seeded.runs[0].run_id).count(), 0)
  await page.getByRole('button', { name: 'Runs beneath sweep' }).focus()
  await page.keyboard.press('Enter')
  await row(seeded.runs[0].run_id).waitFor()
  assert.equal(tables().filter((r) => r.includes('parent=')).length, 1)
  assert.equal(await row(seeded.failed.run_id).locator('th a').innerText(), hostile)
  assert.equal(await page.title(), `${name} – Levada`)
  quiet()
})

test('a filter is completed, applied and in the address; what is wrong with it stands below it', async () => {
  await page.goto(experiment('?flat=1'))
  await row(seeded.sweep.run_id).waitFor()
  await filter().click()
  await filter().pressSequentially('opti')
  await page.getByRole('option', { name: 'params.optimizer' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await filter().pressSequentially("= 'adam' AND metrics.loss < ")
  await page.keyboard.press('Enter')
  const alert = page.getByRole('alert')
  await alert.waitFor()
  assert.match(await alert.innerText(), /metrics\.loss|clause/i)
  assert.equal(await filter().getAttribute('aria-invalid'), 'true')
  await filter().press('End')
  await filter().pressSequentially('0.5')
  await page.keyboard.press('Enter')
  await alert.waitFor({ state: 'detached' })
  await page.getByText(/^\d+ runs?$/).waitFor()
  const shown = await names()
  const { runs } = await call(base, `/experiments/${seeded.experiment}/tracked-runs?page_size=200&filter=${encodeURIComponent("params.optimizer = 'adam' AND metrics.loss < 0.5")}`)
  assert.ok(runs.length > 0 && runs.length < 10)
  assert.deepEqual(shown, runs.map((r) => r.name))
  assert.equal(query().get('filter'), "params.optimizer = 'adam' AND metrics.loss < 0.5")
  await filter().fill("params.optimizer = 'nobody'")
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'No run matches' }).waitFor()
  await page.getByRole('button', { name: 'Show all runs' }).click()
  await row(seeded.sweep.run_id).waitFor()
  quiet('400')
})

test('columns are chosen and sorted by, and another reader of the address sees the same', async () => {
  await page.goto(experiment('?flat=1&filter=params.lr%20IS%20NOT%20NULL'))
  await row(seeded.runs[0].run_id).waitFor()
  await page.getByRole('button', { name: 'Columns' }).click()
  const panel = page.getByRole('dialog')
  await panel.getByRole('button', { name: 'None' }).click()
  await panel.getByRole('checkbox', { name: 'loss' }).check()
  await panel.getByRole('checkbox', { name: 'team' }).check()
  await page.keyboard.press('Escape')
  await page.locator('thead').getByText('loss').click()
  await page.waitForFunction(() => document.querySelector('th[aria-sort=descending]'))
  await page.locator('thead').getByText('loss').click()
  await page.waitForFunction(() => document.querySelector('th[aria-sort=ascending]'))
  const lowest = seeded.runs[0].run_name
  await page.waitForFunction((first) => document.querySelectorAll('tr[data-run] th a')[1]?.textContent === first, lowest)
  const shown = await names()
  assert.deepEqual(query().getAll('cols'), ['metrics.loss', 'tags.team'])
  const other = await openPage(browser, base)
  await other.page.goto(page.url())
  await other.page.locator('tr[data-run]').nth(3).waitFor()
  assert.deepEqual(await other.page.locator('tr[data-run] th a').allInnerTexts(), shown)
  assert.deepEqual(other.complaints, [])
  await other.page.context().close()
  quiet()
})

test('a long table holds only the rows in sight and loads more as it is scrolled', async () => {
  const many = await createExperiment(base, `${name} many`)
  for (let i = 0; i < 250; i += 10) await Promise.all(Array.from({ length: 10 }, (_, j) => createRun(base, many, `run ${i + j}`, { start: 1_700_000_000_000 + (i + j) * 1000 })))
  requests = []
  await page.goto(`${base}/experiments/${many}`)
  await page.getByText('100 of 250 runs').waitFor()
  assert.ok((await page.locator('tr[data-run]').count()) < 60)
  for (const shown of ['200 of 250 runs', '250 runs']) {
    await page.getByRole('region', { name: 'Runs' }).evaluate((e) => e.scrollTo(0, e.scrollHeight))
    await page.getByText(shown, { exact: shown === '250 runs' }).waitFor()
  }
  await page.getByRole('region', { name: 'Runs' }).evaluate((e) => e.scrollTo(0, e.scrollHeight))
  await page.getByRole('link', { name: 'run 0', exact: true }).waitFor()
  assert.ok((await page.locator('tr[data-run]').count()) < 60)
  assert.equal(asked('page_token=').length, 2)
  quiet()
})

test('chosen runs are compared: curves, parallel coordinates, scatter, differences', async () => {
  await page.goto(experiment('?flat=1'))
  for (const run of seeded.runs.slice(0, 3)) await page.getByRole('checkbox', { name: `Select ${run.run_name}`, exact: true }).check()
  assert.equal(query().getAll('run').length, 3)
  requests = []
  await page.getByRole('link', { name: 'Compare 3' }).click()
  await page.locator('[data-chart="loss"] canvas').waitFor()
  await page.locator('[data-chart="val/accuracy"] canvas').waitFor()
  assert.equal(asked('/comparison?').length, 1)
  assert.equal(asked('/curves?').length, 1)
  await page.getByRole('checkbox', { name: 'Up logarithmic' }).check()
  await page.getByRole('combobox', { name: 'Along' }).selectOption('time')
  await page.getByRole('slider').press('ArrowRight')
  await page.locator('[data-chart="loss"]').getByText('logarithmic').waitFor()
  assert.deepEqual([query().get('log'), query().get('x'), query().get('smooth')], ['1', 'time', '0.01'])
  const plot = page.locator('[data-chart="loss"] .u-over')
  await plot.hover()
  await page.locator('[data-chart="loss"]').getByText(/^train-\d: /).waitFor()

  await page.getByRole('tab', { name: 'Parallel coordinates' }).click()
  await page.waitForFunction(() => document.querySelectorAll('path[data-line]').length === 3)
  await page.getByRole('tab', { name: 'Scatter' }).click()
  await page.getByRole('combobox', { name: 'Across' }).selectOption('params.lr')
  await page.waitForFunction(() => document.querySelectorAll('a[data-point]').length === 3)
  await page.getByRole('tab', { name: 'Differences' }).click()
  const diff = page.getByRole('region', { name: 'Differences' })
  await diff.getByRole('rowheader', { name: 'lr', exact: true }).waitFor()
  assert.equal(await diff.getByRole('rowheader', { name: 'dataset' }).count(), 0)
  await page.getByRole('checkbox', { name: 'Also what is equal' }).check()
  await diff.getByRole('rowheader', { name: 'dataset' }).waitFor()
  await page.reload()
  await diff.getByRole('rowheader', { name: 'dataset' }).waitFor()
  await page.getByRole('button', { name: `Leave ${seeded.runs[0].run_name} out` }).click()
  await page.getByRole('heading', { level: 1, name: 'Compare 2 runs' }).waitFor()
  quiet()
})

test('a run that is going on gets its points and its end on an open page', async () => {
  const id = seeded.running.run_id
  await page.goto(`${base}/tracked-runs/${id}`)
  await page.getByRole('heading', { level: 1, name: 'still going on' }).waitFor()
  await page.evaluate(() => {
    window.sameDocument = true
  })
  const points = page.getByRole('region', { name: 'Metrics' }).getByRole('row').nth(1)
  await logCurves(base, id, { loss: () => 0.25 }, 12, Date.now(), 30)
  await points.getByRole('cell', { name: '42', exact: true }).waitFor()
  await finish(base, id)
  await page.locator('h1 ~ [data-state="SUCCEEDED"]').waitFor()
  assert.equal(await page.evaluate(() => window.sameDocument), true)
  await page.getByRole('tab', { name: 'Curves' }).click()
  await page.locator('[data-chart="loss"] canvas').waitFor()
  quiet()
})

test('a run shows its files, its dataset and the version it became; a script in a file does not run', async () => {
  const id = seeded.runs[0].run_id
  await page.goto(`${base}/tracked-runs/${id}`)
  await page.getByText('flights-2013').waitFor()
  await page.getByRole('link', { name: `${name} model version 1` }).waitFor()
  await page.getByRole('tab', { name: 'Files' }).click()
  await page.getByRole('button', { name: 'report.md' }).click()
  await page.locator('[data-preview=markdown]').getByText('<b>raw</b>').waitFor()
  await page.getByRole('button', { name: 'plots/' }).click()
  await page.getByRole('button', { name: 'page.html' }).click()
  await page.frameLocator('iframe').getByText('Page').waitFor()
  assert.equal(await page.frameLocator('iframe').getByText('ran').count(), 0)
  await page.reload()
  await page.frameLocator('iframe').getByText('Page').waitFor()
  quiet()
})

test('a task of a pipeline and its tracked run lead to each other', async () => {
  const { tasks } = await call(base, `/runs/${pipelineRun.id}/tasks`)
  const task = tasks.find((t) => t.name === 'evaluate') ?? tasks.find((t) => t.kind === 'container')
  await page.goto(`${base}/runs/${pipelineRun.id}/tasks/${task.id}`)
  await page.getByRole('link', { name: 'Metrics and files' }).click()
  await page.getByRole('heading', { level: 1, name: task.display_name }).waitFor()
  await page.getByRole('link', { name: pipelineRun.display_name }).click()
  await page.getByRole('heading', { level: 1, name: pipelineRun.display_name }).waitFor()
  await page.goBack()
  await page.getByRole('link', { name: task.path, exact: true }).click()
  await page.getByRole('heading', { level: 2, name: task.display_name }).waitFor()
  quiet()
})

test('a model shows its versions, and an alias is set and removed after a question', async () => {
  await page.goto(base)
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Models' }).click()
  await page.getByLabel('Name contains').fill(name)
  await page.getByRole('link', { name: seeded.model, exact: true }).click()
  await page.getByText('<script>document.title').waitFor()
  assert.equal(await page.title(), `${seeded.model} – Levada`)
  const model = () => call(base, `/models/${encodeURIComponent(seeded.model)}`)
  await page.getByRole('button', { name: 'Version 1', exact: true }).click()
  await page.getByRole('button', { name: 'Set alias' }).click()
  await page.getByLabel('Name of the alias').fill('v1')
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Set alias' }).click()
  assert.match(await page.getByRole('alert').innerText(), /reserved/)
  await page.getByRole('button', { name: 'Set alias' }).click()
  await page.getByLabel('Name of the alias').fill('best')
  await page.keyboard.press('Enter')
  await dialog.getByRole('button', { name: 'Back' }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.equal((await model()).model.aliases.length, 1)
  await page.getByRole('button', { name: 'Set', exact: true }).click()
  await dialog.getByRole('button', { name: 'Set alias' }).click()
  await page.getByRole('button', { name: 'Remove the alias best' }).waitFor()
  assert.deepEqual((await model()).versions[1].aliases, ['best', 'champion'])
  await page.getByRole('button', { name: 'Remove the alias best' }).click()
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await until(model, (m) => m.model.aliases.length === 1)
  await page.getByRole('button', { name: 'Remove the alias best' }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'MLmodel', exact: true }).click()
  await page.locator('[data-preview=mlmodel]').getByText('sklearn').waitFor()
  const { files } = (await model()).versions[1]
  assert.equal(await page.locator('code[title^="sha256:"]').first().getAttribute('title'), `sha256:${files[0].sha256}`)
  quiet('400')
})

test('what is not there, or cannot be asked, is said', async () => {
  for (const path of ['/experiments/999999999999999999', '/tracked-runs/nothing', '/models/nothing', '/models/a/b']) {
    await page.goto(base + path)
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
  }
  await page.goto(`${base}/compare?run=nothing`)
  await page.getByText('not there any more').waitFor()
  await page.goto(`${base}/compare?${Array.from({ length: 101 }, (_, i) => `run=${i}`).join('&')}`)
  await page.getByText('The first 100 of the 101 runs').waitFor()
  await page.goto(`${base}/compare`)
  await page.getByRole('heading', { name: 'No runs are chosen' }).waitFor()
  await page.goto(experiment())
  await row(seeded.sweep.run_id).waitFor()
  await page.route('**/api/v1/**', (route) => route.abort())
  await filter().fill("params.lr = '0.1'")
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor()
  await page.unroute('**/api/v1/**')
  quiet('404', 'Failed to load', 'ERR_FAILED')
})

test('axe finds nothing serious, in light and dark', async () => {
  const compared = seeded.runs.map((r) => `run=${r.run_id}`).join('&')
  const addresses = [
    ['/runs', 'main table'],
    [`/runs/${pipelineRun.id}`, '[data-path]'],
    ['/experiments', 'main table'],
    [`/experiments/${seeded.experiment}?run=${seeded.sweep.run_id}`, 'tr[data-run]'],
    [`/experiments/${seeded.experiment}?filter=wrong`, '[role=alert]'],
    [`/experiments/${seeded.experiment}?flat=1`, 'tr[data-run]', (one) => one.getByRole('button', { name: 'Columns' }).click()],
    [`/experiments/${seeded.experiment}?flat=1&sort=metrics.loss%20ASC`, 'tr[data-run]', (one) => one.getByRole('combobox', { name: 'Filter' }).pressSequentially('me')],
    [`/tracked-runs/${seeded.runs[0].run_id}`, 'main table'],
    [`/tracked-runs/${seeded.runs[0].run_id}?tab=curves`, 'canvas'],
    [`/tracked-runs/${seeded.runs[0].run_id}?tab=files&file=report.md`, '[data-preview]'],
    [`/compare?${compared}`, 'canvas'],
    [`/compare?${compared}&view=parallel`, '[data-line]'],
    [`/compare?${compared}&view=scatter`, '[data-point]'],
    [`/compare?${compared}&view=diff`, 'main table'],
    ['/models', 'main table'],
    [`/models/${encodeURIComponent(seeded.model)}`, 'main table'],
    ['/recurring-runs', 'main h1'],
  ]
  const found = []
  for (const colorScheme of ['light', 'dark']) {
    const { page: one } = await openPage(browser, base, { colorScheme, reducedMotion: 'reduce' })
    for (const [path, there, act] of addresses) {
      await one.goto(base + path)
      await one.locator(there).first().waitFor({ state: 'attached', timeout: patience })
      if (act) await act(one)
      for (const finding of await seriousFindings(one)) found.push(`${colorScheme} ${path}: ${finding}`)
    }
    await one.context().close()
  }
  assert.deepEqual(found, [])
})

test('nothing is wider than a phone', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  const compared = seeded.runs.map((r) => `run=${r.run_id}`).join('&')
  const paths = ['/experiments', `/experiments/${seeded.experiment}`, `/tracked-runs/${seeded.runs[0].run_id}`, `/tracked-runs/${seeded.failed.run_id}`, '/models', `/models/${encodeURIComponent(seeded.model)}`]
  for (const view of ['curves', 'parallel', 'scatter', 'diff']) paths.push(`/compare?${compared}&view=${view}`)
  for (const path of paths) {
    await phone.page.goto(base + path)
    await phone.page.locator('main :is(table, figure, svg)').first().waitFor({ timeout: patience })
    const tooWide = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.ok(tooWide <= 0, `${path} is ${tooWide} px too wide`)
  }
  assert.deepEqual(phone.complaints, [])
})
