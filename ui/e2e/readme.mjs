// Takes the pictures that the README and docs/ui.md show, of a server with the flights example, a failed run, and what log-runs.mjs logs.
//   LEVADA_URL   the server, by default http://127.0.0.1:8080
//   OUT          the folder, by default ../docs/images
import { launch, openPage, settled } from './browser.mjs'

const base = process.env.LEVADA_URL ?? 'http://127.0.0.1:8080'
const out = process.env.OUT ?? '../docs/images'
const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json()

/** The newest run of a pipeline. */
async function newest(pipeline) {
  const { runs } = await get(`/runs?pipeline=${pipeline}&page_size=1`)
  if (!runs[0]) throw new Error(`the server has no run of ${pipeline}`)
  return runs[0].id
}

const flights = await newest('flights-late-departure')
const evaluate = (await get(`/runs/${flights}/tasks`)).tasks.find((t) => t.name === 'evaluate')

const { models } = await get('/models')
const { name, aliases } = models.find((m) => m.aliases.length > 0)
const { experiments } = await get('/experiments?page_size=200')
const experiment = experiments.find((e) => e.display_name === 'flight delays')
const compared = (await get(`/experiments/${experiment.id}/tracked-runs?page_size=20`)).runs.filter((r) => r.name?.startsWith('train-'))

const pictures = [
  ['run', `/runs/${flights}/tasks/${evaluate.id}`, '[data-path]'],
  ['failed', `/runs/${await newest('browser-failing')}`, '[data-path]'],
  ['compare', `/compare?${compared.map((r) => `run=${r.id}`).join('&')}`, 'canvas'],
  ['lineage', `/lineage?node=${encodeURIComponent(`model:${name}/${aliases[0].version}`)}&as=graph`, '[data-node]'],
]

const browser = await launch()
const { page } = await openPage(browser, base, { viewport: { width: 1440, height: 860 }, colorScheme: 'light', reducedMotion: 'reduce' })
for (const [file, path, sight] of pictures) {
  await page.goto(base + path)
  await page.locator(sight).first().waitFor()
  await settled(page)
  await page.screenshot({ path: `${out}/${file}.png` })
}
await browser.close()
