// Drives the pages of pipelines and the forms of runs on a real server: uploads two versions, compares them, starts runs and a
// recurring run from forms, and repeats a run.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { call, submit, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage, settled } from './browser.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const file = (name) => fileURLToPath(new URL(`pipelines/${name}.yaml`, import.meta.url))
const name = `typed <img src=x onerror="document.title='ran'"> ${Date.now()}`

let browser
let page
let complaints
let requests = []
let pipeline
let first

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const query = () => new URL(page.url()).searchParams
const asked = () => requests.filter((r) => r.includes('/api/v1/pipelines'))
const field = (label) => page.locator(`[data-field="${label}"]`)
const box = (path) => page.locator(`[data-path="${path}"]`)
const ended = (id) => until(() => call(base, `/runs/${id}`), (r) => r.finished_at)
const runOf = () => page.url().split('/runs/')[1]

before(async () => {
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
  page.on('request', (r) => requests.push(r.url()))
})

after(() => browser?.close())

test('a pipeline is uploaded from the page; what the server refuses is said in its words', async () => {
  await page.goto(`${base}/pipelines`)
  const more = page.getByRole('button', { name: 'Upload a pipeline' })
  const choose = page.locator('input[type=file]')
  await more.or(choose).first().waitFor()
  if ((await choose.count()) === 0) await more.click()
  await choose.setInputFiles({ name: 'broken.yaml', mimeType: 'text/yaml', buffer: Buffer.from('schemaVersion: 2.1.0\nroot: {dag: {tasks: {a: {componentRef: {name: comp-none}}}}}\npipelineInfo: {name: x}\n') })
  await page.getByRole('button', { name: 'Upload', exact: true }).click()
  const alert = page.getByRole('alert')
  await alert.waitFor()
  assert.match(await alert.innerText(), /comp-none/)
  await choose.setInputFiles(file('typed'))
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name }).waitFor()
  pipeline = new URL(page.url()).pathname.split('/')[2]
  first = (await call(base, `/pipelines/${pipeline}`)).version.id
  assert.equal(await page.title(), `${name} – Levada`)
  await page.getByText('<img src=x onerror=alert(1)>').first().waitFor()
  quiet('400')
})

test('a pipeline may be dropped on the page', async () => {
  await page.goto(`${base}/pipelines`)
  await page.getByRole('button', { name: 'Upload a pipeline' }).click()
  const text = await readFile(file('typed'), 'utf8')
  const dropped = await page.evaluateHandle((spec) => {
    const data = new DataTransfer()
    data.items.add(new File([spec], 'dropped.yaml', { type: 'text/yaml' }))
    return data
  }, text)
  await page.getByText('Drop a compiled pipeline here').dispatchEvent('drop', { dataTransfer: dropped })
  await page.getByText('dropped.yaml').waitFor()
  await page.getByLabel('Name', { exact: true }).fill(`dropped ${Date.now()}`)
  await page.getByRole('button', { name: 'Upload', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: /^dropped/ }).waitFor()
  quiet()
})

test('a list of many pipelines goes on while one scrolls, and holds only what is in sight', async () => {
  const small = await readFile(file('failing'), 'utf8')
  const mark = `many-${Date.now()}`
  for (let i = 0; i < 130; i++) await call(base, '/pipelines', { body: { spec: small, name: `${mark}-${i}` } })
  await page.goto(`${base}/pipelines?q=${mark}`)
  await page.getByRole('link', { name: `${mark}-129`, exact: true }).waitFor()
  await page.getByText('100 of 130 pipelines').waitFor()
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight))
  await page.getByText('130 of 130 pipelines').waitFor()
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight))
  await page.getByRole('link', { name: `${mark}-0`, exact: true }).waitFor()
  assert.ok((await page.locator('tbody tr').count()) < 80)
  quiet()
})

test('a pipeline is found by a part of its name and opened with the keyboard', async () => {
  await page.goto(`${base}/pipelines`)
  await page.getByLabel('Name contains').fill(name)
  await page.getByRole('link', { name, exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name }).waitFor()
  await page.goto(`${base}/pipelines?q=nothing-has-this-name`)
  await page.getByRole('heading', { name: 'No pipeline matches' }).waitFor()
  quiet()
})

test('a version is one request, and is shown as a graph, as inputs and as YAML', async () => {
  await page.goto('about:blank') // the page before it may be about to ask
  requests = []
  await page.goto(`${base}/pipelines/${pipeline}`)
  await box('exit-handler-1/show').waitFor()
  await settled(page)
  assert.equal(asked().length, 1, asked().join('\n'))
  await page.getByText('loop over words, 2 at once').waitFor()
  await page.getByRole('button', { name: 'show it' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Task show it' }).waitFor()
  assert.equal(query().get('task'), 'exit-handler-1/show')
  await page.getByText('words: LIST', { exact: true }).waitFor()
  await page.getByText('Code').first().click()
  await page.getByText('print(what.upper() if loud').waitFor()
  const inner = page.getByRole('button', { name: 'Tasks of inner' })
  await inner.focus()
  await page.keyboard.press('Enter')
  await box('exit-handler-1/for-loop-2/inner/after').waitFor({ state: 'detached' })
  assert.equal(await inner.getAttribute('aria-expanded'), 'false')

  await page.getByRole('tab', { name: 'Inputs' }).click()
  await page.getByText('one of 2, 4, 8').waitFor()
  await page.getByText('What is shown. <script>alert(1)</script>').waitFor()
  await page.getByRole('tab', { name: 'YAML' }).click()
  await page.getByRole('region', { name: 'YAML' }).getByText('components').first().waitFor()
  assert.equal(query().get('view'), 'yaml')
  const saved = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Save the YAML' }).click()
  const text = await readFile(await (await saved).path(), 'utf8')
  assert.match(text, /^pipelineInfo:/m)
  const again = await call(base, '/pipelines', { body: { spec: text, name: `again ${Date.now()}` } })
  assert.equal(again.spec_digest, (await call(base, `/pipelines/${pipeline}`)).version.spec_digest)
  quiet()
})

test('a further version is uploaded, and compared with the one before', async () => {
  await page.goto(`${base}/pipelines/${pipeline}`)
  await page.getByRole('button', { name: 'Upload a version' }).click()
  await page.locator('input[type=file]').setInputFiles(file('typed-2'))
  await page.getByLabel('Name of the version').fill('two')
  await page.getByRole('button', { name: 'Upload', exact: true }).click()
  await page.locator('[data-mark=changed][data-path="exit-handler-1/show"]').waitFor()
  assert.equal(query().get('against'), first)
  await page.locator('[data-mark=added][data-path="exit-handler-1/register"]').waitFor()
  await page.locator('g[data-mark=added]').first().waitFor()
  const change = page.locator('[data-change="exit-handler-1/show"]')
  const said = await change.innerText()
  assert.match(said, /changed: .*image.*requirements.*code/)
  assert.match(said, /python:3\.12/)
  assert.match(said, /six==1\.17\.0/)
  assert.match(said, /gone:/)
  const shared = page.url()
  await page.goto(shared)
  await change.waitFor()
  assert.deepEqual(await seriousFindings(page), [])

  await page.getByRole('tab', { name: 'Versions (2)' }).click()
  await page.getByRole('button', { name: `Show ${name}` }).click()
  await page.locator('[data-mark=same][data-path="exit-handler-1/show"]').waitFor()
  assert.equal(query().get('version'), first)
  quiet()
})

test('the form is made of the inputs, says what is wrong at the field, and starts the run', async () => {
  await page.goto(`${base}/pipelines/${pipeline}`)
  await page.getByRole('link', { name: 'Run', exact: true }).click()
  await field('what').waitFor()
  assert.deepEqual(await field('optimizer').locator('option').allInnerTexts(), ['adam', 'sgd'])
  assert.equal(await field('ratio').locator('input').inputValue(), '0.25')
  assert.equal(await field('note').locator('textarea').inputValue(), '')
  assert.deepEqual(await seriousFindings(page), [])

  await field('words').locator('textarea').fill('["a", ')
  await field('ratio').locator('input').fill('fast')
  // What is wrong is said while it is typed; that something is missing only when the form is sent.
  await field('words').getByText('not JSON').waitFor()
  await field('ratio').getByText('is not a number').waitFor()
  await field('words').locator('textarea').fill('["a"]')
  await field('words').getByText('not JSON').waitFor({ state: 'detached' })
  await field('words').locator('textarea').fill('["a", ')
  assert.equal(await field('what').getByText('needed and has no default').count(), 0)
  await page.getByRole('button', { name: 'Start the run' }).focus()
  await page.keyboard.press('Enter')
  await field('what').getByText('needed and has no default').waitFor()
  await field('words').getByText('not JSON').waitFor()
  await field('ratio').getByText('is not a number').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.closest('[data-field]')?.getAttribute('data-field')), 'what')

  await page.keyboard.type('x')
  await field('words').locator('textarea').fill('["one", "two"]')
  await field('ratio').locator('input').fill('1e-3')
  await field('optimizer').locator('select').selectOption('sgd')
  await field('depth').locator('select').selectOption('8')
  await field('settings').locator('textarea').fill('{"a": [1]}')
  await page.getByLabel('Name', { exact: true }).fill('from the form')
  await page.getByLabel('Experiment').fill('forms')
  await page.getByLabel('Reuse earlier results').uncheck()
  await page.getByRole('button', { name: 'Start the run' }).click()
  await page.getByRole('heading', { level: 1, name: 'from the form' }).waitFor()
  const run = await ended(runOf())
  assert.equal(run.state, 'SUCCEEDED')
  assert.equal(run.cache_off, true)
  assert.deepEqual(run.parameters, { what: 'x', depth: 8, loud: false, optimizer: 'sgd', ratio: 0.001, settings: { a: [1] }, times: 2, words: ['one', 'two'] })
  quiet()
})

test('what the server refuses stands at its field, and nothing that was typed is lost', async () => {
  await page.goto(`${base}/pipelines/${pipeline}/run`)
  await field('what').locator('textarea').fill('kept')
  // The form knows only what the page was loaded with: the server has the last word.
  await page.route('**/api/v1/runs', async (route) => {
    const body = route.request().postDataJSON()
    await route.continue({ postData: JSON.stringify({ ...body, parameters: { ...body.parameters, times: 'many' } }) })
  })
  await page.getByRole('button', { name: 'Start the run' }).click()
  await field('times').getByText('want NUMBER_INTEGER').waitFor()
  await page.getByRole('alert').filter({ hasText: 'The run was not started' }).waitFor()
  assert.equal(await field('what').locator('textarea').inputValue(), 'kept')
  await page.unroute('**/api/v1/runs')
  quiet('400')
})

test('a run that belongs to no pipeline is repeated from its very specification with other parameters', async () => {
  const id = await submit(base, 'typed', 'to be repeated', { parameters: { what: 'first', note: 'n', words: [] } })
  await page.goto(`${base}/runs/${id}`)
  await page.getByRole('link', { name: 'Clone' }).click()
  await field('what').waitFor()
  assert.equal(await field('what').locator('textarea').inputValue(), 'first')
  assert.equal(await field('words').locator('textarea').inputValue(), '[]')
  await field('what').locator('textarea').fill('second')
  await page.getByRole('button', { name: 'Leave out note' }).click()
  await page.getByRole('button', { name: 'Start the run' }).click()
  await page.getByRole('heading', { level: 1, name: 'to be repeated (clone)' }).waitFor()
  const [original, now] = [await call(base, `/runs/${id}`), await call(base, `/runs/${runOf()}`)]
  assert.equal(now.spec_digest, original.spec_digest)
  assert.deepEqual(now.parameters, { ...Object.fromEntries(Object.entries(original.parameters).filter(([k]) => k !== 'note')), what: 'second' })

  await page.getByRole('tab', { name: 'YAML' }).click()
  await page.getByRole('region', { name: 'YAML' }).getByText('components').first().waitFor()
  quiet()
})

test('a task tells what it used and the exact packages that it ran with', async () => {
  const id = await submit(base, 'succeeding', 'measured', { parameters: { pause: 0.15, rows: 7 }, cache: false })
  const going = await until(() => call(base, `/runs/${id}/tasks`), ({ tasks }) => tasks.some((t) => t.name === 'fit' && t.state === 'RUNNING'))
  await page.goto(`${base}/runs/${id}/tasks/${going.tasks.find((t) => t.name === 'fit').id}?tab=usage`)
  const chart = page.locator('[data-chart=Memory] [role=img]')
  await chart.waitFor()
  await ended(id)
  const { tasks } = await call(base, `/runs/${id}/tasks`)
  const fit = tasks.find((t) => t.name === 'fit')
  const usage = await call(base, `/runs/${id}/tasks/${fit.id}/usage`)
  assert.ok(usage.seconds.length > 0 && usage.peak_bytes > 0, JSON.stringify(usage))
  await page.getByText('Processors in use, mean').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('tab', { name: 'Environment' }).click()
  await page.getByRole('list', { name: 'Packages' }).getByText(/^kfp==/).waitFor()
  await page.getByLabel('Package name contains').fill('python=')
  await page.getByText(/^python==3/).waitFor()
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save the list of packages' }).click()
  assert.match(await readFile(await (await saved).path(), 'utf8'), /^# python==3.*\n(.+\n)*kfp==/)
  assert.deepEqual(await seriousFindings(page), [])

  const short = tasks.find((t) => t.name === 'load')
  await page.goto(`${base}/runs/${id}/tasks/${short.id}?tab=usage`)
  await page.locator('[data-chart=Memory]').or(page.getByText('less than a second')).first().waitFor()
  quiet('404')
})

test('a recurring run is made from the form, with its next times told by the server', async () => {
  await page.goto(`${base}/pipelines/${pipeline}?version=${first}`)
  await page.getByRole('link', { name: 'Schedule' }).click()
  const times = page.getByRole('list', { name: 'The next times' })
  await times.getByRole('listitem').nth(4).waitFor()
  await page.getByLabel('Cron expression').fill('0 0 25 * * *')
  await field('Cron expression').getByText('hour').last().waitFor()
  await times.waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'weekdays at 06:00' }).click()
  await times.waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('button', { name: 'Create the recurring run' }).click()
  await field('Name').getByText('needs a name').waitFor()
  const recurring = `weekdays ${Date.now()}`
  await page.getByLabel('Name', { exact: true }).fill(recurring)
  await field('what').locator('textarea').fill('[[ScheduledTime]]')
  await page.getByLabel('Always the newest version').uncheck()
  await page.getByLabel('Catch up').check()
  await page.getByLabel('Runs at once').fill('2')
  await page.getByRole('button', { name: 'Create the recurring run' }).click()
  await page.getByRole('rowheader', { name: recurring }).waitFor()
  const made = (await call(base, `/recurring-runs?q=${encodeURIComponent(recurring)}`)).recurring_runs[0]
  assert.deepEqual(
    { trigger: made.trigger, most: made.max_concurrency, skip: made.no_catchup, version: made.run.version_id, parameters: made.run.parameters },
    { trigger: { cron: '0 0 6 * * MON-FRI' }, most: 2, skip: undefined, version: first, parameters: { what: '[[ScheduledTime]]' } },
  )
  await call(base, `/recurring-runs/${made.id}`, { method: 'DELETE' })
  quiet('400')
})

test('a pipeline, a version or a run that is not there says so', async () => {
  for (const path of ['/pipelines/none', `/pipelines/${pipeline}?version=none`, '/pipelines/none/run', '/runs/none/clone']) {
    await page.goto(base + path)
    await page.getByText(/There is no (pipeline|run)|not what was asked/).first().waitFor()
  }
  quiet('404')
})

test('axe finds nothing serious, and a phone is wide enough', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  phone.page.setDefaultTimeout(patience)
  for (const path of ['/pipelines', `/pipelines/${pipeline}?against=${first}`, ...['inputs', 'yaml', 'versions', 'runs'].map((v) => `/pipelines/${pipeline}?view=${v}`), `/pipelines/${pipeline}/run?when=schedule`]) {
    await phone.page.goto(base + path)
    await settled(phone.page)
    await phone.page.getByRole('heading', { level: 1 }).waitFor()
    assert.deepEqual(await seriousFindings(phone.page), [], path)
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0, path)
  }
  assert.deepEqual(phone.complaints, [])
})
