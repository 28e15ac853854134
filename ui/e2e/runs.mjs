// The list of runs: filters in words, columns, groups, what is done with several runs, and scrolling far.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 60
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage, settled } from './browser.mjs'
import { hostile } from './seed.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 60) * 1000
const experiment = `many ${Date.now()}`
const many = 250

let browser
let page
let complaints
let experimentId

/** A pipeline with a parameter whose only task costs nothing. */
const spec = JSON.stringify({
  schemaVersion: '2.1.0',
  sdkVersion: 'kfp-2.17.0',
  pipelineInfo: { name: 'no-cost' },
  deploymentSpec: { executors: { e: { importer: { artifactUri: { constant: 'https://example.org/rows.csv' }, typeSchema: { schemaTitle: 'system.Dataset', schemaVersion: '0.0.1' } } } } },
  components: { c: { executorLabel: 'e', outputDefinitions: { artifacts: { artifact: { artifactType: { schemaTitle: 'system.Dataset', schemaVersion: '0.0.1' } } } } } },
  root: { inputDefinitions: { parameters: { lr: { parameterType: 'NUMBER_DOUBLE', defaultValue: 0.1, isOptional: true } } }, dag: { tasks: { only: { taskInfo: { name: 'only' }, componentRef: { name: 'c' } } } } },
})
const submit = (display_name, lr = 0.1) => call(base, '/runs', { body: { spec, display_name, experiment, parameters: { lr } } })
const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const list = (more = '') => `${base}/runs?experiment=${experimentId}${more}`
const row = (name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
const filter = () => page.getByRole('combobox', { name: 'Filter' })
const query = () => new URL(page.url()).searchParams
const names = () => page.locator('tr[data-run] a').allInnerTexts()

before(async () => {
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
  // One after the other: their order in the list is that of their names.
  for (let i = 0; i < many; i++) await submit(`run ${String(i).padStart(3, '0')}`, i / 1000)
  const hostileRun = await submit(hostile)
  experimentId = hostileRun.experiment_id
  await until(() => call(base, `/runs?experiment_id=${experimentId}&state=SUCCEEDED&page_size=1`), (r) => r.total === many + 1)
})

after(() => browser?.close())

test('a filter is completed and applied with the keyboard, and stands in the address', async () => {
  await page.goto(list())
  await row(hostile).waitFor()
  await filter().click()
  await filter().pressSequentially('params.l')
  await page.getByRole('option', { name: 'params.lr' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await filter().pressSequentially("= '0.007' OR name ILIKE 'RUN 01_'")
  await page.keyboard.press('Enter')
  await row('run 007').waitFor()
  await page.getByText('11 runs', { exact: true }).waitFor()
  assert.equal(query().get('filter'), "params.lr = '0.007' OR name ILIKE 'RUN 01_'")
  assert.deepEqual((await names()).toSorted(), ['run 007', ...Array.from({ length: 10 }, (_, i) => `run 01${i}`)])
  quiet()
})

test('what is wrong with a filter stands below it', async () => {
  await page.goto(list('&filter=colour%20%3D%20%27red%27'))
  const alert = page.getByRole('alert')
  await alert.waitFor()
  assert.match(await alert.innerText(), /colour.*Valid keys are/)
  await page.getByRole('button', { name: 'Clear the filter' }).click()
  await row(hostile).waitFor()
  await filter().fill("state = 'broken'")
  await page.keyboard.press('Enter')
  await page.getByText("There is no state 'BROKEN'").waitFor()
  quiet('400')
})

test('columns are chosen and stand in the address', async () => {
  await page.goto(list())
  await page.getByRole('button', { name: 'Columns' }).click()
  await page.getByRole('checkbox', { name: 'lr', exact: true }).check()
  await page.getByRole('columnheader', { name: 'lr' }).waitFor()
  await page.keyboard.press('Escape')
  assert.deepEqual(query().getAll('cols'), ['params.lr'])
  await row('run 249').getByRole('cell', { name: '0.249', exact: true }).waitFor()
  quiet()
})

test('groups are counted, and lead to their runs', async () => {
  await page.goto(list('&group=pipeline'))
  const group = page.locator('tr[data-group="no-cost"]')
  await group.getByText(`${many + 1} succeeded`).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await group.getByRole('link').click()
  await row(hostile).waitFor()
  assert.equal(query().get('filter'), "pipeline = 'no-cost'")
  await page.getByLabel('Group', { exact: true }).selectOption('state')
  await page.locator('tr[data-group=SUCCEEDED]').getByRole('link').click()
  await page.getByText(`${many + 1} runs`).waitFor()
  assert.equal(query().get('state'), 'SUCCEEDED')
  quiet()
})

test('a long list is scrolled to its end with few rows in the page, and keeps its place while runs come in', async () => {
  await page.goto(list())
  await row(hostile).waitFor()
  const scroller = page.getByRole('region', { name: 'Runs' })
  // Each look goes to what is the end by then, until the pages on the way have come.
  await until(
    async () => {
      await scroller.evaluate((e) => e.scrollTo(0, e.scrollHeight))
      return row('run 000').count()
    },
    (n) => n > 0,
  )
  assert.ok((await page.locator('tr[data-run]').count()) < 60)
  await scroller.evaluate((e) => e.scrollTo(0, 60 * 49))
  await row('run 185').waitFor()
  const place = () => row('run 185').evaluate((e) => Math.round(e.getBoundingClientRect().top))
  await row('run 185').getByRole('checkbox').check()
  const stood = await place()
  const added = await submit('came in meanwhile')
  await page.getByText(`${many + 2} runs`).waitFor()
  await settled(page)
  assert.ok(Math.abs((await place()) - stood) <= 1, `${stood} to ${await place()}`)
  assert.ok(await row('run 185').getByRole('checkbox').isChecked())
  await scroller.evaluate((e) => e.scrollTo(0, 0))
  await row('came in meanwhile').waitFor()
  await until(() => call(base, `/runs/${added.id}`), (r) => r.finished_at)
  quiet()
})

test('several runs are archived, brought back and deleted, and what is refused is said', async () => {
  await page.goto(list("&filter=name LIKE 'run 00%'"))
  for (const name of ['run 001', 'run 002']) await row(name).getByRole('checkbox').check()
  const bar = page.getByRole('toolbar', { name: 'Ticked runs' })
  await bar.getByRole('button', { name: 'Archive' }).click()
  await page.getByText('2 runs archived').waitFor()
  await row('run 001').waitFor({ state: 'detached' })
  await page.getByLabel('Archived').selectOption('1')
  await row('run 001').getByRole('checkbox').check()
  await bar.getByRole('button', { name: 'Bring back' }).click()
  await row('run 001').waitFor({ state: 'detached' })
  await page.getByLabel('Archived').selectOption('')
  await row('run 001').getByRole('checkbox').check()
  await bar.getByRole('button', { name: 'Retry' }).click()
  const alert = page.getByRole('alert').filter({ hasText: '1 run was not retried' })
  await alert.waitFor()
  assert.match(await alert.innerText(), /run 001.*nothing to retry/s)
  assert.deepEqual(await seriousFindings(page), [])
  await row('run 003').getByRole('checkbox').check()
  await bar.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog', { name: 'Delete 2 runs?' }).getByRole('button', { name: 'Back' }).click()
  await row('run 003').waitFor()
  await bar.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await row('run 003').waitFor({ state: 'detached' })
  await page.getByText('2 runs deleted').waitFor()
  quiet()
})

test('a phone shows the list, and its filters fit', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  for (const more of ['', '&group=experiment']) {
    await phone.page.goto(list(more))
    await phone.page.locator('tbody tr').first().waitFor()
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0)
  }
  assert.deepEqual(phone.complaints, [])
})
