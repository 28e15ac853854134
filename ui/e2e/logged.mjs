// Drives what an endpoint's page says of logged requests and of quality, the editor of inference graphs, deploying from a model's page, and
// the workers on the system's page, on a real server that serves a real model.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
//   SHOTS            a folder for pictures; none without
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'
import { registerServed } from './served.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const name = `logged-${Date.now()}`
const graph = `over-${name}`

let browser
let page
let complaints

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const row = (id, n = 0) => page.locator(`tr[data-request="${id}/${n}"]`)

/** A picture in light and dark, wide and as on a phone. */
async function shots(what) {
  if (!process.env.SHOTS) return
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.screenshot({ path: `${process.env.SHOTS}/${what}-${scheme}.png`, fullPage: true })
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 390, height: 800 })
  await page.screenshot({ path: `${process.env.SHOTS}/${what}-phone.png`, fullPage: true })
  await page.setViewportSize({ width: 1280, height: 800 })
}

const serving = { prefix: '/v2' }
const infer = (id, values) =>
  call(base, `/models/${name}/infer`, { ...serving, body: { id, inputs: [{ name: 'x', shape: [values.length], datatype: 'FP64', data: values }] } })

before(async () => {
  await registerServed(base, name, [{}, { shift: 1 }])
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(async () => {
  await call(base, `/graphs/${graph}`, { method: 'DELETE' }).catch(() => undefined)
  await call(base, `/endpoints/${name}`, { method: 'DELETE' }).catch(() => undefined)
  await browser?.close()
})

test('a version is deployed from the page of its model', async () => {
  await page.goto(`${base}/models/${name}?version=1`)
  await page.getByRole('button', { name: 'Deploy' }).click()
  const dialog = page.getByRole('dialog', { name: 'Deploy a model' })
  await until(() => dialog.getByLabel('Model').inputValue(), (value) => value === name) // once the list of models is there
  await dialog.getByLabel('Version').and(dialog.locator('select')).selectOption('1')
  await dialog.getByLabel('Endpoint').fill(name)
  assert.deepEqual(await seriousFindings(page), [])
  await dialog.getByRole('button', { name: 'Deploy' }).click()
  await page.getByRole('heading', { level: 1, name }).waitFor()
  await page.locator('tr[data-version="1"] [data-state=SUCCEEDED]').waitFor()
  quiet()
})

test('an endpoint that logs nothing says how it would', async () => {
  await page.getByRole('tab', { name: 'Requests' }).click()
  await page.getByText('No request is logged. A share of them is, with their answers, after:').waitFor()
  await page.getByRole('tab', { name: 'Quality' }).click()
  await page.getByText('This endpoint logs no requests, so nothing can be compared with the truth.').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('logged requests come into the list by themselves, and one opens with what it asked and got', async () => {
  await page.getByRole('tab', { name: 'Requests' }).click()
  const { spec } = await call(base, `/endpoints/${name}`)
  const settings = { ...spec.settings, log: { sample: 1, drop: ['secret'] } }
  await call(base, `/endpoints/${name}`, { method: 'PUT', body: { ...spec, settings } })
  await page.getByText(/^Every request is logged with its answer, without secret, /).waitFor()
  await infer('first', [3, 4])
  await row('first', 1).waitFor() // no reload: the stream of changes says that requests came
  await infer('second', [5])
  await row('second').getByText('x=5').waitFor()
  const shown = await page.locator('tr[data-request]').evaluateAll((rows) => rows.map((r) => r.dataset.request))
  assert.deepEqual(shown, ['second/0', 'first/0', 'first/1'])
  await row('first', 1).getByRole('button', { name: 'first, row 1' }).press('Enter')
  const dialog = page.getByRole('dialog', { name: 'Request first, row 1' })
  await dialog.getByRole('table', { name: 'Inputs' }).getByRole('row', { name: 'x 4' }).waitFor()
  await dialog.getByText('Nobody has said yet what became of it.').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  quiet()
})

test('requests are narrowed by version, status and time, and the address holds that', async () => {
  await assert.rejects(call(base, `/models/${name}/infer`, { ...serving, body: { id: 'wrong', inputs: [{ name: 'x', shape: [1], datatype: 'BYTES', data: ['a'] }] } }))
  await call(base, `/endpoints/${name}/deploy`, { body: { model: `models:/${name}/2`, percent: 0 } })
  await until(() => call(base, `/endpoints/${name}`), (e) => e.versions.find((v) => v.version === '2')?.state === 'READY')
  await call(base, `/endpoints/${name}/traffic`, { method: 'PUT', body: { split: [{ version: '2', percent: 100 }] } })
  await until(() => call(base, `/endpoints/${name}`), (e) => e.versions.find((v) => v.version === '2')?.percent === 100) // requests follow it by now
  await infer('of-2', [1])
  await row('of-2').waitFor()
  await page.getByLabel('Version', { exact: true }).selectOption('2')
  await row('first').waitFor({ state: 'detached' })
  await row('of-2').waitFor()
  await page.getByLabel('Version', { exact: true }).selectOption('')
  await row('first').waitFor()
  await page.getByLabel('Status').selectOption('shed')
  await page.getByText('No logged request is like this.').waitFor()
  await page.getByLabel('Status').selectOption('ok')
  await page.getByLabel('Time').selectOption('24h')
  await row('first').waitFor()
  assert.equal(new URL(page.url()).search, '?view=requests&status=ok&span=24h')
  await page.getByLabel('To', { exact: true }).fill('2020-01-01T00:00')
  await page.getByText(/since is not before until/).waitFor()
  await page.getByLabel('To', { exact: true }).fill('')
  await page.reload()
  await row('second').waitFor()
  quiet('400')
})

test('a long list is drawn by the rows in sight, and goes on where it ended', async () => {
  const bulk = Array.from({ length: 150 }, (_, i) => i)
  await Promise.all(bulk.map((i) => infer(`bulk-${i}`, [i])))
  await page.goto(`${base}/endpoints/${name}?view=requests`)
  const more = page.getByRole('button', { name: 'Load more' })
  await more.waitFor()
  assert.ok((await page.locator('tr[data-request]').count()) < 100)
  await more.click()
  await page.getByText(/^15[0-9] rows: these are all\.$/).waitFor()
  await page.keyboard.press('End')
  await row('first', 1).waitFor() // the last of all, at the end of the page
  await infer('newest', [9])
  await page.getByText('There are newer requests.').waitFor()
  await page.getByRole('button', { name: 'Show them' }).click()
  await row('newest').waitFor()
  quiet()
})

test('the truth stands at its request, and quality is drawn by version with pairs and intervals', async () => {
  const lines = [['first', 6, 0], ['first', 9, 1], ['second', 10], ['of-2', 2], ...Array.from({ length: 150 }, (_, i) => [`bulk-${i}`, 2 * i + (i % 2)])]
  const text = lines.map(([id, actual, n = 0]) => JSON.stringify({ request_id: id, row: n, actual: actual + 0.25 })).join('\n')
  await page.getByRole('tab', { name: 'Quality' }).click()
  await page.getByText('No truth is known of the requests of this time').waitFor()
  const response = await fetch(`${base}/api/v1/endpoints/${name}/truth`, { method: 'POST', headers: { 'Content-Type': 'application/jsonl' }, body: text })
  assert.equal((await response.json()).matched, lines.length)
  for (const plot of ['MAE', 'RMSE', 'bias', 'pairs']) await page.locator(`figure[data-plot="${plot}"][data-drawn]`).waitFor()
  const measured = page.locator('tr[data-window="2 served"]')
  await measured.locator('[data-column=Pairs]').getByText('151').waitFor()
  await measured.locator('[data-column=MAE]').getByText(/^[\d.]+ \([\d.]+ to [\d.]+\)$/).waitFor()
  await page.locator('tr[data-window="1 served"] [data-column=Pairs]').getByText('3').waitFor()
  await page.getByText(/of 15[0-9] predictions of the last hour/).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await shots('quality')
  await page.getByLabel('One measurement for each').selectOption('1h')
  await page.getByLabel('Requests of').selectOption('30d')
  await measured.waitFor()
  await page.getByRole('tab', { name: 'Requests' }).click()
  await row('bulk-149').locator('[data-column=Truth]').getByText('299.25').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await shots('requests')
  await row('bulk-149').getByRole('button').click()
  await page.getByRole('dialog').getByText('299.25').waitFor()
  await shots('request')
  await page.keyboard.press('Escape')
  quiet()
})

test('a graph is written with what is wrong at its line, and made after what changes was seen', async () => {
  await page.goto(`${base}/endpoints`)
  await page.getByRole('button', { name: 'New graph' }).click()
  const dialog = page.getByRole('dialog', { name: 'New inference graph' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByText('An endpoint or a graph is called so already.').waitFor()
  await dialog.getByLabel('Name').fill(graph)
  await dialog.getByRole('button', { name: 'Write it' }).click()
  await page.getByRole('heading', { level: 1, name: `New graph ${graph}` }).waitFor()
  const text = page.getByLabel('The graph as YAML')
  const make = page.getByRole('button', { name: 'Make the graph' })
  await page.getByRole('button', { name: 'Line 8' }).waitFor() // its step asks nobody yet
  assert.ok(await make.isDisabled())
  const good = `kind: graph\nname: ${graph}\ngraph:\n  nodes:\n    root:\n      router: sequence\n      steps:\n        - endpoint: ${name}\n`
  await text.fill(good.replace(`endpoint: ${name}`, 'endpoint: nobody'))
  await page.getByText(/there is no endpoint "nobody"/).waitFor()
  await page.getByRole('button', { name: 'Line 8' }).click()
  assert.equal(await text.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd)), '        - endpoint: nobody')
  await text.fill(good)
  await page.getByRole('group', { name: 'What changes' }).getByText(`- endpoint: ${name}`).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await make.click()
  await page.getByRole('heading', { level: 1, name: graph, exact: true }).waitFor()
  await page.locator(`tr[data-step="root/${name}"]`).waitFor()
  quiet('404') // it was not there
})

test('a graph is changed by its text: a step more, unless somebody else was faster', async () => {
  await page.getByRole('link', { name: 'Change' }).click()
  const text = page.getByLabel('The graph as YAML')
  await page.getByText('Nothing yet.').waitFor()
  const was = await text.inputValue()
  const changed = `${was}        - name: named\n          before:\n            set:\n              kind: "'double'"\n`
  await text.fill(changed.replace('sequence', 'fork'))
  await page.getByRole('button', { name: 'Line 6' }).waitFor()
  await shots('graph-wrong')
  await text.fill(changed)
  await page.getByText('4 new lines, 0 lines gone').waitFor()
  await shots('graph-edit')
  const { spec } = await call(base, `/graphs/${graph}`)
  await call(base, `/graphs/${graph}`, { method: 'PUT', body: { ...spec, description: 'changed by another' } })
  await page.getByText('The graph was changed meanwhile, to change 2').waitFor()
  await page.getByRole('group', { name: 'What changes' }).getByText('description: changed by another').waitFor()
  await page.getByRole('button', { name: 'Begin anew with what it is now' }).click()
  await until(() => text.inputValue(), (value) => value.includes('changed by another'))
  await text.fill(`${await text.inputValue()}        - name: named\n          before:\n            set:\n              kind: "'double'"\n`)
  await page.getByText('4 new lines, 0 lines gone').waitFor()
  await page.getByRole('button', { name: 'Apply the change' }).click()
  await page.locator('tr[data-step="root/named"]').waitFor()
  await page.getByText('changed by another').waitFor()
  await shots('graph')
  await assert.rejects(call(base, `/graphs/${graph}?generation=1`, { method: 'PUT', body: spec }), /409.*was changed meanwhile/)
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { level: 1, name: 'Endpoints' }).waitFor()
  await page.locator(`tr[data-graph="${graph}"]`).waitFor({ state: 'detached' })
  quiet('404')
})

test('the workers are on the page of the system, and a page of an endpoint says since when it counts', async () => {
  await page.goto(`${base}/system`)
  const workers = page.locator(`tr[data-workers="${name} 2"]`)
  await workers.locator('[data-state=SUCCEEDED]').waitFor()
  await workers.locator('[data-column=Runtime]').getByText(/^Python 3/).waitFor()
  await workers.locator('[data-column=Restarts]').getByText('0', { exact: true }).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await shots('system')
  await workers.getByRole('link', { name, exact: true }).click()
  await page.locator('tr[data-version="2"] [data-column=Answered]').getByText(/^since /).waitFor()
  await shots('endpoint')
  quiet()
})
