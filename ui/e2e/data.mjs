// Drives what the pages say about tables on a real server: profiles that the server makes by itself, versions that are compared, reports of
// checks and drift, and how drift went from run to run.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { call, succeed, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage, settled } from './browser.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000

let browser
let page
let complaints
const first = {}
const second = {}

const program = process.env.LEVADA_BIN ?? fileURLToPath(new URL('../../bin/levada', import.meta.url))
const levada = (...args) => promisify(execFile)(program, [...args, '--server', base])
const quiet = () => assert.deepEqual(complaints.splice(0), [])
const query = () => new URL(page.url()).searchParams
const row = (name) => page.locator(`tr[data-column="${name}"]`)

async function go(display_name, parameters, into) {
  const { id } = await succeed(base, 'data', display_name, { parameters })
  const { artifacts } = await call(base, `/runs/${id}/artifacts`)
  for (const a of artifacts) into[a.task_name] = a
}

before(async () => {
  await go('the first day', { rows: 2000, shift: 0 }, first)
  await go('the second day', { rows: 2500, shift: 40 }, second)
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(() => browser?.close())

test('a table that a step made shows the profile of all its rows', async () => {
  await page.goto(`${base}/artifacts/${second.make.id}?tab=profile`)
  await page.getByText('2,500 rows, 4 columns, all of them read.').waitFor()
  const delay = row('delay')
  assert.match(await delay.innerText(), /integer\s+0\s+101\s+40\s+140\s+89\.972/)
  await delay.getByRole('img', { name: /Histogram of delay from 40 to 140/ }).waitFor()
  await page.getByRole('button', { name: 'More about delay' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('table', { name: 'Quantiles' }).getByText('50 %').waitFor()
  await page.getByText('<img src=x onerror=document.title=1>').first().waitFor()
  assert.notEqual(await page.title(), '1')
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('two versions are compared, and the address says which', async () => {
  await page.goto(`${base}/artifacts/${second.make.id}?tab=profile`)
  const choice = page.getByRole('combobox', { name: /^Compare with/ })
  await choice.waitFor()
  await choice.selectOption(first.make.id)
  await page.locator('[data-change="delay max"]').getByText('140').waitFor()
  assert.equal(query().get('with'), first.make.id)
  await page.getByText('has 2,000 rows, this one 2,500 rows').waitFor()
  await page.getByLabel('Columns that tell rows apart').fill('id')
  await page.getByRole('button', { name: 'Compare rows' }).click()
  await page.getByText('0 the same, 2,000 changed, 500 added, 0 removed.').waitFor()
  assert.equal(query().get('key'), 'id')
  await page.reload()
  await page.getByText('0 the same, 2,000 changed, 500 added, 0 removed.').waitFor()
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('what cannot be read as a table says why, and is read again when somebody asks', async () => {
  await page.goto(`${base}/artifacts/${first.break.id}?tab=profile`)
  await page.getByText('This cannot be profiled as a table').waitFor()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('The profile is being made').waitFor()
  await page.getByText('This cannot be profiled as a table').waitFor()
  quiet()
})

test('a check lists what does not hold first, with examples', async () => {
  await page.goto(`${base}/artifacts/${first.check.id}`)
  await page.getByText('1 of 2 expectations does not hold').waitFor()
  const failed = page.locator('[data-report=check] tbody tr').first()
  assert.match(await failed.innerText(), /carrier\s+in_set \[A, B\]\s+fails\s+666 \(33 %\)\s+row 3: C/)
  await page.getByRole('button', { name: 'Show as text' }).click()
  await page.locator('[data-preview=text]').waitFor()
  quiet()
})

test('a drift report lists the columns, and leads to how it went over the runs', async () => {
  await page.goto(`${base}/artifacts/${second.drift.id}`)
  await page.getByText('1 of 3 columns drifted').waitFor()
  const delay = row('delay')
  await delay.getByText('drift', { exact: true }).waitFor()
  await delay.getByRole('img', { name: /Distribution of delay/ }).waitFor()
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('link', { name: 'How it went over the runs' }).click()
  await page.getByRole('heading', { level: 1, name: 'Drift of drift' }).waitFor()
  const history = page.locator('tr[data-column=delay]')
  await history.getByRole('img', { name: /^delay: no drift/ }).waitFor()
  await history.getByRole('img', { name: /^delay: drift/ }).waitFor()
  assert.match(await history.innerText(), /delay\s+1 of 2/)
  assert.equal(await page.locator('tr[data-column]').first().getAttribute('data-column'), 'delay')
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Data' }).click()
  const newest = page.getByRole('table', { name: 'The newest drift report of each task' }).locator('tr[data-task=drift]')
  assert.match(await newest.innerText(), /drift\s+data in the browser\s+no drift\s+1 of 3/)
  quiet()
})

test('the checks of a task say which expectation failed when', async () => {
  await page.goto(`${base}/artifacts/${second.check.id}`)
  await page.getByRole('link', { name: 'How it went over the runs' }).click()
  await page.getByRole('heading', { level: 1, name: 'Checks of check' }).waitFor()
  await page.getByText('2 checks, the oldest on the left').waitFor()
  const [worst, best] = [page.locator('tr[data-column=carrier]').first(), page.locator('tr[data-column=carrier]').last()]
  assert.match(await worst.innerText(), /carrier\s*in_set \[A, B\]\s+2 of 2/)
  assert.match(await best.innerText(), /carrier\s*not_null\s+0 of 2/)
  await worst.getByRole('img', { name: /^carrier in_set \[A, B\]: failed, 666 \(33 %\) of 2,000 not as expected/ }).waitFor()
  await best.getByRole('img', { name: 'carrier not_null: held' }).first().waitFor()
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Data' }).click()
  const line = page.getByRole('table', { name: 'The newest check of each task' }).locator('tr[data-task=check]')
  assert.match(await line.innerText(), /check\s+data in the browser\s+not as expected\s+1 of 2/)
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('images show which of them have issues, and how they look', async () => {
  await page.goto(`${base}/artifacts/${first.paint.id}?tab=profile`)
  await page.getByText('3 images, 3 (100 %) with an issue. 3 png; 3 RGB. Width 24, height 18 pixels.').waitFor()
  const issue = (name) => page.locator(`tr[data-issue=${name}]`)
  assert.match(await issue('exact_duplicates').innerText(), /exact duplicates\s+the same pixels as another\s+2 \(67 %\)/)
  assert.match(await issue('dark').innerText(), /dark\s+next to no light in it\s+1 \(33 %\)\s+0\.32\s+dog\/night\.png/)
  await page.getByRole('button', { name: 'Show images: exact duplicates' }).click()
  const picture = page.getByRole('img', { name: 'cat/one.png' })
  await picture.scrollIntoViewIfNeeded()
  await until(() => picture.evaluate((img) => img.naturalWidth), (width) => width === 24)
  await page.getByRole('img', { name: 'cat/<img src=x onerror=document.title=2>.png' }).waitFor()
  assert.notEqual(await page.title(), '2')
  await page.locator('[data-broken="dog/broken.png"]').waitFor()
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  await page.getByRole('link', { name: 'cat/one.png' }).click()
  await page.locator('[data-preview=image] img').waitFor()
  quiet()
})

test('texts show languages, near duplicates and what looks personal, never the values', async () => {
  await page.goto(`${base}/artifacts/${first.write.id}?tab=profile`)
  const personal = page.locator('[data-personal=email]')
  assert.match(await personal.innerText(), /contact\s*email addresses in 8 \(100 %\) of its values\s*such as xxx#@xxxxxxx\.xxx/)
  await page.getByRole('button', { name: 'More about text' }).click()
  assert.match(await page.locator('tr[data-language=en]').innerText(), /English\s+8 \(50 %\)/)
  assert.match(await page.locator('tr[data-language=de]').innerText(), /German\s+8 \(50 %\)/)
  await page.getByText(/Nearly the same as one before/).waitFor()
  assert.ok(!(await page.content()).includes('ada1@example.org'))
  await settled(page)
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('a monitor is listed with what it found last', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'levada-monitor-'))
  try {
    await writeFile(join(folder, 'suite.yaml'), 'columns: {age: [{between: [0, 120]}]}\n')
    await levada('monitors', 'set', 'people', '--table', join(folder, '*.csv'), '--suite', join(folder, 'suite.yaml'))
    await page.goto(`${base}/data`)
    const line = page.locator('tr[data-monitor=people]')
    await line.getByText('none yet').waitFor()
    assert.match(await line.innerText(), /people\s+new or changed files at .*\*\.csv/)
    await writeFile(join(folder, 'people.csv'), 'age\n20\n180\n')
    await line.getByText('1 of 1 expectation fails').waitFor()
    await line.getByRole('link', { name: 'Failed' }).waitFor()
    await settled(page)
    assert.deepEqual(await seriousFindings(page), [])
    await levada('monitors', 'delete', 'people')
    quiet()
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the report of a profile is shown as a profile', async () => {
  await page.goto(`${base}/artifacts/${first.profile.id}`)
  await page.getByText('2,000 rows, 4 columns').waitFor()
  await row('carrier').waitFor()
  quiet()
})

test('the pages fit on a phone', async () => {
  const small = await openPage(browser, base, { viewport: { width: 390, height: 800 } })
  small.page.setDefaultTimeout(patience)
  const width = () => small.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  for (const [at, text] of [
    [`/artifacts/${second.make.id}?tab=profile`, 'all of them read'],
    [`/artifacts/${second.make.id}?tab=profile&with=${first.make.id}`, 'this one 2,500 rows'],
    [`/artifacts/${second.drift.id}`, 'columns drifted'],
    [`/artifacts/${second.check.id}`, 'does not hold'],
    ['/drift?pipeline=data+in+the+browser&task=drift', 'the oldest on the left'],
    ['/checks?pipeline=data+in+the+browser&task=check', 'the oldest on the left'],
    ['/data', 'data in the browser'],
    [`/artifacts/${first.paint.id}?tab=profile`, 'with an issue'],
    [`/artifacts/${first.write.id}?tab=profile`, 'looks like personal data'],
  ]) {
    await small.page.goto(base + at)
    await small.page.getByText(text).first().waitFor({ state: 'attached' })
    assert.ok((await width()) <= 0, `${at} is wider than a phone`)
  }
  assert.deepEqual(small.complaints, [])
  await small.page.context().close()
})
