// The list of runs with a million runs in the store, and how soon it shows what happens.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { call, until } from '../api.mjs'
import { freshPage, several } from './measure.mjs'
import { oneTask } from './shapes.mjs'

const rounds = 9
const row = 'a[href^="/runs/"]'

/** Milliseconds from the click on "Runs" to the frame after the first rows are there. */
async function click(browser, base) {
  const { page, close } = await freshPage(browser, base)
  await page.goto(`${base}/models`)
  await page.getByRole('heading', { level: 1, name: 'Models' }).waitFor()
  await delay(300)
  const took = await page.evaluate(
    (wanted) =>
      new Promise((resolve) => {
        const start = performance.now()
        const look = () => {
          if (!document.querySelector(wanted)) requestAnimationFrame(look)
          else requestAnimationFrame(() => resolve(performance.now() - start))
        }
        document.querySelector('nav a[href="/runs"]').click()
        look()
      }),
    row,
  )
  await close()
  return took
}

/** Milliseconds from the time that the server gives for the end of a run to its being seen in the list. */
async function seen(page, base) {
  const name = `seen ${randomUUID()}`
  await page.evaluate((wanted) => {
    window.seenAt = new Promise((resolve) => {
      const look = () => {
        const link = [...document.querySelectorAll('a[href^="/runs/"]')].find((a) => a.textContent === wanted)
        if (!link?.closest('tr, [role=row]')?.querySelector('[data-state=SUCCEEDED]')) requestAnimationFrame(look)
        else requestAnimationFrame(() => resolve(Date.now()))
      }
      look()
    })
  }, name)
  const { id } = await call(base, '/runs', { body: { spec: oneTask('seen'), display_name: name } })
  const at = await page.evaluate(() => window.seenAt)
  const run = await until(() => call(base, `/runs/${id}`), (r) => r.finished_at)
  await delay(2500)
  return at - Date.parse(run.finished_at)
}

export async function measure({ browser, base }) {
  const { total } = await call(base, '/runs?page_size=1&archived=any')
  const first = await several(rounds, () => click(browser, base))
  const { page, close } = await freshPage(browser, base)
  await page.goto(`${base}/runs`)
  await page.locator(row).first().waitFor()
  await delay(1000)
  const live = await several(rounds, () => seen(page, base))
  await close()
  const runs = `${total.toLocaleString('en-GB')} runs`
  return [
    { name: `List of ${runs}: first rows after the click`, ...first, unit: 'ms', budget: 200 },
    { name: `List of ${runs}: the end of a run, on the screen after it happened`, ...live, unit: 'ms', budget: 200 },
  ]
}
