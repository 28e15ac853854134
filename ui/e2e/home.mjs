// Drives what lies around all pages: the navigation, the home page, the command palette and the state of the server.
//   LEVADA_URL       the server; other tests may have left anything there
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, submit, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'
import { createExperiment, createRun, hostile, seed } from './seed.mjs'
import { dataDirectory, removeDirectory, start, stop } from './server.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const mark = `fares ${Date.now()}`

let browser
let page
let complaints
let requests = []
let seeded
let going
let failed
let recurring

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const nav = (on = page) => on.getByRole('navigation', { name: 'Main' })
const palette = () => page.getByRole('dialog', { name: 'Search and commands' })
const field = () => palette().getByRole('combobox', { name: 'Search' })
const chosen = () => palette().locator('[role=option][aria-selected=true]')
const option = (text) => palette().getByRole('option').filter({ hasText: text })
const card = (title) => page.locator('main section section').filter({ has: page.getByRole('heading', { level: 3, name: title }) })

before(async () => {
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
  page.on('request', (r) => requests.push(r.url()))
  seeded = await seed(base, mark)
  failed = []
  // One after the other: the page names the one that failed last.
  for (const name of [`${mark} fails`, hostile]) {
    const id = await submit(base, 'failing', name, { cache: false })
    await until(() => call(base, `/runs/${id}`), (r) => r.state === 'FAILED')
    failed.push(id)
  }
  const { pipeline_spec } = await call(base, `/runs/${failed[0]}/spec`)
  recurring = await call(base, '/recurringruns', {
    prefix: '/apis/v2beta1',
    body: { display_name: `${mark} each hour`, max_concurrency: '1', mode: 'ENABLE', no_catchup: true, trigger: { periodic_schedule: { interval_second: '3600' } }, pipeline_spec },
  })
  await call(base, `/models/${encodeURIComponent(seeded.model)}/aliases/champion`, { method: 'PUT', body: { version: '2' } })
  going = await submit(base, 'succeeding', `${mark} goes on`, { cache: false, parameters: { pause: 120 } })
})

after(async () => {
  if (going) await call(base, `/runs/${going}/cancel`, { method: 'POST' }).catch(() => {})
  if (recurring) await call(base, `/recurring-runs/${recurring.recurring_run_id}`, { method: 'DELETE' })
  await browser?.close()
})

test('the home page says in one request what goes on, what failed and why, what is due and what changed', async () => {
  requests = []
  await page.goto(base)
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor()
  await card('Going on').getByRole('link', { name: `${mark} goes on` }).waitFor()
  await card('Going on').getByRole('link', { name: 'still going on' }).first().waitFor()
  assert.deepEqual(requests.filter((r) => r.includes('/api/') && !/\/(home|info|events|changes|live)(\?|$)/.test(r)), [])

  const cause = card('Failed in the last 7 days').getByRole('listitem').filter({ hasText: 'broken in browser-failing' })
  await cause.getByText(/^\d+ runs$/).waitFor()
  assert.match(await cause.innerText(), /ValueError: Input X contains NaN/)
  await cause.getByRole('link', { name: hostile }).waitFor()
  assert.equal(await page.title(), 'Home – Levada')

  await card('Due next').getByRole('link', { name: `${mark} each hour` }).waitFor()
  const moved = card('Changes of models').getByRole('listitem').filter({ hasText: '@champion is version 2, was 1' })
  await moved.getByRole('link', { name: seeded.model }).click()
  await page.getByRole('heading', { level: 1, name: seeded.model }).waitFor()
  assert.equal(new URL(page.url()).searchParams.get('version'), '2')

  await page.goto(base)
  await cause.getByRole('link', { name: hostile }).click()
  await page.getByRole('heading', { level: 1, name: hostile }).waitFor()
  quiet()
})

test('a server that is gone is said, and what was known stays', async () => {
  await page.goto(base)
  await card('Going on').waitFor()
  await page.route('**/api/v1/home', (route) => route.abort())
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Runs', exact: true }).click()
  await nav().getByRole('link', { name: 'Home' }).click()
  await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor()
  await card('Going on').waitFor()
  await page.unroute('**/api/v1/home')
  quiet('ERR_FAILED')
})

test('a page whose file cannot be loaded says so, and everything around it stays', async () => {
  const { page: other } = await openPage(browser, base)
  other.setDefaultTimeout(patience)
  await other.goto(`${base}/runs`)
  await other.getByRole('heading', { name: 'Runs', level: 1 }).waitFor()
  await other.route('**/assets/ModelsPage-*.js', (route) => route.abort())
  await other.getByRole('link', { name: 'Models', exact: true }).click()
  await other.getByRole('alert').filter({ hasText: 'could not be loaded' }).waitFor()
  await other.unroute('**/assets/ModelsPage-*.js')
  await other.getByRole('button', { name: 'Load the page again' }).click()
  await other.getByRole('heading', { name: 'Models', level: 1 }).waitFor()
  await other.context().close()
})

test('an empty server helps with the first run, and says how it is', async () => {
  const data = await dataDirectory()
  const { server, url } = await start(data)
  const own = await openPage(browser, url)
  try {
    await own.page.goto(url)
    await own.page.getByRole('heading', { name: 'No runs yet' }).waitFor()
    await own.page.getByText('client.create_run_from_pipeline_package').waitFor()
    assert.deepEqual(await seriousFindings(own.page), [])
    await nav(own.page).getByRole('link', { name: 'System' }).click()
    await own.page.getByText('Nothing can be freed').waitFor()
    assert.deepEqual(own.complaints, [])
  } finally {
    await own.page.context().close()
    await stop(server)
    await removeDirectory(data)
  }
})

test('the navigation marks where one is, is used with the keyboard, and stays narrow once it was made so', async () => {
  const wide = await openPage(browser, base, { viewport: { width: 1400, height: 800 } })
  const here = () => nav(wide.page).locator('[aria-current=page]').allInnerTexts()
  await wide.page.goto(`${base}/compare`)
  assert.deepEqual(await here(), ['Experiments'])
  await wide.page.goto(`${base}/runs/${going}`)
  assert.deepEqual(await here(), ['Runs'])
  await nav(wide.page).getByRole('link', { name: 'Models' }).focus()
  await wide.page.keyboard.press('Enter')
  await wide.page.waitForURL('**/models')
  assert.deepEqual(await here(), ['Models'])
  const roomy = (await nav(wide.page).boundingBox()).width
  await wide.page.getByRole('button', { name: 'Narrow the navigation' }).click()
  const narrow = (await nav(wide.page).boundingBox()).width
  assert.ok(narrow < roomy / 2, `${roomy} px became ${narrow}`)
  await wide.page.reload()
  await wide.page.getByRole('button', { name: 'Widen the navigation' }).waitFor()
  assert.equal(await nav(wide.page).getByRole('link', { name: 'Recurring runs' }).isVisible(), true)
  assert.deepEqual(wide.complaints, [])
  await wide.page.context().close()
})

test('on a phone the navigation is a menu that keeps the focus and gives it back', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  const menu = phone.page.getByRole('button', { name: 'Menu', exact: true })
  for (const place of ['/', '/system']) {
    await phone.page.goto(base + place)
    await phone.page.locator('main h3').first().waitFor()
    const tooWide = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.ok(tooWide <= 0, `${place} is ${tooWide} px too wide`)
    assert.deepEqual(await seriousFindings(phone.page), [])
  }
  assert.equal(await nav(phone.page).count(), 0)
  await menu.focus()
  await phone.page.keyboard.press('Enter')
  await nav(phone.page).getByRole('link', { name: 'Runs', exact: true }).waitFor()
  assert.deepEqual(await seriousFindings(phone.page), [])
  await phone.page.keyboard.press('Escape')
  await nav(phone.page).waitFor({ state: 'detached' })
  assert.equal(await phone.page.evaluate(() => document.activeElement?.ariaLabel), 'Menu')
  await menu.click()
  await nav(phone.page).getByRole('link', { name: 'Models' }).click()
  await phone.page.waitForURL('**/models')
  await nav(phone.page).waitFor({ state: 'detached' })
  assert.deepEqual(phone.complaints, [])
  await phone.page.context().close()
})

test('the palette opens by key and by button, and is a combobox', async () => {
  await page.goto(`${base}/models`)
  await page.getByLabel('Name contains').focus()
  await page.keyboard.type('/')
  assert.equal(await palette().count(), 0, 'a slash that is written opens nothing')
  await page.keyboard.press('Control+k')
  await field().waitFor()
  assert.equal(await field().evaluate((e) => e === document.activeElement), true)
  await page.keyboard.press('Escape')
  await palette().waitFor({ state: 'detached' })
  assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), 'Name contains')
  await page.locator('main').focus()
  await page.keyboard.press('/')
  await field().waitFor()
  assert.equal(await field().inputValue(), '')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Search' }).click()
  await field().waitFor()

  assert.equal(await field().getAttribute('aria-expanded'), 'true')
  assert.equal(await chosen().innerText(), 'Home')
  assert.equal(await chosen().getAttribute('id'), await field().getAttribute('aria-activedescendant'))
  await page.keyboard.press('ArrowDown')
  assert.equal(await chosen().innerText(), 'Runs')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowUp')
  assert.match(await chosen().innerText(), /^Keys:/)
  assert.deepEqual(await seriousFindings(page), [])
  await page.keyboard.type('system')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/system')
  await palette().waitFor({ state: 'detached' })
  quiet()
})

test('the palette opens runs, experiments and models by name and id, whatever they are called', async () => {
  const find = async (text) => {
    await page.keyboard.press('Control+k')
    await field().fill(text)
  }
  await page.goto(base)
  await card('Going on').waitFor()
  await find(`${mark.toUpperCase()} FAILS`)
  await option(`${mark} fails`).waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/runs/${failed[0]}`)

  await find(`run: ${failed[1].slice(0, 8)}`)
  await option(hostile).waitFor()
  assert.equal(await palette().getByRole('group').count(), 1)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: hostile }).waitFor()
  assert.notEqual(await page.title(), 'ran')

  await find(`model: ${mark} model@champ`)
  await option('@champion').waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: seeded.model }).waitFor()
  assert.equal(new URL(page.url()).searchParams.get('version'), '2')

  await find(seeded.runs[3].run_id)
  await option('train-3').click()
  await page.waitForURL(`**/tracked-runs/${seeded.runs[3].run_id}`)

  await find(`experiment: ${mark}`)
  await option(mark).first().waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/experiments/${seeded.experiment}*`)

  await find('nothing is called so \u{1F6B1}')
  await palette().getByText('Nothing is called so.').waitFor()
  await page.keyboard.press('Escape')
  quiet()
})

test('a text that is written quickly is searched for once, and a failure is said', async () => {
  await page.goto(base)
  await card('Going on').waitFor()
  await page.keyboard.press('Control+k')
  await field().waitFor()
  requests = []
  await page.keyboard.type(`${mark} goes`, { delay: 15 })
  await option(`${mark} goes on`).waitFor()
  const searches = requests.filter((r) => r.includes('/api/v1/search'))
  assert.ok(searches.length <= 4, `${searches.length} searches for one text`)
  await page.route('**/api/v1/search*', (route) => route.abort())
  await field().fill('else')
  await palette().getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor()
  await page.unroute('**/api/v1/search*')
  await page.keyboard.press('Escape')
  quiet('ERR_FAILED')
})

test('the palette changes the theme, and the key that opens it can be switched off', async () => {
  const does = async (text) => {
    await page.keyboard.press('Control+k')
    await field().fill(text)
    await page.keyboard.press('Enter')
    await palette().waitFor({ state: 'detached' })
  }
  await page.goto(base)
  await card('Going on').waitFor()
  await does('theme: dark')
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark')
  await card('Going on').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await does('theme: as')
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), undefined)
  await does('keys')
  await page.locator('main').focus()
  await page.keyboard.press('/')
  await page.keyboard.press('Control+k')
  await option('Keys: open this with /').click()
  await page.locator('main').focus()
  await page.keyboard.press('/')
  await field().waitFor()
  await page.keyboard.press('Escape')
  quiet()
})

test('what another program tracks is going on too', async () => {
  const experiment = await createExperiment(base, `${mark} outside`)
  const outside = await createRun(base, experiment, `${mark} of another program`, { start: Date.now() })
  await page.goto(base)
  await card('Going on').getByRole('link', { name: `${mark} of another program` }).click()
  await page.waitForURL(`**/tracked-runs/${outside.run_id}`)
  quiet()
})

test('the state of the server: what is in order, what takes room, how old that is, and what can be freed', async () => {
  await page.goto(`${base}/system`)
  for (const name of ['Database', 'Event log', 'Disk', 'Steps']) await card('Health').getByRole('listitem').filter({ hasText: name }).first().waitFor()
  await card('Work').getByText('Runs going on').waitFor()
  const disk = page.locator('main section section').filter({ has: page.getByRole('heading', { level: 3, name: 'Disk', exact: true }) })
  await disk.getByRole('row').filter({ hasText: 'levada.db' }).first().waitFor()
  await disk.getByText(/^Measured/).first().waitFor()
  const measured = async () => (await call(base, '/system')).disk.measured_at
  const first = await measured()
  await disk.getByRole('button', { name: 'Measure again' }).focus()
  await page.keyboard.press('Enter')
  await until(measured, (at) => at !== first)
  await card('Python environments').getByRole('row').nth(1).waitFor()
  assert.deepEqual(await seriousFindings(page), [])

  // What is an hour old cannot be made here: the answer is changed to say that there is some.
  await page.route('**/api/v1/system', async (route) => {
    const response = await route.fetch()
    const status = await response.json()
    if (status.disk.unused) Object.assign(status.disk.unused, { files: 3, bytes: 3 << 20 })
    await route.fulfill({ response, json: status })
  })
  await page.reload()
  await disk.getByText('3.0 MB').first().waitFor()
  const button = disk.getByRole('button', { name: 'Remove unused content' })
  await button.click()
  const asked = page.getByRole('dialog', { name: 'Remove unused content?' })
  await asked.getByRole('button', { name: 'Back' }).click()
  await button.click()
  await asked.getByRole('button', { name: 'Remove', exact: true }).click()
  await disk.getByText(/There was nothing to remove\.|Removed \d/).waitFor()
  await page.unroute('**/api/v1/system')
  quiet()
})
