// Drives the pages of endpoints on a real server that serves a real model: deploying, traffic, a version that is rolled back with its
// evidence, one that is promoted, and undeploying; requests go on all the time, and none may fail.
//   LEVADA_URL       the server
//   LEVADA_BIN       the program, by default ../bin/levada
//   LEVADA_TIMEOUT   seconds to wait for anything, by default 120
//   SHOTS            a folder for pictures; none without
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { call } from './api.mjs'
import { seriousFindings } from './axe.mjs'
import { launch, openPage } from './browser.mjs'
import { ask, registerServed } from './served.mjs'

const base = process.env.LEVADA_URL
const bin = process.env.LEVADA_BIN ?? fileURLToPath(new URL('../../bin/levada', import.meta.url))
const patience = Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
const name = `doubling-${Date.now()}`

const plan = `interval: 500ms
metrics:
  - {name: errors, critical: true, tolerance: 0.05}
  - {name: predictions, critical: true, tolerance: 0.25, min_samples: 50}
  - {name: latency, tolerance: 1}
canary: {steps: [{percent: 50, wait: 6s}]}
watch: {duration: 60s}
`

let browser
let page
let complaints
let stop
let files

const quiet = (...expected) => assert.deepEqual(complaints.splice(0).filter((c) => !expected.some((e) => c.includes(e))), [])
const endpoint = () => call(base, `/endpoints/${name}`)
const versionRow = (n) => page.locator(`tr[data-version="${n}"]`)

async function shot(what, of = page) {
  if (process.env.SHOTS) await of.screenshot({ path: `${process.env.SHOTS}/${what}.png`, fullPage: true })
}

before(async () => {
  files = await mkdtemp(join(tmpdir(), 'levada-evidence-'))
  await registerServed(base, name, [{}, {}, { shift: 5 }])
  browser = await launch()
  ;({ page, complaints } = await openPage(browser, base))
  page.setDefaultTimeout(patience)
})

after(async () => {
  await stop?.()
  await call(base, `/endpoints/${name}`, { method: 'DELETE' }).catch(() => undefined)
  await browser?.close()
  await rm(files, { recursive: true, force: true })
})

test('a model is deployed from the navigation with a form, and its endpoint says when it answers', async () => {
  await page.goto(base)
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Endpoints' }).click()
  await page.getByRole('heading', { level: 1, name: 'Endpoints' }).waitFor()
  await page.getByRole('button', { name: 'Deploy a model' }).click()
  const dialog = page.getByRole('dialog', { name: 'Deploy a model' })
  await dialog.getByLabel('Model').selectOption(name)
  assert.equal(await dialog.getByLabel('Endpoint').inputValue(), name)
  assert.ok(await dialog.getByRole('button', { name: 'Deploy' }).isDisabled())
  await dialog.getByLabel('Version').selectOption('1')
  await dialog.getByLabel('Share of the requests, %').fill('300')
  await dialog.getByText('A number from 0 to 100.').waitFor()
  await dialog.getByLabel('Share of the requests, %').fill('100')
  await dialog.getByText('Settings of the endpoint').click()
  await dialog.getByLabel('Rows of a batch').fill('64')
  assert.deepEqual(await seriousFindings(page), [])
  await dialog.getByRole('button', { name: 'Deploy' }).click()
  await page.getByRole('heading', { level: 1, name }).waitFor()
  await versionRow(1).locator('[data-state=SUCCEEDED]').waitFor()
  await page.locator('[data-event=version_ready]').waitFor()
  assert.equal((await endpoint()).spec.settings.max_batch, 64)
  await page.getByText('Version 1 answers all requests.').waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  quiet()
})

test('rates and latencies are those of the moment, without asking again', async () => {
  await page.evaluate(() => (window.kept = true))
  stop = ask(base, name)
  await versionRow(1).locator('[data-column=Requests]').getByText(/^[1-9][\d.]* \/s$/).waitFor()
  await versionRow(1).locator('[data-column=p99]').getByText(/ ms$/).waitFor()
  assert.equal(await page.evaluate(() => window.kept), true)
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Endpoints' }).click()
  const row = page.locator(`tr[data-endpoint="${name}"]`)
  await row.getByText('v1 100 %').waitFor()
  await row.getByText(/^[1-9][\d.]* \/s$/).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await shot('endpoints-light')
  await row.getByRole('link', { name }).click()
  quiet()
})

test('another version gets a share, and the traffic is changed with the keyboard', async () => {
  await page.getByRole('button', { name: 'Deploy version' }).click()
  const deploy = page.getByRole('dialog', { name: `Deploy a version to ${name}` })
  await deploy.getByLabel('Version').selectOption('2')
  await deploy.getByLabel('Share of the requests, %').fill('0')
  await deploy.getByRole('button', { name: 'Deploy' }).click()
  await versionRow(2).locator('[data-state=SUCCEEDED]').waitFor()
  await versionRow(2).getByText('dark').waitFor()
  await page.getByRole('button', { name: 'Change traffic' }).focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog', { name: `Traffic of ${name}` })
  await dialog.getByLabel('Version 2, %').fill('40')
  await dialog.getByText('The shares add up to 140 %, not to 100 %.').waitFor()
  assert.ok(await dialog.getByRole('button', { name: 'Change traffic' }).isDisabled())
  await dialog.getByLabel('Version 1, %').fill('60')
  await page.keyboard.press('Enter')
  await page.getByText('Version 1 answers 60 %, Version 2 answers 40 % of the requests.').waitFor()
  await versionRow(2).locator('[data-column=Requests]').getByText(/^[1-9][\d.]* \/s$/).waitFor()
  await page.getByRole('button', { name: 'Change traffic' }).click()
  await dialog.getByLabel('Version 1, %').fill('100')
  await dialog.getByLabel('Version 2, %').fill('0')
  await dialog.getByRole('button', { name: 'Change traffic' }).click()
  await page.getByText('Version 1 answers all requests.').waitFor()
  quiet()
})

test('an inference graph is in the list with what it asks, and has a page', async () => {
  const graph = `twice-${name}`
  const nodes = { root: { router: 'sequence', steps: [{ endpoint: name }, { name: 'named', before: { set: { kind: "'double'" } } }] } }
  await call(base, `/graphs/${graph}`, { method: 'PUT', body: { nodes } })
  await page.goto(`${base}/endpoints`)
  const row = page.locator(`tr[data-graph="${graph}"]`)
  await row.locator('[data-state=SUCCEEDED]').waitFor()
  assert.equal(await row.locator('[data-column=Asks]').getByRole('link', { name }).getAttribute('href'), `/endpoints/${name}`)
  assert.deepEqual(await seriousFindings(page), [])
  await row.getByRole('link', { name: graph }).click()
  await page.getByRole('heading', { level: 1, name: graph }).waitFor()
  const step = page.locator(`tr[data-step="root/${name}"]`)
  await step.getByText('sequence').waitFor()
  await page.locator('tr[data-step="root/named"]').getByText('nothing: it maps columns').waitFor()
  await call(base, `/models/${graph}/infer`, { prefix: '/v2', body: { inputs: [{ name: 'x', shape: [1], datatype: 'FP64', data: [2] }] } })
  await step.locator('[data-column=Answered]').getByText('1', { exact: true }).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await shot('graph-light')
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Search' }).fill(`graph: ${graph}`)
  const found = page.getByRole('option', { name: graph })
  await found.waitFor()
  await page.keyboard.press('Escape')
  quiet()
  await page.goto(`${base}/endpoints/${graph}`) // what answers under a name of an endpoint is found there
  await page.getByRole('heading', { level: 1, name: graph }).waitFor()
  assert.equal(new URL(page.url()).pathname, `/graphs/${graph}`)
  quiet('404')
  await step.getByRole('link', { name }).click()
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
  await page.getByRole('link', { name: graph }).waitFor()
  await page.getByRole('button', { name: 'Undeploy' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Undeploy' }).click()
  await page.getByText(`the graph "${graph}" asks "${name}": change or delete the graph first`).waitFor()
  await call(base, `/graphs/${graph}`, { method: 'DELETE' })
  quiet('409')
  await page.goto(`${base}/graphs/${graph}`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  quiet('404')
  await page.goto(`${base}/endpoints/${name}`)
})

async function startRollout(version) {
  await page.goto(`${base}/endpoints/${name}`)
  await page.getByRole('button', { name: 'Start rollout' }).click()
  const dialog = page.getByRole('dialog', { name: `Roll out a version at ${name}` })
  await dialog.getByLabel('Candidate').selectOption(version)
  await dialog.getByLabel('Plan').fill(plan)
  await dialog.getByRole('button', { name: 'Start' }).click()
  await page.getByRole('heading', { level: 1, name: `Rollout of version ${version}` }).waitFor()
}

test('a plan that cannot be is refused with what is wrong', async () => {
  await page.getByRole('button', { name: 'Start rollout' }).click()
  const dialog = page.getByRole('dialog', { name: `Roll out a version at ${name}` })
  await dialog.getByLabel('Candidate').selectOption('3')
  await dialog.getByLabel('Plan').fill('canary: {steps: [{percent: 500}]}')
  await dialog.getByRole('button', { name: 'Start' }).click()
  await dialog.getByText(/percent is 500; it must be above 0 and below 100/).waitFor()
  assert.deepEqual(await seriousFindings(page), [])
  await dialog.getByRole('button', { name: 'Back' }).click()
  quiet('400', '422')
})

test('a version that does harm is rolled back by itself, and its page says why with the plots', async () => {
  await startRollout('3')
  await page.locator('[data-outcome=rolled_back]').getByText(/^Rolled back because predictions got worse/).waitFor()
  for (const plot of ['Latency, ms', 'Predictions', 'the rate of errors', 'p-value of the distribution of predictions']) {
    await page.locator(`figure[data-plot="${plot}"][data-drawn]`).waitFor()
  }
  const decision = page.locator('[data-event=rollout_rolled_back]')
  await decision.locator('tr[data-metric=predictions] [data-state=FAILED]').waitFor()
  await decision.getByText('stability index at doublings').waitFor()
  assert.ok(await decision.getByRole('img', { name: /^harm / }).isVisible())
  assert.deepEqual(await seriousFindings(page), [])
  await shot('rolled-back-light')
  quiet()
})

test('its evidence is saved as a page that runs nothing, and as JSON from which the verdict is made again', async () => {
  const save = async (link) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: link }).click()])
    const path = join(files, download.suggestedFilename())
    await download.saveAs(path)
    return path
  }
  const json = await save(/^Save as JSON/)
  const { stdout } = await promisify(execFile)(bin, ['rollout', 'verify', json])
  assert.match(stdout, /^Confirmed: \d+ decisions were made again from \d+ windows\.\n$/)
  const saved = await save('Save as a page')
  const own = await openPage(browser, 'file://')
  await own.page.goto(`file://${saved}`)
  assert.match(await own.page.locator('.verdict').first().innerText(), /^Rolled back because predictions got worse/)
  assert.ok((await own.page.locator('figure svg path.line').count()) > 6)
  assert.equal(await own.page.locator('script').count(), 0)
  await shot('evidence-file', own.page)
  assert.deepEqual(own.complaints, [])
  await own.page.context().close()
  await writeFile(join(files, 'changed.json'), JSON.stringify({ ...(await call(base, new URL(page.url()).pathname.replace(/.*rollouts/, '/rollouts'))) }))
  await assert.rejects(promisify(execFile)(bin, ['rollout', 'verify', join(files, 'changed.json')]), /no windows of what was observed/)
  quiet()
})

test('a rollout is paused, resumed and promoted from its page', async () => {
  await startRollout('2')
  const press = async (button, action = button) => {
    await page.getByRole('button', { name: button, exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: action }).click()
  }
  await page.getByRole('list', { name: 'Plan' }).locator('[data-progress=now]').getByText('Canary 50 %').waitFor()
  await press('Pause')
  await page.getByText('It is paused').waitFor()
  await press('Resume')
  await page.getByText('It is paused').waitFor({ state: 'detached' })
  await page.locator('figure[data-plot="the rate of errors"][data-drawn]').waitFor()
  await press('Promote')
  await page.locator('[data-event=rollout_promoted]').waitFor()
  await page.getByRole('list', { name: 'Plan' }).locator('[data-progress=now]').getByText('Watch').waitFor()
  await page.getByLabel('Stage').selectOption({ label: 'step 1 of the canary' })
  assert.equal(new URL(page.url()).searchParams.get('stage'), '1')
  await shot('going-on-light')
  await press('Roll back')
  await page.locator('[data-outcome=aborted]').getByText(/^Stopped by a person/).waitFor()
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name }).click()
  assert.equal(await page.getByRole('link', { name: 'Evidence' }).first().getAttribute('href'), await page.locator('[data-rollout]').first().getByRole('link').getAttribute('href'))
  await shot('endpoint-light')
  quiet()
})

test('no request has failed because of any of this', async () => {
  const { asked, failed } = await stop()
  stop = undefined
  assert.deepEqual(failed, [])
  assert.ok(asked > 200, `${asked} requests`)
})

test('a phone in the dark shows the pages without being too narrow for them', async () => {
  const phone = await openPage(browser, base, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: 'dark' })
  const { rollouts } = await call(base, `/endpoints/${name}/rollouts`)
  const back = rollouts.find((r) => r.outcome === 'rolled_back')
  const pages = { '/endpoints': `tr[data-endpoint="${name}"]`, [`/endpoints/${name}`]: 'tr[data-version]', [`/endpoints/${name}/rollouts/${back.id}`]: 'figure[data-drawn]' }
  for (const [path, there] of Object.entries(pages)) {
    await phone.page.goto(base + path)
    await phone.page.locator(there).first().waitFor()
    assert.ok((await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0, path)
    assert.deepEqual(await seriousFindings(phone.page), [])
    await shot(`phone-dark-${path.split('/').length}`, phone.page)
  }
  assert.deepEqual(phone.complaints, [])
  await phone.page.context().close()
  if (process.env.SHOTS) {
    const dark = await openPage(browser, base, { colorScheme: 'dark' })
    for (const [path, there] of Object.entries(pages)) {
      await dark.page.goto(base + path)
      await dark.page.locator(there).first().waitFor()
      await shot(`dark-${path.split('/').length}`, dark.page)
    }
    await dark.page.context().close()
  }
})

test('an endpoint is undeployed after a question, and its address says that it is gone', async () => {
  await page.goto(`${base}/endpoints/${name}`)
  await page.getByRole('button', { name: 'Undeploy' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Back' }).click()
  await page.getByRole('button', { name: 'Undeploy' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Undeploy' }).click()
  await page.getByRole('heading', { level: 1, name: 'Endpoints' }).waitFor()
  await page.locator(`tr[data-endpoint="${name}"]`).waitFor({ state: 'detached' })
  quiet('404') // it may be asked for once more
  await page.goto(`${base}/endpoints/${name}`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  quiet('404')
})
