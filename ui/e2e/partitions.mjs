// Drives the partitions of a pipeline and the schedules in time zones on a real server: a first backfill partitions the pipeline, the
// strip is walked with the keyboard while runs go on, what failed is tried again, and a strip of thousands stays small.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { call, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const zone = 'Europe/Lisbon'

let browser
let page
let complaints
let folder
let pipeline

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const cell = (key) => page.locator(`[data-partition="${key}"]`)
const partitions = () => call(base, `/pipelines/${pipeline}/partitions`)
const counted = (state, n) => page.locator(`[data-count=${state}]`).getByText(new RegExp(`^${n} ${state}$`)).waitFor()
const backfills = () => call(base, `/backfills?pipeline_id=${pipeline}`)
const ended = () => until(backfills, (list) => list.backfills.every((b) => ['SUCCEEDED', 'FAILED', 'CANCELED'].includes(b.state)))

/** A step that fails while there is a file named broken, and on one day waits for a file. */
const spec = () =>
  JSON.stringify({
    schemaVersion: '2.1.0', pipelineInfo: { name: 'days' },
    deploymentSpec: { executors: { e: { container: { image: 'alpine', command: ['sh', '-ec', `if test $0 = 2013-01-02; then test ! -e ${folder}/broken; fi; if test $0 = 2013-01-05; then while ! test -e ${folder}/go; do sleep 0.1; done; fi`, "{{$.inputs.parameters['day']}}"] } } } },
    components: { op: { executorLabel: 'e', inputDefinitions: { parameters: { day: { parameterType: 'STRING' } } } } },
    root: {
      inputDefinitions: { parameters: { day: { parameterType: 'STRING' }, rows: { parameterType: 'NUMBER_INTEGER', defaultValue: 1 } } },
      dag: { tasks: { step: { taskInfo: { name: 'step' }, componentRef: { name: 'op' }, inputs: { parameters: { day: { componentInputParameter: 'day' } } } } } },
    },
  })

before(async () => {
  // Steps have a /tmp of their own, and the checkout may lie in the machine's.
  const cache = process.env.LEVADA_TEST_CACHE ?? fileURLToPath(new URL('../../.cache/', import.meta.url))
  await mkdir(cache, { recursive: true })
  folder = await mkdtemp(join(cache, 'days-'))
  await writeFile(join(folder, 'broken'), '')
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base, { timezoneId: zone }))
  page.setDefaultTimeout(patience)
  pipeline = (await call(base, '/pipelines', { body: { spec: spec(), name: `days ${Date.now()}` } })).pipeline_id
})

after(async () => {
  await browser?.close()
  await rm(folder, { recursive: true, force: true })
})

test('the first backfill says how the pipeline is partitioned, and what it would do', async () => {
  await page.goto(`${base}/pipelines/${pipeline}`)
  await page.getByRole('tab', { name: 'Partitions' }).click()
  await page.getByText('This pipeline is not partitioned').waitFor()
  await page.getByRole('button', { name: 'Backfill' }).click()
  const dialog = page.getByRole('dialog')
  assert.equal(await dialog.getByLabel('Parameter').inputValue(), 'day')
  assert.equal(await dialog.getByLabel('Time zone').inputValue(), zone)
  await page.getByRole('button', { name: 'Start the backfill' }).click()
  await dialog.getByText('The first one is needed').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.closest('[data-field]')?.getAttribute('data-field')), 'From')
  await dialog.getByLabel('From').fill('2013-01-01')
  await dialog.getByLabel('To', { exact: true }).fill('2013-01-06')
  await dialog.getByText('6 partitions would run: 2013-01-01 to 2013-01-06.').waitFor()
  assert.equal((await partitions()).definition, undefined)
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('button', { name: 'Start the backfill' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.locator('[data-backfill]').getByText('of 6 done').waitFor()
  const { definition } = await partitions()
  assert.deepEqual(definition, { parameter: 'day', every: 'daily', start: '2013-01-01', time_zone: zone })
  quiet()
})

test('thousands of partitions are a strip of which only what is in sight is there; the keyboard goes along it', async () => {
  await page.goto(`${base}/pipelines/${pipeline}?view=partitions`)
  const { total } = await partitions()
  assert.ok(total > 4000, `${total}`)
  const strip = page.getByRole('toolbar', { name: 'partitions by day' })
  await strip.locator(`[data-at="${total - 1}"][data-state=missing]`).waitFor()
  assert.ok((await strip.getByRole('button').count()) < 200)
  await strip.locator(`[data-at="${total - 1}"]`).focus()
  await page.keyboard.press('Home')
  await page.locator('[data-partition="2013-01-01"]:focus').waitFor()
  await page.keyboard.press('ArrowRight')
  await page.locator('[data-partition="2013-01-02"]:focus').waitFor()
  assert.ok((await strip.getByRole('button').count()) < 200)
  await page.keyboard.press('Enter')
  await page.locator('[data-selected="2013-01-02"]').waitFor()
  quiet()
})

test('the states change as runs end, without a reload', async () => {
  await page.locator('[data-partition="2013-01-02"][data-state=failed]').waitFor()
  await page.locator('[data-partition="2013-01-05"][data-state=running]').waitFor()
  await page.locator('[data-partition="2013-01-06"][data-state=done]').waitFor()
  await page.locator('[data-selected="2013-01-02"]').getByText('is failed').waitFor()
  assert.equal(await cell('2013-01-05').getAttribute('aria-label'), '2013-01-05: running')
  await page.evaluate(() => (window.kept = true))
  await writeFile(join(folder, 'go'), '')
  await page.locator('[data-partition="2013-01-05"][data-state=done]').waitFor()
  await counted('done', 5)
  await counted('failed', 1)
  await page.locator('[data-backfill]').getByText('Failed', { exact: true }).waitFor()
  assert.equal(await page.evaluate(() => window.kept), true)
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('what failed is tried again, and the runs of a backfill are found', async () => {
  await rm(join(folder, 'broken'))
  await page.getByRole('button', { name: /^Retry what failed/ }).click()
  await page.locator('[data-partition="2013-01-02"][data-state=done]').waitFor()
  await page.locator('[data-backfill]').getByText('Succeeded', { exact: true }).waitFor()
  await ended()
  await page.locator('[data-backfill]').getByRole('link', { name: '6 of 6 done' }).click()
  await page.getByText('Runs of the backfill').waitFor()
  await page.getByText('6 of 6').or(page.getByRole('link', { name: /2013-01-06/ })).first().waitFor()
  quiet()
})

test('a backfill is paused, resumed and cancelled', async () => {
  await rm(join(folder, 'go'), { force: true })
  await page.goto(`${base}/pipelines/${pipeline}?view=partitions`)
  await page.getByRole('button', { name: 'Backfill' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('From').fill('2013-01-05')
  await dialog.getByLabel('To', { exact: true }).fill('2013-01-08')
  await dialog.getByLabel('Runs at once').fill('1')
  await dialog.getByText('2 partitions would run: 2013-01-07 to 2013-01-08. Left out: 2 done.').waitFor()
  await dialog.getByLabel('done').check()
  await dialog.getByText('4 partitions would run').waitFor()
  await page.getByRole('button', { name: 'Start the backfill' }).click()
  await page.getByRole('button', { name: /^Pause/ }).click()
  await page.getByRole('button', { name: /^Resume/ }).click()
  await page.getByRole('button', { name: /^Cancel backfill/ }).click()
  await page.getByRole('button', { name: 'Cancel the backfill' }).click()
  await page.locator('[data-backfill]').first().getByText('Canceled', { exact: true }).waitFor()
  assert.equal((await ended()).backfills[0].state, 'CANCELED')
  await writeFile(join(folder, 'go'), '')
  quiet()
})

test('a schedule is meant in the time zone of the browser, with a policy and a deadline', async () => {
  await page.goto(`${base}/pipelines/${pipeline}/run?when=schedule`)
  const field = (label) => page.locator(`[data-field="${label}"]`)
  assert.equal(await field('Time zone').locator('input').inputValue(), zone)
  const times = page.getByRole('list', { name: 'The next times' })
  assert.match(await times.getByRole('listitem').nth(4).innerText(), /06:00:00/)
  await field('Time zone').locator('input').fill('Mars/Olympus')
  await page.getByText('There is no time zone “Mars/Olympus”').waitFor()
  await field('Time zone').locator('input').fill(zone)
  await field('From').locator('input').fill('2030-07-01T06:00')
  await field('When so many are active').locator('select').selectOption('skip')
  await field('Start within').locator('input').fill('30')
  await times.getByText('2 Jul 2030').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  const name = `zoned ${Date.now()}`
  await page.getByLabel('Name', { exact: true }).fill(name)
  await field('day').locator('textarea, input').fill('[[ScheduledTime.2006-01-02]]')
  await page.getByRole('button', { name: 'Create the recurring run' }).click()
  await page.getByRole('row', { name }).getByText(`every day at 06:00 (${zone})`).waitFor()
  const made = (await call(base, `/recurring-runs?q=${encodeURIComponent(name)}`)).recurring_runs[0]
  assert.deepEqual(made.trigger, { cron: '0 0 6 * * *', time_zone: zone, start: '2030-07-01T05:00:00Z' })
  assert.deepEqual([made.concurrency_policy, made.starting_deadline_seconds, made.next_at], ['skip', 1800, '2030-07-02T05:00:00Z'])
  await call(base, `/recurring-runs/${made.id}`, { method: 'DELETE' })

  await page.goto(`${base}/pipelines/${pipeline}/run?when=schedule`)
  await field('Start runs').locator('select').selectOption('once')
  await field('At').locator('input').fill('2030-07-01T06:00')
  await times.getByText('1 Jul 2030').waitFor()
  assert.equal(await times.getByRole('listitem').count(), 1)
  quiet()
})
