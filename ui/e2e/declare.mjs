// Drives the page on which things are declared as files do, on a real server: what is wrong with a text, what it would change, making a trigger
// and a monitor with the keyboard, and changing what is there.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'
import { oneTask } from './budgets/shapes.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const mark = Date.now()
const pipeline = `declared ${mark}`
const name = `by hand ${mark}`

let browser
let page
let complaints

// The browser complains of answers that say what is wrong with a text.
const quiet = () => assert.deepEqual(complaints.splice(0).filter((c) => !c.includes('400')), [])
const editor = () => page.getByRole('textbox', { name: 'What is declared, as YAML' })
const triggers = async () => (await call(base, `/triggers?q=${encodeURIComponent(mark)}`)).triggers

before(async () => {
  await call(base, '/pipelines', { body: { spec: oneTask(`one-${mark}`), name: pipeline } })
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(async () => {
  for (const t of await triggers()) await call(base, `/triggers/${t.id}`, { method: 'DELETE' })
  await browser?.close()
})

test('a trigger is made with the keyboard, after what is wrong with it was said by line', async () => {
  await page.goto(`${base}/triggers`)
  await page.getByRole('link', { name: 'New trigger' }).click()
  await page.getByRole('heading', { level: 1, name: 'New trigger' }).waitFor()
  await page.getByRole('listitem').filter({ hasText: 'my-pipeline' }).filter({ hasText: 'Line 1' }).waitFor()
  await editor().fill(`kind: trigger\nname: ${name}\npipeline: ${pipeline}\non: {run: {pipeline: nothing}}\nwhne: 1\n`)
  await page.getByRole('button', { name: 'Line 5' }).waitFor()
  await page.getByText('there is no field whne').waitFor()
  assert.ok(await page.getByRole('button', { name: 'Apply' }).isDisabled())
  await editor().fill(`kind: trigger\nname: ${name}\npipeline: ${pipeline}\non: {run: {pipeline: nothing}}\nwhen: evnt.seconds > 1\n`)
  await page.getByText(/undeclared reference to 'evnt'/).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await editor().fill(`kind: trigger\nname: ${name}\npipeline: ${pipeline}\non: {run: {pipeline: nothing}}\nwhen: event.seconds > 1\n`)
  await page.locator(`[data-change="create trigger ${name}"]`).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  assert.equal((await triggers()).length, 0)
  await page.getByRole('button', { name: 'Apply' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('status').getByRole('link', { name: `trigger ${name}` }).click()
  await page.getByRole('rowheader', { name }).getByRole('link', { name }).click()
  await page.getByText('event.seconds > 1').waitFor()
  quiet()
})

test('what is there is changed from its own text', async () => {
  const [made] = await triggers()
  await page.goto(`${base}/triggers/${made.id}`)
  await page.getByRole('link', { name: 'Change' }).click()
  await page.getByRole('heading', { level: 1, name: `Change ${name}` }).waitFor()
  await page.getByText('Nothing: all of it is as declared.').waitFor()
  await editor().fill((await editor().inputValue()).replace('event.seconds > 1', 'event.seconds > 5'))
  const change = page.locator(`[data-change="update trigger ${name}"]`)
  assert.match(await change.innerText(), /when: "event.seconds > 1" becomes "event.seconds > 5"/)
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.getByText('Applied: 1 changed.').waitFor()
  const [changed] = await triggers()
  assert.equal(changed.id, made.id)
  assert.equal(changed.when, 'event.seconds > 5')
  quiet()
})

test('a monitor is made, and a mistake in its schedule is said', async () => {
  await page.goto(`${base}/data`)
  await page.getByRole('link', { name: 'New monitor' }).click()
  await page.getByRole('heading', { level: 1, name: 'New monitor' }).waitFor()
  const text = (cron) => `kind: monitor\nname: m${mark}\ndata: /nowhere/*.csv\nschedule: {cron: "${cron}"}\nsuite: "columns: {a: [not_null]}"\n`
  await editor().fill(text('0 0 25 * * *'))
  await page.getByText(/"25" is not a number from 0 to 23/).waitFor()
  await editor().fill(text('0 0 6 * * *'))
  await page.locator(`[data-change="create recurring_run monitor-m${mark}"]`).waitFor()
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.getByText(/^Applied: 2 changed/).waitFor()
  await page.goto(`${base}/data`)
  await page.getByRole('rowheader', { name: `m${mark}` }).waitFor()
  await call(base, '/apply', { body: { set: `monitor-m${mark}`, resources: [] } })
  quiet()
})

test('a phone shows the page without being too narrow for it', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  await phone.page.goto(`${base}/declare?kind=trigger&name=${encodeURIComponent(name)}`)
  await phone.page.getByText('Nothing: all of it is as declared.').waitFor()
  assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0)
  assert.deepEqual(await seriousFindings(phone.page), [])
  assert.deepEqual(phone.complaints, [])
  await phone.page.context().close()
})
