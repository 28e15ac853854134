// Drives contour plots, code and environments side by side, groups of runs, changes to several, and the cards of models on a real
// server, with runs that seed.mjs logs and a pipeline's run.
//   LEVADA_URL       the server; run.mjs has started pipelines there
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 60
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, succeed, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'
import { createExperiment, createRun, hostile, logCurves, seed, seedSources } from './seed.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 60) * 1000
const name = `compared ${Date.now()}`

let browser
let page
let complaints
let seeded
let sources
let requests = []

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const query = () => new URL(page.url()).searchParams
const compare = (runs, view) => `${base}/compare?${runs.map((r) => `run=${r.run_id}`).join('&')}&view=${view}`
const experiment = (more = '') => `${base}/experiments/${seeded.experiment}${more}`
const model = () => `${base}/models/${encodeURIComponent(seeded.model)}`

before(async () => {
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
  page.on('request', (r) => requests.push(r.url()))
  seeded = await seed(base, name)
  sources = await seedSources(base, seeded.experiment)
})

after(() => browser?.close())

test('a contour plot shows a metric over two parameters, in the address, and runs are reached with the keyboard', async () => {
  await page.goto(compare(seeded.runs, 'scatter'))
  await page.getByRole('tab', { name: 'Scatter' }).focus()
  await page.keyboard.press('ArrowRight')
  const plot = page.getByRole('region', { name: 'Contour' })
  await plot.locator('path[data-band]').first().waitFor()
  await page.getByRole('combobox', { name: 'Colour' }).selectOption('metrics.val/accuracy')
  await page.getByRole('combobox', { name: 'Up' }).selectOption('params.lr')
  await page.getByRole('checkbox', { name: 'Up logarithmic' }).check()
  assert.deepEqual([query().get('view'), query().get('cz'), query().get('cy'), query().get('logy')], ['contour', 'metrics.val/accuracy', 'params.lr', '1'])
  await page.reload()
  const bands = page.getByRole('list', { name: /Colours of val\/accuracy/ })
  await plot.locator('path[data-band]').first().waitFor()
  assert.equal(await bands.getByRole('listitem').count(), await plot.locator('path[data-band]').count())
  assert.equal(await plot.locator('a[data-point]').count(), seeded.runs.length)
  await plot.locator('a[data-point]').first().focus()
  await page.getByText(/^train-0: .*val\/accuracy/).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'train-0' }).waitFor()
  // Texts have nothing between them.
  await page.goto(`${compare(seeded.runs, 'contour')}&cx=params.optimizer`)
  await page.getByText('one of the axes has texts').waitFor()
  await page.goto(compare(seeded.runs.slice(0, 2), 'contour'))
  await page.getByText('three runs at different places are needed').waitFor()
  quiet()
})

test('many curves, each with points of its own, are drawn and read', async () => {
  const many = await createExperiment(base, `${name} curves`)
  const runs = await Promise.all(Array.from({ length: 40 }, (_, i) => createRun(base, many, `curve ${i}`, {})))
  await Promise.all(runs.map((run, i) => logCurves(base, run.run_id, { loss: (s) => 1 / (s + 1 + i) }, 30, Date.now() - 60_000, i)))
  await page.goto(compare(runs, 'curves'))
  await page.locator('figure[data-drawn="40"]').waitFor()
  const plot = page.locator('[data-chart="loss"] .u-over')
  await plot.hover()
  await page.locator('[data-chart="loss"]').getByText(/^curve \d+: .* at step/).waitFor()
  await page.getByRole('checkbox', { name: 'Up logarithmic' }).check()
  await page.locator('[data-chart="loss"]').getByText('logarithmic').waitFor()
  await page.getByRole('checkbox', { name: 'Along logarithmic' }).check()
  await page.locator('[data-chart="loss"][data-drawn]').getByText('logarithmic, both axes').waitFor()
  assert.equal(query().get('xlog'), '1')
  await page.getByText('1 point not above zero left out').waitFor()
  await plot.hover()
  await page.locator('[data-chart="loss"]').getByText(/^curve \d+: .* at step/).waitFor()
  await page.locator('figure[data-drawn="40"]').waitFor()
  quiet()
})

test('what a reader zooms in on is in the address, and all charts show it', async () => {
  await page.goto(compare(seeded.runs.slice(0, 3), 'curves'))
  const plot = (metric) => page.locator(`[data-chart="${metric}"] .u-over`)
  await page.locator('figure[data-drawn="3"]').nth(1).waitFor()
  await plot('loss').scrollIntoViewIfNeeded()
  const area = await plot('loss').boundingBox()
  await page.mouse.move(area.x + area.width * 0.5, area.y + 40)
  await page.mouse.down()
  await page.mouse.move(area.x + area.width * 0.75, area.y + 60, { steps: 4 })
  await page.mouse.up()
  await page.waitForURL((url) => url.searchParams.has('zoom'))
  const [from, to] = query().get('zoom').split(',').map(Number)
  assert.ok(Math.abs(from - 99.5) < 4 && Math.abs(to - 149.25) < 4, `${from} to ${to} of 0 to 199`)
  await page.reload()
  for (const metric of ['loss', 'val/accuracy']) {
    // At the beginning of the chart stands the beginning of the stretch.
    await plot(metric).hover({ position: { x: 3, y: 60 } })
    const reading = page.locator(`[data-chart="${metric}"]`).getByText(/at step \d+/)
    await reading.waitFor()
    const step = Number(/at step (\d+)/.exec(await reading.innerText())[1])
    assert.ok(Math.abs(step - from) < 3, `${metric}: step ${step}, want ${from}`)
  }
  await page.getByRole('combobox', { name: 'Along' }).selectOption('time')
  await page.waitForURL((url) => !url.searchParams.has('zoom'))
  await page.goto(`${compare(seeded.runs.slice(0, 3), 'curves')}&zoom=-50,400`)
  await page.locator('figure[data-drawn="3"]').nth(1).waitFor()
  await plot('loss').dblclick()
  await page.waitForURL((url) => !url.searchParams.has('zoom'))
  quiet()
})

test('a model of many versions shows the newest hundred, and each can be compared', async () => {
  const many = `${name} versions`
  const mlflow = (path, body) => call(base, path, { prefix: '/api/2.0/mlflow', body })
  await mlflow('/registered-models/create', { name: many })
  for (let i = 0; i < 120; i++) await mlflow('/model-versions/create', { name: many, source: 's3://elsewhere/model' })
  await page.goto(`${base}/models/${encodeURIComponent(many)}`)
  const version = (n) => page.locator(`tr[data-version="${n}"]`)
  await version(120).waitFor()
  assert.equal(await page.locator('tr[data-version]').count(), 100)
  await page.getByText('The newest 100 of 120 versions.').waitFor()
  await version(60).getByRole('checkbox').check()
  assert.deepEqual(query().getAll('compare'), ['60'])
  quiet()
})

test('code and environments of runs are compared: what differs, and texts side by side', async () => {
  requests = []
  await page.goto(compare(sources, 'sources'))
  const table = page.getByRole('region', { name: 'Code and environment' })
  await table.getByRole('rowheader', { name: 'commit' }).waitFor()
  assert.equal(requests.filter((r) => r.includes('/comparison/sources')).length, 1)
  await table.getByRole('rowheader', { name: 'numpy' }).waitFor()
  assert.equal(await table.getByRole('rowheader', { name: 'scikit-learn' }).count(), 0)
  await page.getByRole('combobox', { name: 'Text' }).selectOption('conda.yaml')
  await page.getByRole('combobox', { name: 'Right' }).selectOption(sources[2].run_id)
  const sides = page.getByRole('region', { name: /^conda.yaml of fit-0 and/ })
  await sides.getByText('numpy==2.3.1').waitFor()
  await sides.getByText('<img src=x').waitFor()
  await sides.getByText('2 equal lines').waitFor()
  await page.getByRole('checkbox', { name: 'Also what is equal' }).check()
  await table.getByRole('rowheader', { name: 'scikit-learn' }).waitFor()
  await sides.getByText('- conda-forge').first().waitFor()
  assert.deepEqual([query().get('text'), query().get('right'), query().get('all')], ['conda.yaml', sources[2].run_id, '1'])
  await page.reload()
  await sides.getByText('numpy==2.3.1').waitFor()
  await page.goto(compare(seeded.runs.slice(0, 1), 'sources'))
  await page.getByText(/do not differ/).waitFor()
  assert.equal(await page.title().then((t) => t.includes('ran')), false)
  quiet()
})

test('tasks of a pipeline show their component’s code and their environment', async () => {
  const run = await succeed(base, 'succeeding', 'a pipeline in the browser')
  const { tasks } = await call(base, `/runs/${run.id}/tasks`)
  const [first, second] = tasks.filter((t) => t.kind === 'container' && t.state === 'SUCCEEDED')
  await page.goto(compare([{ run_id: first.id }, { run_id: second.id }], 'sources'))
  const table = page.getByRole('region', { name: 'Code and environment' })
  await table.getByRole('rowheader', { name: 'component' }).waitFor()
  await page.getByRole('combobox', { name: 'Text' }).selectOption('source.py')
  await page.getByRole('region', { name: /^source.py of/ }).getByText(/def /).first().waitFor()
  await page.getByRole('checkbox', { name: 'Also what is equal' }).check()
  await table.getByRole('rowheader', { name: 'kfp', exact: true }).waitFor()
  quiet()
})

test('runs are grouped by the server, a group is opened, and one alone is a table', async () => {
  await page.goto(experiment())
  await page.getByRole('combobox', { name: 'Group by' }).selectOption('params.optimizer')
  const group = (value) => page.locator(`tr[data-group="=${value}"]`)
  await group('adam').getByText('5 runs').waitFor()
  await group('adam').getByText('5 finished').waitFor()
  const { groups } = await call(base, `/experiments/${seeded.experiment}/run-groups?by=params.optimizer&metric=loss`)
  const adam = groups.find((g) => g.value === 'adam').metrics[0]
  assert.equal(await group('adam').locator(`td[title*="lowest ${adam.min}"]`).count(), 1)
  await group('adam').getByRole('button').focus()
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'train-1', exact: true }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'train-0', exact: true }).count(), 0)
  assert.deepEqual([query().get('group'), query().get('open')], ['params.optimizer', '=adam'])
  await page.reload()
  await page.getByRole('link', { name: 'train-1', exact: true }).waitFor()
  await page.locator('tr[data-group="none"]').getByText('no optimizer').waitFor()
  await page.goto(experiment('?group=tags.note'))
  await page.locator('tr[data-group]').getByText('<img src=x').waitFor()
  await page.goto(experiment('?group=params.lr&only=%3D0.1'))
  await page.getByText('Only runs whose lr is').waitFor()
  await page.getByText('2 runs', { exact: true }).waitFor()
  await page.goto(experiment('?group=nonsense'))
  await page.getByRole('alert').filter({ hasText: 'cannot be grouped' }).waitFor()
  quiet('400')
})

test('several runs are tagged, deleted and restored after a question', async () => {
  const many = await createExperiment(base, `${name} bulk`)
  const [one, two] = [await createRun(base, many, 'one', {}), await createRun(base, many, hostile, {})]
  await page.goto(`${base}/experiments/${many}`)
  await page.getByRole('checkbox', { name: 'Select one' }).check()
  await page.getByRole('checkbox', { name: `Select ${hostile}` }).check()
  await page.getByRole('button', { name: 'Set tag' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('team')
  await dialog.getByLabel('Value').fill('<b>delays</b>')
  await page.keyboard.press('Enter')
  await page.getByText('2 runs tagged').waitFor()
  const tagged = await call(base, `/tracked-runs/${two.run_id}`)
  assert.equal(tagged.run.tags.team, '<b>delays</b>')
  await page.getByRole('button', { name: 'Close this message' }).click()
  await page.getByRole('button', { name: 'Delete 2' }).click()
  await dialog.getByRole('button', { name: 'Back' }).click()
  assert.equal((await call(base, `/experiments/${many}/tracked-runs`)).total, 2)
  // Gone in the meantime: that it could not be tagged is said.
  await call(base, '/tracked-runs/changes', { body: { action: 'delete', run_ids: [one.run_id] } })
  await page.getByRole('button', { name: 'Set tag' }).click()
  await dialog.getByLabel('Name').fill('late')
  await dialog.getByRole('button', { name: 'Set tag' }).click()
  await page.getByText('1 run tagged, 1 run not').waitFor()
  await page.getByRole('listitem').filter({ hasText: 'deleted' }).waitFor()
  await page.getByRole('button', { name: 'Close this message' }).click()
  await page.getByRole('button', { name: 'Delete 2' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await page.getByText('2 runs deleted').waitFor()
  await page.getByRole('heading', { name: 'No runs yet' }).waitFor()
  await page.getByRole('checkbox', { name: 'Deleted' }).check()
  await page.getByRole('checkbox', { name: 'Select one' }).check()
  assert.equal(query().get('deleted'), '1')
  await page.getByRole('button', { name: 'Restore 1' }).click()
  await dialog.getByRole('button', { name: 'Restore' }).click()
  await page.getByText('1 run restored').waitFor()
  await until(() => call(base, `/experiments/${many}/tracked-runs`), (t) => t.total === 1)
  quiet()
})

test('versions of a model are compared, and a version has a card that is written on the page', async () => {
  await page.goto(model())
  await page.getByRole('checkbox', { name: 'Compare version 1' }).check()
  await page.getByText('Tick another version above').waitFor()
  await page.getByRole('checkbox', { name: 'Compare version 2' }).check()
  const table = page.getByRole('region', { name: 'Compared versions' }).locator('table')
  await table.getByRole('rowheader', { name: 'val/accuracy' }).waitFor()
  await table.getByRole('rowheader', { name: 'stage' }).waitFor()
  assert.deepEqual(query().getAll('compare'), ['1', '2'])
  await table.getByRole('link', { name: 'Version 1' }).click()
  await page.getByRole('heading', { level: 1, name: `${seeded.model}, version 1` }).waitFor()
  await page.getByText('<b>carrier</b>').waitFor()
  await page.getByText('flights-2013').waitFor()
  await page.getByText('MLflow 3.1.0').waitFor()
  assert.equal(await page.getByRole('link', { name: 'Lineage' }).getAttribute('href'), `/lineage?node=${encodeURIComponent(`model:${seeded.model}/1`)}`)
  await page.getByRole('button', { name: 'Edit' }).first().click()
  await page.getByRole('textbox', { name: 'Description', exact: true }).fill('# Card\n\n<script>document.title="ran"</script>\n\nby *hand*')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('em').getByText('hand').waitFor()
  await page.getByRole('button', { name: 'Set tag' }).click()
  await page.getByLabel('Name of the tag').fill('owner/team')
  await page.getByLabel('Value of the tag').fill('<b>ada</b>')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Remove the tag owner/team' }).waitFor()
  const card = () => call(base, `/models/${encodeURIComponent(seeded.model)}/versions/1/card`)
  assert.equal((await card()).version.tags['owner/team'], '<b>ada</b>')
  await page.getByRole('button', { name: 'Remove the tag owner/team' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('button', { name: 'Remove the tag owner/team' }).waitFor({ state: 'detached' })
  await page.getByRole('link', { name: 'Compare with version 2' }).click()
  await table.getByRole('rowheader', { name: 'val/accuracy' }).waitFor()
  assert.ok(!(await page.title()).includes('ran'))
  quiet()
})

test('where a version is deployed stands on the pages of its model, in its lineage and in the search, as long as it is', async () => {
  const endpoint = `shown-${Date.now()}`
  const link = page.getByRole('link', { name: endpoint, exact: true })
  await page.goto(model())
  const row = page.getByRole('row').filter({ has: page.getByRole('button', { name: 'Version 1', exact: true }) })
  await row.getByText('nowhere').waitFor()
  // It need not answer: that it was asked for is enough.
  await call(base, `/endpoints/${endpoint}`, { method: 'PUT', body: { model: seeded.model, versions: ['1'], traffic: { split: [{ version: '1', percent: 100 }] }, settings: {} } })
  await row.getByRole('link', { name: endpoint }).waitFor()
  assert.equal(await row.getByRole('link', { name: endpoint }).getAttribute('href'), `/endpoints/${endpoint}`)
  await page.goto(`${model()}/versions/1`)
  await link.waitFor()
  await page.goto(`${base}/models`)
  await page.getByRole('row').filter({ has: link }).getByText(/version 1/).waitFor()
  await page.goto(`${base}/lineage?node=${encodeURIComponent(`model:${seeded.model}/1`)}`)
  await page.locator('[data-kind=endpoint]').getByText(endpoint).waitFor()
  assert.match((await call(base, `/lineage?node=endpoint:${endpoint}&direction=up`)).nodes.map((n) => n.id).join(' '), new RegExp(`model:${seeded.model}/1`))
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Search' }).fill(`endpoint: ${endpoint.slice(2)}`)
  await page.getByRole('option', { name: endpoint }).waitFor()
  await page.keyboard.press('Escape')
  await page.goto(model())
  await row.getByRole('link', { name: endpoint }).waitFor()
  await call(base, `/endpoints/${endpoint}`, { method: 'DELETE' })
  await row.getByText('nowhere').waitFor()
  quiet()
})

test('what is not there is said', async () => {
  for (const path of [`/models/${encodeURIComponent(seeded.model)}/versions/77`, '/models/nothing/versions/1']) {
    await page.goto(base + path)
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
  }
  await page.goto(experiment('?deleted=1'))
  await page.getByRole('heading', { name: 'No run is deleted' }).waitFor()
  await page.route('**/api/v1/comparison/sources**', (route) => route.abort())
  await page.goto(compare(sources, 'sources'))
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor()
  await page.unroute('**/api/v1/comparison/sources**')
  quiet('404', '400', 'Failed to load', 'ERR_FAILED')
})

const screens = () => [
  [compare(seeded.runs, 'contour'), 'path[data-band]'],
  [compare(sources, 'sources'), 'main pre'],
  [experiment('?group=params.optimizer&open=%3Dadam'), 'tr[data-run]'],
  [experiment(`?flat=1&run=${seeded.runs[0].run_id}`), 'tr[data-run]', (one) => one.getByRole('button', { name: 'Set tag' }).click()],
  [`${model()}?compare=1&compare=2`, 'section table'],
  [`${model()}/versions/1`, 'main table'],
  [`${model()}/versions/1`, 'main table', (one) => one.getByRole('button', { name: 'Edit' }).first().click()],
]

test('axe finds nothing serious, in light and dark', async () => {
  const found = []
  for (const colorScheme of ['light', 'dark']) {
    const { page: one } = await openPage(browser, base, { colorScheme, reducedMotion: 'reduce' })
    for (const [address, there, act] of screens()) {
      await one.goto(address)
      await one.locator(there).first().waitFor({ state: 'attached', timeout: patience })
      if (act) await act(one)
      for (const finding of await seriousFindings(one)) found.push(`${colorScheme} ${address}: ${finding}`)
    }
    await one.context().close()
  }
  assert.deepEqual(found, [])
})

test('nothing is wider than a phone', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  for (const [address, there] of screens()) {
    await phone.page.goto(address)
    await phone.page.locator(there).first().waitFor({ state: 'attached', timeout: patience })
    const tooWide = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.ok(tooWide <= 0, `${address} is ${tooWide} px too wide`)
  }
  assert.deepEqual(phone.complaints, [])
})
