// Drives the pages of a real server in a real browser.
//   LEVADA_URL       the server, by default http://127.0.0.1:8080
//   LEVADA_RUN_ID    the run to look at; it may still be going on. By default the newest one.
//   LEVADA_TIMEOUT   seconds that run may take to end, by default 120
//   CHROMIUM         the browser, by default /usr/bin/chromium
// Whatever the run is, the pages must show what the API says about it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, openPage } from './browser.mjs'

const base = (process.env.LEVADA_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '')
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const final = ['SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELED']

let browser
let page
let complaints
let run
let tasks

const api = async (path) => {
  const response = await fetch(`${base}/api/v1${path}`)
  assert.equal(response.status, 200, `GET ${path}: ${await response.clone().text()}`)
  return response.json()
}
const word = (state) => state[0] + state.slice(1).toLowerCase()
const leaf = (task) => task.kind === 'container' || task.kind === 'importer'
const taskUrl = (task, query = '') => `${base}/runs/${run.id}/tasks/${task.id}${query}`

/** Fails on anything the browser complained about; expected are parts of complaints that are right. */
function assertQuiet(...expected) {
  // The browser says so when an HTML artifact wants to run a script: that is the sandbox at work.
  const unexpected = complaints.splice(0).filter((c) => ![...expected, 'frame is sandboxed'].some((e) => c.includes(e)))
  assert.deepEqual(unexpected, [])
}

before(async () => {
  const id = process.env.LEVADA_RUN_ID
  run = id ? await api(`/runs/${id}`) : (await api('/runs?page_size=1')).runs[0]
  assert.ok(run, 'the server has no run to look at')
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
})

after(() => browser?.close())

test('the list shows the run and opens it', async () => {
  await page.goto(`${base}/runs`)
  await page.getByLabel('Name contains').fill(run.display_name)
  const link = page.locator(`a[href="/runs/${run.id}"]`)
  await link.waitFor()
  assert.equal(await link.innerText(), run.display_name)
  await page.getByLabel('Name contains').fill('no run is called this \u{1F6B1}')
  await page.getByText('No run matches.').waitFor()
  await page.getByRole('button', { name: 'Show all runs' }).click()
  await page.goto(`${base}/runs?q=${encodeURIComponent(run.display_name)}`)
  await link.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: run.display_name }).waitFor()
  assert.equal(new URL(page.url()).pathname, `/runs/${run.id}`)
  assertQuiet()
})

test('the page follows the run to its end without being loaded again', async () => {
  await page.evaluate(() => {
    window.sameDocument = true
  })
  await page.waitForFunction(
    (words) => words.includes(document.querySelector('header h1 ~ [data-state]')?.textContent ?? ''),
    final.map(word),
    { timeout: patience },
  )
  run = await api(`/runs/${run.id}`)
  tasks = (await api(`/runs/${run.id}/tasks`)).tasks
  assert.equal(await page.locator('header h1 ~ [data-state]').innerText(), word(run.state))
  assert.equal(await page.evaluate(() => window.sameDocument), true)
  if (run.failure) assert.ok((await page.locator('main').innerText()).includes(run.failure.message))
  assertQuiet()
})

test('the graph shows every task at the top with its state', async () => {
  for (const task of tasks.filter((t) => !t.parent)) {
    const box = page.locator(`[data-path="${task.path}"]`)
    await box.waitFor()
    assert.equal(await box.getAttribute('data-state'), task.state, task.path)
    assert.ok((await box.innerText()).includes(task.display_name))
  }
  assertQuiet()
})

test('the timeline has a row for every task at the top', async () => {
  await page.getByRole('tab', { name: 'Timeline' }).click()
  const table = page.getByRole('table', { name: 'Tasks along the time' })
  await table.waitFor()
  for (const task of tasks.filter((t) => !t.parent).slice(0, 10)) {
    await table.locator(`a[href^="/runs/${run.id}/tasks/${task.id}"]`).waitFor()
  }
  await page.getByRole('tab', { name: 'Graph' }).click()
  assertQuiet()
})

test('a task opens beside the graph and is closed with Escape', async () => {
  const task = tasks.find((t) => !t.parent && leaf(t))
  if (!task) return
  await page.locator(`[data-path="${task.path}"] a`).click()
  await page.getByRole('region', { name: `Task ${task.display_name}` }).waitFor()
  assert.equal(page.url(), taskUrl(task))
  await page.keyboard.press('Escape')
  await page.getByRole('region', { name: `Task ${task.display_name}` }).waitFor({ state: 'detached' })
  assert.equal(new URL(page.url()).pathname, `/runs/${run.id}`)
  assertQuiet()
})

test('the address of a task inside groups opens it, and the groups around it', async () => {
  const task = tasks.find((t) => leaf(t) && t.parent) ?? tasks.find(leaf)
  if (!task) return
  await page.goto(taskUrl(task))
  await page.locator(`[data-path="${task.path}"]`).waitFor()
  const panel = page.getByRole('region', { name: `Task ${task.display_name}` })
  assert.ok((await panel.innerText()).includes(word(task.state)))
  for (const name of Object.keys(task.outputs.parameters ?? {})) await panel.getByText(name, { exact: true }).first().waitFor()
  assertQuiet()
})

test('the log shows what the step printed, and finds text in it', async () => {
  for (const task of tasks.filter((t) => leaf(t) && t.attempts > 0)) {
    const { lines } = await api(`/runs/${run.id}/tasks/${task.id}/logs`)
    const line = lines.findLast((l) => /^[\w .,:=-]{8,}$/.test(l.text.trim()))
    if (!line) continue
    await page.goto(taskUrl(task, '?tab=logs'))
    await page.getByLabel('Find in the log').fill(line.text.trim())
    await page.locator('[role=log] mark').first().waitFor()
    assertQuiet()
    return
  }
})

test('artifacts can be looked at', async () => {
  const kinds = new Map()
  for (const task of tasks.filter(leaf)) {
    for (const [name, list] of Object.entries(task.outputs.artifacts ?? {})) {
      const held = list.some((a) => a.digest && a.size > 0)
      if (held && !kinds.has(list[0].schema_title)) kinds.set(list[0].schema_title, { task, name })
    }
  }
  for (const { task, name } of kinds.values()) {
    await page.goto(taskUrl(task, '?tab=summary'))
    const card = page.getByRole('article', { name: `Artifact ${name}`, exact: true }).first()
    const show = card.getByRole('button', { name: 'Show' })
    await card.waitFor()
    if (await show.isVisible()) await show.click()
    await card.locator('[data-preview]').waitFor()
    assert.equal(await card.getByRole('alert').count(), 0)
    assertQuiet()
  }
})

test('classification metrics are drawn', async () => {
  const task = tasks.find((t) => Object.values(t.outputs.artifacts ?? {}).flat().some((a) => a.schema_title === 'system.ClassificationMetrics' && a.metadata?.confidenceMetrics))
  if (!task) return
  await page.goto(taskUrl(task, '?tab=summary'))
  await page.locator('figure canvas').waitFor()
  assertQuiet()
})

test('the chosen theme stays when the page is loaded again', async () => {
  await page.goto(`${base}/runs`)
  await page.getByRole('button', { name: /^Theme/ }).click()
  await page.getByRole('button', { name: /^Theme: light/ }).click()
  await page.reload()
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark')
  assertQuiet()
})

test('addresses that lead nowhere say so', async () => {
  await page.goto(`${base}/no/such/page`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  await page.goto(`${base}/runs/00000000-0000-0000-0000-000000000000`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  assertQuiet('404')
})

test('nothing is wider than a phone', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  const task = tasks.find(leaf)
  const paths = ['/runs', `/runs/${run.id}`, `/runs/${run.id}?view=timeline`]
  if (task) paths.push(`/runs/${run.id}/tasks/${task.id}`, `/runs/${run.id}/tasks/${task.id}?tab=logs`)
  for (const path of paths) {
    await phone.page.goto(base + path)
    await phone.page.locator('main :is(h1, h2):visible').first().waitFor()
    const tooWide = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.ok(tooWide <= 0, `${path} is ${tooWide} px too wide`)
  }
  assert.deepEqual(phone.complaints.filter((c) => !c.includes('frame is sandboxed')), [])
})
