// What a person changes in the pages: retries a run, pauses and deletes a recurring run. It starts runs of its own on a
// real server and drives a real browser. local.mjs starts the server.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds a run may take to end, by default 120
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, submit, until } from './api.mjs'
import { launch, openPage } from './browser.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000

let browser
let page
let complaints
let spec

const eachSecond = (display_name) => ({
  display_name,
  max_concurrency: '1',
  mode: 'ENABLE',
  no_catchup: true,
  trigger: { periodic_schedule: { interval_second: '1' } },
  pipeline_spec: spec,
})
const state = () => page.locator('header h1 ~ [data-state]')
const retry = () => page.getByRole('button', { name: 'Retry', exact: true })
const shows = (word) => state().filter({ hasText: word }).waitFor({ timeout: patience })

before(async () => {
  const id = await submit(base, 'failing', 'for its specification')
  spec = (await call(base, `/runs/${id}/spec`)).pipeline_spec
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(() => browser?.close())

test('a run that was cancelled goes on after Retry, on the same page and to its end', async () => {
  const id = await submit(base, 'succeeding', 'to be cancelled', { cache: false, parameters: { pause: 0.2 } })
  await page.goto(`${base}/runs/${id}`)
  await page.evaluate(() => {
    window.sameDocument = true
  })
  await page.getByRole('button', { name: 'Cancel run' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel run' }).click()
  await shows('Canceled')
  await retry().focus()
  await page.keyboard.press('Enter')
  await shows('Running')
  assert.equal(await retry().count(), 0)
  await shows('Succeeded')
  const { tasks } = await call(base, `/runs/${id}/tasks`)
  for (const task of tasks.filter((t) => !t.parent)) {
    await page.locator(`[data-path="${task.path}"][data-state="${task.state}"]`).waitFor()
  }
  assert.equal(await page.locator('main [role=alert]').count(), 0)
  assert.equal(await page.evaluate(() => window.sameDocument), true)
  assert.deepEqual(complaints.splice(0), [])
})

test('a failed run is retried, and a page that was open shows its new end', async () => {
  const id = await submit(base, 'failing', 'to be retried')
  await page.goto(`${base}/runs/${id}`)
  await shows('Failed')
  const first = await call(base, `/runs/${id}`)
  const attempts = async () => (await call(base, `/runs/${id}/tasks`)).tasks.find((t) => t.name === 'broken')?.attempts ?? 0
  const earlier = await attempts()
  await retry().click()
  // However short the second try is, the button comes back only for the new end.
  const run = await until(() => call(base, `/runs/${id}`), (r) => r.finished_at && r.finished_at !== first.finished_at)
  await retry().waitFor()
  await shows('Failed')
  assert.equal(run.state, 'FAILED')
  assert.ok((await attempts()) > earlier)
  assert.deepEqual(complaints.splice(0), [])
})

test('a retry that the server refuses says why', async () => {
  const id = await submit(base, 'failing', 'to be deleted')
  await page.goto(`${base}/runs/${id}`)
  await shows('Failed')
  await until(() => call(base, `/runs/${id}`), (r) => r.state === 'FAILED')
  await call(base, `/runs/${id}`, { method: 'DELETE' })
  await retry().click()
  const alert = page.getByRole('alert').filter({ hasText: 'The run was not retried' })
  await alert.waitFor()
  assert.match(await alert.innerText(), new RegExp(id))
  assert.ok(await retry().isEnabled())
  assert.ok(complaints.splice(0).every((c) => c.includes('404')))
})

test('a recurring run is paused, resumed and deleted, and leads to the runs it started', async () => {
  const name = 'each second'
  const { recurring_run_id: id } = await call(base, '/recurringruns', { prefix: '/apis/v2beta1', body: eachSecond(name) })
  const recurringRun = () => call(base, `/recurring-runs/${id}`)
  await page.goto(base)
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Recurring runs' }).click()
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) })
  await row.getByText('every second').waitFor()
  await row.getByRole('link', { name: `of ${name}` }).waitFor()

  await row.getByRole('button', { name: `Pause ${name}` }).focus()
  await page.keyboard.press('Space')
  await row.getByText('Paused', { exact: true }).waitFor()
  assert.equal((await recurringRun()).enabled, false)
  assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), `Resume ${name}`)
  const last = (await call(base, `/runs?recurring_run_id=${id}&page_size=1`)).runs[0]
  await row.locator(`a[href="/runs/${last.id}"]`).waitFor()

  await row.getByRole('link', { name: `of ${name}` }).click()
  await page.getByText(`Runs of the recurring run ${name}`).waitFor()
  await page.locator(`a[href="/runs/${last.id}"]`).click()
  await page.getByRole('heading', { level: 1, name: last.display_name }).waitFor()
  await page.getByRole('link', { name, exact: true }).waitFor()

  await page.getByRole('link', { name: 'Recurring runs', exact: true }).click()
  await row.getByRole('button', { name: `Resume ${name}` }).click()
  await row.getByText('Enabled', { exact: true }).waitFor()
  assert.equal((await recurringRun()).enabled, true)

  await row.getByRole('button', { name: `Delete ${name}` }).click()
  await page.getByRole('dialog', { name: `Delete ${name}?` }).getByRole('button', { name: 'Back' }).click()
  assert.equal((await recurringRun()).id, id)
  await row.getByRole('button', { name: `Delete ${name}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { name: 'No recurring runs yet' }).waitFor()
  await call(base, `/runs/${last.id}`)
  await page.goto(`${base}/runs?recurring=${id}`)
  await page.getByText('Runs of a recurring run that was deleted').waitFor()
  assert.ok(complaints.splice(0).every((c) => c.includes('404')))
})

test('a phone shows the recurring runs without being too narrow for them', async () => {
  const { recurring_run_id: id } = await call(base, '/recurringruns', { prefix: '/apis/v2beta1', body: eachSecond('a name that needs two lines on a phone, for it is long') })
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  await phone.page.goto(`${base}/recurring-runs`)
  await phone.page.getByRole('button', { name: /^Pause/ }).waitFor()
  assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0)
  assert.deepEqual(phone.complaints, [])
  await call(base, `/recurring-runs/${id}`, { method: 'DELETE' })
})
