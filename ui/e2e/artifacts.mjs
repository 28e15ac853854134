// Drives the pages of artifacts and lineage on a real server: a pipeline makes tables, a model and a registered version of it, and a
// second run reuses what the first has made.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { call, succeed } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage, settled } from './browser.mjs'
import { createExperiment, createRun } from './seed.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const model = `delays ${Date.now()}`
const parquet = await readFile(new URL('../../internal/adapter/tabular/testdata/types.parquet', import.meta.url))

let browser
let page
let complaints
let run
const made = {}

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !['frame is sandboxed', ...expected].some((e) => c.includes(e))), [])
const box = (id) => page.locator(`[data-node="${CSS.escape(id)}"]`)
const query = () => new URL(page.url()).searchParams
const CSS = { escape: (text) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"') }

const go = async (display_name) => (await succeed(base, 'artifacts', display_name, { parameters: { parquet: parquet.toString('base64'), model } })).id

before(async () => {
  run = await go('artifacts and lineage')
  await go('the same again')
  const { artifacts } = await call(base, `/runs/${run}/artifacts`)
  for (const a of artifacts) made[a.name] = a
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(() => browser?.close())

const artifact = (name, more = '') => `${base}/artifacts/${made[name].id}${more}`

test('an artifact is found by its name and its type, and the address holds both', async () => {
  await page.goto(`${base}/artifacts`)
  await page.getByLabel('Name contains').fill('tabl')
  await page.locator(`[data-artifact="${made.table.id}"]`).waitFor()
  await page.getByLabel('Type').selectOption('system.Model')
  await page.getByRole('heading', { name: 'No artifact matches' }).waitFor()
  assert.equal(query().get('type'), 'system.Model')
  await page.getByLabel('Name contains').fill('mod')
  await page.locator(`[data-artifact="${made.model.id}"] a`).first().focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'model' }).waitFor()
  quiet()
})

test('a Parquet file shows its first rows and what its columns are like', async () => {
  await page.goto(artifact('table'))
  const rows = page.getByRole('region', { name: 'First rows of table' })
  await rows.getByText('18446744073709551615').first().waitFor()
  assert.equal(await rows.getByRole('row').count(), 101)
  await page.getByText('Parquet, 300 rows, 22 columns').waitFor()
  await page.getByRole('button', { name: 'Columns', exact: true }).click()
  const delay = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'delay', exact: true }) })
  await delay.getByRole('img', { name: /Histogram from -2.25 to 1e\+300/ }).waitFor()
  assert.match(await delay.innerText(), /number\s+43 \(14 %\)\s+3/)
  quiet()
})

test('text in cells is shown as it is, and a table can be read as text', async () => {
  await page.goto(artifact('data'))
  await page.getByText("<img src=x onerror=document.title='ran'>").first().waitFor()
  await page.getByText('CSV, 2,000 rows, 3 columns').waitFor()
  await page.getByRole('button', { name: 'Show as text' }).click()
  await page.locator('[data-preview=text] code').first().waitFor()
  assert.equal(await page.locator('[data-preview=text] code').first().innerText(), 'carrier,hour,delay')
  assert.doesNotMatch(await page.title(), /ran/)
  await page.goto(artifact('lines'))
  await page.getByText('JSON lines, 50 rows, 4 columns').waitFor()
  quiet()
})

test('a directory is a tree; each file has its form, and the address holds the open one', async () => {
  await page.goto(artifact('model'))
  await page.getByRole('button', { name: 'MLmodel' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('table', { name: 'Inputs' }).getByRole('row', { name: 'hour long optional' }).waitFor()
  await page.getByText('mlflow.sklearn').waitFor()
  assert.equal(query().get('file'), 'MLmodel')
  await page.getByRole('button', { name: 'code/' }).press('Enter')
  await page.getByRole('button', { name: 'train.py' }).click()
  await page.locator('[data-preview=text] code').getByText('return').waitFor()
  assert.equal(query().get('file'), 'code/train.py')
  await page.reload()
  await page.locator('[data-preview=text] code').getByText('return').waitFor()
  const hostile = await openPage(browser, base)
  await hostile.page.goto(artifact('model', `?file=${encodeURIComponent('code/<b>name<b>.log')}`))
  await hostile.page.getByText('more characters').waitFor()
  assert.ok(await hostile.page.getByText('\x1b[31mred').isVisible())
  assert.ok((await hostile.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0)
  assert.deepEqual(hostile.complaints, [])
  await hostile.page.context().close()
  quiet()
})

test('what is not there is said', async () => {
  await page.goto(`${base}/artifacts/nothing`)
  await page.getByText('There is no artifact of this name or id').waitFor()
  await page.goto(`${base}/lineage?node=artifact:nothing`)
  await page.getByText('There is no lineage of this name or id').waitFor()
  await page.goto(`${base}/lineage?node=nonsense`)
  await page.getByRole('alert').getByText('names no node').waitFor()
  await page.goto(`${base}/lineage`)
  await page.getByRole('heading', { name: 'Of what?' }).waitFor()
  const { artifacts } = await call(base, `/artifacts?name=artifact&page_size=1`)
  await page.goto(`${base}/artifacts/${artifacts[0].id}`)
  await page.getByText('Levada does not hold the content').waitFor()
  quiet('404', '400')
})

test('which data a model in production was trained on takes three clicks', async () => {
  await page.goto(base)
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Models' }).click()
  await page.getByRole('link', { name: model, exact: true }).click()
  await page.getByRole('link', { name: 'Lineage', exact: true }).first().click()
  await page.getByRole('heading', { name: 'Made from this data' }).waitFor()
  const sources = page.locator('section[aria-label=Lineage] ul').first()
  assert.match(await sources.innerText(), /flights-2013\.csv[\s\S]*imported/)
  assert.match(await sources.innerText(), /flights-2013\s*Dataset · training/)
  quiet()
})

test('the graph leads from the data to the alias, through the first of the runs that share a result', async () => {
  await page.goto(`${base}/lineage?node=${encodeURIComponent(`model:${model}/1`)}`)
  await page.locator('[data-kind=model-version]').getByText('@champion').waitFor()
  const graph = await call(base, `/lineage?node=${encodeURIComponent(`model:${model}/1`)}&direction=up`)
  const tasks = graph.nodes.filter((n) => n.kind === 'task')
  assert.deepEqual(
    tasks.map((n) => [n.name, n.run_id]),
    [['prepare', made.data.run_id], ['fit-model', made.model.run_id], ['register-model', run]],
  )
  assert.ok(tasks.every((n) => n.reused >= 1))
  for (const node of graph.nodes) await box(node.id).waitFor({ state: 'attached' })
  await page.getByLabel('Find in the lineage').fill('prepare')
  await page.getByText(`1 of ${graph.nodes.length} nodes match`).waitFor()
  assert.equal(query().get('find'), 'prepare')
  const prepare = page.getByRole('link', { name: 'prepare, Task' })
  await prepare.focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/runs/${made.data.run_id}/tasks/**`)
  quiet()
})

test('what a list says is what the graph shows, and more is read from its edge', async () => {
  const node = encodeURIComponent(`artifact:${made.data.id}`)
  await page.goto(`${base}/lineage?node=${node}&as=list`)
  const row = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) })
  await row(/^fit-model/).first().getByText('1 after').waitFor()
  assert.match(await row(/^prepare/).innerText(), /flights-2013\.csv as raw/)
  await page.getByLabel('Which way').selectOption('down')
  await row(/^prepare/).waitFor({ state: 'detached' })
  assert.equal(query().get('way'), 'down')
  const g = await call(base, `/lineage?node=${node}&direction=down&depth=1`)
  assert.equal(g.nodes.find((n) => n.name === 'fit-model').more_down, true)
  await page.goto(artifact('data', '?tab=lineage&as=graph'))
  await page.locator('[data-kind=task]').first().waitFor()
  await page.getByRole('tab', { name: 'Lineage' }).waitFor()
  quiet()
})

test('of a node with many neighbours more are shown each time that it is opened', async () => {
  const name = `widely read ${Date.now()}`
  const mlflow = (path, body) => call(base, path, { prefix: '/api/2.0/mlflow', body })
  const experiment = await createExperiment(base, name)
  const readers = 130
  for (let i = 0; i < readers; i++) {
    const { run_id } = await createRun(base, experiment, `reader ${i}`)
    await mlflow('/runs/log-inputs', { run_id, datasets: [{ dataset: { name, digest: 'abc', source_type: 'local', source: '{}' }, tags: [] }] })
  }
  await page.goto(`${base}/lineage?node=${encodeURIComponent(`dataset:${name}@abc`)}&as=list`)
  const more = page.getByRole('button', { name: `Show what came of ${name}` })
  for (const shown of [25, 100, readers]) {
    await page.getByText(`${shown + 1} nodes`).waitFor()
    if (shown < readers) await more.click()
  }
  await more.waitFor({ state: 'detached' })
  assert.equal(query().getAll('open').length, 2)
  quiet()
})

test('axe finds nothing serious, and a phone shows everything without being too narrow', async () => {
  const version = encodeURIComponent(`model:${model}/1`)
  const screens = ['/artifacts', artifact('table').slice(base.length), artifact('model', '?file=MLmodel').slice(base.length), artifact('model', '?file=params.yaml').slice(base.length), artifact('data', '?tab=lineage').slice(base.length), `/lineage?node=${version}`, `/lineage?node=${version}&as=list`]
  for (const colorScheme of ['light', 'dark']) {
    const wide = await openPage(browser, base, { colorScheme, reducedMotion: 'reduce' })
    // Colours are what differs in the dark; one screen of each kind has them all.
    for (const screen of colorScheme === 'dark' ? [screens[1], screens[3], screens[5]] : screens) {
      await wide.page.goto(base + screen)
      await settled(wide.page)
      assert.deepEqual(await seriousFindings(wide.page), [], `${screen} ${colorScheme}`)
      if (screen === screens[1]) {
        await wide.page.getByRole('button', { name: 'Columns', exact: true }).click()
        assert.deepEqual(await seriousFindings(wide.page), [], `${screen} columns ${colorScheme}`)
      }
    }
    await wide.page.context().close()
  }
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  for (const screen of screens) {
    await phone.page.goto(base + screen)
    await settled(phone.page)
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0, screen)
  }
  assert.deepEqual(phone.complaints, [])
})
