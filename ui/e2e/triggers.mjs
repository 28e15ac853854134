// Drives the pages of triggers on a real server: what each event led to and why, what is waited for, pausing, firing by hand with an
// example, and messages with a receiver of the test's own.
//   LEVADA_URL       the server
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { call, until } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage, settled } from './browser.mjs'
import { oneTask } from './budgets/shapes.mjs'

const base = process.env.LEVADA_URL
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const mark = Date.now()
const source = `source-${mark}`

let browser
let page
let complaints
let receiver
let received = []
let answer = 200
const made = []

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const firing = (text) => page.getByRole('row').filter({ has: page.getByText(text, { exact: true }) })
const firingsOf = (id) => call(base, `/triggers/${id}/firings?page_size=100`)

/** A pipeline of one step that takes a text. */
const typed = (name) =>
  JSON.stringify({
    schemaVersion: '2.1.0', pipelineInfo: { name },
    deploymentSpec: { executors: { e: { container: { image: 'alpine', command: ['sh', '-ec', 'echo "$0"', "{{$.inputs.parameters['day']}}"] } } } },
    components: { op: { executorLabel: 'e', inputDefinitions: { parameters: { day: { parameterType: 'STRING' } } } } },
    root: {
      inputDefinitions: { parameters: { day: { parameterType: 'STRING' } } },
      dag: { tasks: { step: { taskInfo: { name: 'step' }, componentRef: { name: 'op' }, inputs: { parameters: { day: { componentInputParameter: 'day' } } } } } },
    },
  })

async function trigger(body) {
  const t = await call(base, '/triggers', { body: { ...body, display_name: `${body.display_name} ${mark}` } })
  made.push(t.id)
  return t
}

/** Lets a run of the source end, which is an event. */
const happen = async (name) => (await call(base, '/runs', { body: { spec: oneTask(source), display_name: name } })).id

let onEnd
before(async () => {
  receiver = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    request.on('end', () => {
      if (answer === 200) received.push(JSON.parse(text))
      response.writeHead(answer).end()
    })
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
  const { pipeline_id } = await call(base, '/pipelines', { body: { spec: typed(`typed-${mark}`), name: `typed ${mark}` } })
  onEnd = await trigger({
    display_name: 'on end', pipeline_id, on: { run: { pipeline: source } }, when: 'event.name != "bad"', dedup_key: 'event.name',
    parameters_from: { day: 'event.name == "number" ? dyn(7) : event.name' },
  })
})

after(async () => {
  for (const id of made) await call(base, `/triggers/${id}`, { method: 'DELETE' }).catch(() => undefined)
  await browser?.close()
  receiver?.close()
})

test('triggers are found in the navigation and in the palette', async () => {
  await page.goto(base)
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Triggers' }).click()
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: onEnd.display_name }) })
  await row.getByText(`runs of ${source} that end succeeded`).waitFor()
  await row.getByText(`runs typed ${mark}`).waitFor()
  await row.getByText('none yet').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await page.goto(base)
  await settled(page)
  await page.keyboard.press('Control+k')
  const palette = page.getByRole('dialog', { name: 'Search and commands' })
  await palette.getByRole('combobox', { name: 'Search' }).fill(`trigger: on end ${mark}`)
  await palette.getByRole('option', { name: onEnd.display_name }).click()
  await page.getByRole('heading', { level: 1, name: onEnd.display_name }).waitFor()
  await page.getByText('Nothing has happened yet.').waitFor()
  quiet()
})

test('each event says what came of it and why, as it happens', async () => {
  await page.evaluate(() => (window.kept = true))
  await happen('monday')
  await firing('monday: succeeded').getByText('Fired', { exact: true }).waitFor()
  await firing('monday: succeeded').locator('[data-state=SUCCEEDED]').waitFor()
  await happen('monday')
  await happen('bad')
  await happen('number')
  await page.getByText(/^it has the same dedup_key as firing/).waitFor()
  await firing('bad: succeeded').getByText('the condition does not hold').waitFor()
  const refused = firing('number: succeeded')
  await refused.getByText('Failed', { exact: true }).waitFor()
  await refused.getByText(/STRING/).waitFor()
  await page.getByText('It cannot do its work').waitFor()
  assert.equal(await page.evaluate(() => window.kept), true)
  assert.deepEqual(await seriousFindings(page), [])

  await page.getByLabel('What came of the event').selectOption('Ignored')
  await firing('number: succeeded').waitFor({ state: 'detached' })
  assert.equal(await page.locator('[data-outcome=IGNORED]').count(), 2)
  assert.equal(new URL(page.url()).searchParams.get('state'), 'IGNORED')
  await page.getByLabel('What came of the event').selectOption('all')
  await page.getByText('bad: succeeded').click()
  await firing('bad: succeeded').getByText('"experiment_id"').waitFor()
  await firing('monday: succeeded').getByRole('link').first().click()
  await page.waitForURL(/\/runs\//)
  quiet()
})

test('a trigger is paused and resumed with the keyboard', async () => {
  await page.goto(`${base}/triggers/${onEnd.id}`)
  await page.getByRole('button', { name: 'Pause' }).focus()
  await page.keyboard.press('Space')
  await page.getByText('Paused', { exact: true }).waitFor()
  assert.equal((await call(base, `/triggers/${onEnd.id}`)).paused, true)
  await happen('tuesday')
  await firing('tuesday: succeeded').getByText('the trigger is paused').waitFor()
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.getByText('Enabled', { exact: true }).waitFor()
  quiet()
})

test('it is fired by hand with an example that can be changed, and says before what would come of it', async () => {
  await page.getByRole('button', { name: 'Fire by hand' }).click()
  const dialog = page.getByRole('dialog', { name: `Fire ${onEnd.display_name}` })
  const data = dialog.getByLabel('Event')
  assert.equal(JSON.parse(await data.inputValue()).name, 'tuesday')
  await dialog.getByText('A run would start with day = "tuesday".').waitFor()
  await data.fill('{"name": ')
  await dialog.getByText(/It is not JSON/).waitFor()
  assert.ok(await dialog.getByRole('button', { name: 'Fire' }).isDisabled())
  await data.fill(JSON.stringify({ pipeline: source, state: 'SUCCEEDED', name: 'bad' }))
  await dialog.getByText('nothing would happen: the condition does not hold').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await dialog.getByRole('button', { name: 'Fire' }).dblclick()
  await dialog.getByText('is started').waitFor()
  await dialog.getByRole('button', { name: 'Close' }).click()
  await firing('fired by hand').getByText('Fired', { exact: true }).waitFor()
  const { firings } = await firingsOf(onEnd.id)
  const byHand = firings.filter((f) => f.event.kind === 'manual')
  assert.equal(byHand.length, 1)
  assert.equal((await until(() => call(base, `/runs/${byHand[0].run_id}`), (r) => r.finished_at)).parameters.day, 'bad')
  quiet()
})

test('what waits says for what and until when', async () => {
  const gathers = await trigger({ display_name: 'gathers', pipeline_id: onEnd.run.pipeline_id, on: { run: { pipeline: source } }, debounce_seconds: 5, parameters_from: { day: 'event.name' } })
  await page.goto(`${base}/triggers/${gathers.id}`)
  await page.getByText('waits until nothing more has happened for 5.0 s').waitFor()
  await happen('wednesday')
  await happen('thursday')
  await page.locator('[data-waiting=quiet]').getByText(/^2 events wait until nothing more has happened/).waitFor()
  await page.locator('[data-waiting]').waitFor({ state: 'detached' })
  await firing('thursday: succeeded').getByText('Fired', { exact: true }).waitFor()
  await firing('wednesday: succeeded').getByText('the same run as above').waitFor()
  quiet()
})

test('a message that cannot be sent waits and says so, and its delivery is shown', async () => {
  answer = 503
  const tells = await trigger({ display_name: 'tells', on: { run: { pipeline: source } }, notify: { webhook: { url: `http://127.0.0.1:${receiver.address().port}/` }, text: '"ended: " + event.name' } })
  await page.goto(`${base}/triggers/${tells.id}`)
  await page.getByText(`posts to http://127.0.0.1:${receiver.address().port}/`).waitFor()
  await happen('friday')
  await page.locator('[data-waiting=retry]').waitFor()
  await page.getByText(/a message cannot be sent now: .*503/).waitFor()
  answer = 200
  await firing('friday: succeeded').getByText('Sent', { exact: true }).waitFor()
  await page.locator('[data-waiting]').waitFor({ state: 'detached' })
  await page.getByText(/a message cannot be sent now/).waitFor({ state: 'detached' })
  assert.equal(received[0].text, 'ended: friday')
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('a phone shows the pages without being too narrow for them', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  for (const path of ['/triggers', `/triggers/${onEnd.id}`]) {
    await phone.page.goto(base + path)
    await phone.page.getByRole('button', { name: /^Pause/ }).first().waitFor()
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0, path)
    assert.deepEqual(await seriousFindings(phone.page), [])
  }
  assert.deepEqual(phone.complaints, [])
  await phone.page.context().close()
})

test('a trigger is deleted after a question, and its address says that it is gone', async () => {
  await page.goto(`${base}/triggers/${onEnd.id}`)
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Back' }).click()
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { level: 1, name: 'Triggers' }).waitFor()
  await page.getByRole('rowheader', { name: onEnd.display_name }).waitFor({ state: 'detached' })
  quiet('404') // it may be asked for once more
  await page.goto(`${base}/triggers/${onEnd.id}`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  quiet('404')
})
