// Takes the picture of a run that the README shows.
//   LEVADA_URL, LEVADA_RUN_ID   as in run.mjs
//   LEVADA_TASK                 name of the task to open beside the graph; without it only the run is shown
//   OUT                         by default ../docs/images/run.png
import { launch, openPage, settled } from './browser.mjs'

const base = process.env.LEVADA_URL ?? 'http://127.0.0.1:8080'
const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json()
const id = process.env.LEVADA_RUN_ID ?? (await get('/runs?page_size=1')).runs[0].id
const { tasks } = await get(`/runs/${id}/tasks`)
const task = tasks.find((t) => t.name === process.env.LEVADA_TASK)

const browser = await launch()
const { page } = await openPage(browser, base, { viewport: { width: 1440, height: 860 }, colorScheme: 'light', reducedMotion: 'reduce' })
await page.goto(`${base}/runs/${id}${task ? `/tasks/${task.id}` : ''}`)
await page.locator('[data-path]').first().waitFor()
await settled(page)
await page.screenshot({ path: process.env.OUT ?? '../docs/images/run.png' })
await browser.close()
