// Takes a picture of every screen, wide and narrow, light and dark, to be looked at by a person.
// LEVADA_URL names a server with runs (or dev/fixture.mjs); OUT is the folder, by default shots/.
import { mkdir } from 'node:fs/promises'
import { launch, openPage } from './browser.mjs'

const base = process.env.LEVADA_URL ?? 'http://127.0.0.1:8181'
const out = process.env.OUT ?? 'shots'
const only = process.env.ONLY ?? ''

const list = await (await fetch(`${base}/api/v1/runs?page_size=50`)).json()
const screens = [['home', '/', 500], ['system', '/system', 700], ['runs', '/runs', 400], ['recurring', '/recurring-runs', 400], ['none', '/runs?q=zzzz', 300], ['missing', '/nowhere', 100], ['missing-run', '/runs/nothing', 300]]
const seen = new Set()
for (const run of list.runs) {
  const key = `${run.pipeline_name}-${run.state}`
  if (seen.has(key) || seen.size > 5) continue
  seen.add(key)
  const { tasks } = await (await fetch(`${base}/api/v1/runs/${run.id}/tasks`)).json()
  const name = run.pipeline_name
  screens.push([`${name}`, `/runs/${run.id}`, 900], [`${name}-timeline`, `/runs/${run.id}?view=timeline`, 500])
  const pick = (test) => tasks.find((t) => test(t))
  const wanted = {
    failed: pick((t) => t.state === 'FAILED' && t.kind === 'container'),
    loop: pick((t) => t.kind === 'loop'),
    inner: pick((t) => t.kind === 'container' && (t.parent ?? '').includes('/')),
    metrics: pick((t) => Object.values(t.outputs?.artifacts ?? {}).flat().some((a) => a.schema_title === 'system.ClassificationMetrics')),
    train: pick((t) => t.name === 'train'),
    cached: pick((t) => t.cached),
  }
  for (const [what, task] of Object.entries(wanted)) {
    if (!task) continue
    screens.push([`${name}-${what}`, `/runs/${run.id}/tasks/${task.id}`, 900])
    if (what === 'failed' || what === 'metrics') screens.push([`${name}-${what}-log`, `/runs/${run.id}/tasks/${task.id}?tab=logs`, 700])
  }
}

screens.push(...(await endpointScreens()), ...(await trackedScreens()), ...(await pipelineScreens()), ...(await artifactScreens()))

/** The pages of the pipeline with the most versions among the newest, and its form. */
async function pipelineScreens() {
  const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json()
  const more = [['pipelines', '/pipelines', 400]]
  const { pipelines = [] } = await get('/pipelines?page_size=20')
  const details = await Promise.all(pipelines.map((p) => get(`/pipelines/${p.id}`)))
  const best = details.toSorted((a, b) => b.versions.total - a.versions.total)[0]
  if (best) {
    const at = `/pipelines/${best.pipeline.id}`
    const [, older] = best.versions.versions
    more.push(['pipeline', at, 900], ['pipeline-inputs', `${at}?view=inputs`, 400], ['pipeline-yaml', `${at}?view=yaml`, 700], ['pipeline-versions', `${at}?view=versions`, 400])
    more.push(['run-form', `${at}/run`, 500], ['run-schedule', `${at}/run?when=schedule`, 900])
    if (older) more.push(['pipeline-diff', `${at}?against=${older.id}`, 900])
  }
  if (list.runs[0]) more.push(['run-clone', `/runs/${list.runs[0].id}/clone`, 500], ['run-yaml', `/runs/${list.runs[0].id}?view=yaml`, 700])
  return more
}

/** The screens of endpoints and of the newest rollout of each. */
async function endpointScreens() {
  const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json()
  const { endpoints = [] } = await get('/endpoints')
  const more = [['endpoints', '/endpoints', 400]]
  for (const { name } of endpoints.slice(0, 2)) {
    more.push([`endpoint-${name}`, `/endpoints/${name}`, 600])
    const { rollouts = [] } = await get(`/endpoints/${name}/rollouts?limit=1`)
    for (const r of rollouts) more.push([`rollout-${name}`, `/endpoints/${name}/rollouts/${r.id}`, 900])
  }
  return more
}

/** The screens of artifacts and lineage. */
async function artifactScreens() {
  const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json()
  const { artifacts = [] } = await get('/artifacts?page_size=100')
  const { models = [] } = await get('/models')
  const more = [['artifacts', '/artifacts', 400]]
  for (const name of ['table', 'data', 'model']) {
    const found = artifacts.find((a) => a.name === name)
    if (found) more.push([`artifact-${name}`, `/artifacts/${found.id}`, 500], [`artifact-${name}-lineage`, `/artifacts/${found.id}?tab=lineage`, 700])
  }
  for (const m of models.filter((one) => one.aliases.length > 0).slice(0, 1)) {
    const node = encodeURIComponent(`model:${m.name}/${m.aliases[0].version}`)
    more.push(['lineage', `/lineage?node=${node}&as=graph`, 700], ['lineage-list', `/lineage?node=${node}&as=list`, 400])
  }
  return more
}

/** The screens of tracking, where the server has runs that seed.mjs logged. */
async function trackedScreens() {
  const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json()
  const { experiments = [] } = await get('/experiments?page_size=50')
  const more = [['experiments', '/experiments', 400], ['models', '/models', 400], ['no-model', '/models?q=zzzz', 300], ['compare-none', '/compare', 300]]
  for (const e of experiments) {
    const { runs = [] } = await get(`/experiments/${e.id}/tracked-runs?page_size=200`)
    const trained = runs.filter((r) => r.metrics.some((m) => m.count > 50))
    if (trained.length < 2) continue
    const sweep = trained[0].parent_id
    const query = trained.map((r) => `run=${r.id}`).join('&')
    more.push(
      ['experiment', `/experiments/${e.id}?${query.split('&').slice(0, 3).join('&')}`, 500],
      ['experiment-flat', `/experiments/${e.id}?flat=1&sort=metrics.loss%20ASC`, 500],
      ['experiment-wrong', `/experiments/${e.id}?filter=metrics.loss%20%3C%20low`, 500],
      ['experiment-none', `/experiments/${e.id}?filter=metrics.loss%20%3C%20-5`, 500],
      ['tracked', `/tracked-runs/${trained.at(-1).id}`, 500],
      ['tracked-curves', `/tracked-runs/${trained.at(-1).id}?tab=curves`, 900],
      ['tracked-files', `/tracked-runs/${trained.at(-1).id}?tab=files&file=report.md`, 700],
      ['sweep', `/tracked-runs/${sweep}`, 500],
      ['compare-curves', `/compare?${query}&smooth=0.6`, 900],
      ['compare-parallel', `/compare?${query}&view=parallel`, 500],
      ['compare-scatter', `/compare?${query}&view=scatter`, 500],
      ['compare-contour', `/compare?${query}&view=contour`, 500],
      ['compare-diff', `/compare?${query}&view=diff`, 500],
      ['compare-sources', `/compare?${query}&view=sources&all=1`, 500],
      ['experiment-groups', `/experiments/${e.id}?group=params.optimizer&open=%3Dadam`, 500],
    )
    break
  }
  const { models = [] } = await get('/models')
  if (models[0]) {
    const address = `/models/${encodeURIComponent(models[0].name)}`
    more.push(['model', address, 600], ['model-compare', `${address}?compare=1&compare=2`, 600], ['model-card', `${address}/versions/1`, 600])
  }
  return more
}

await mkdir(out, { recursive: true })
const browser = await launch()
let bad = 0
for (const [width, height] of [[1280, 800], [390, 844]]) {
  for (const colorScheme of ['light', 'dark']) {
    const { page, complaints } = await openPage(browser, base, { viewport: { width, height }, colorScheme, hasTouch: width < 500, reducedMotion: 'reduce' })
    for (const [name, path, wait] of screens) {
      if (!name.includes(only)) continue
      await page.goto(base + path)
      await page.waitForTimeout(wait)
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (overflow > 0) complaints.push(`the page is ${overflow} px too wide`)
      await page.screenshot({ path: `${out}/${name}-${width}-${colorScheme}.png`, fullPage: width < 500 && !name.includes('timeline') })
      for (const c of complaints.splice(0)) {
        if (c.includes('404') || (c.includes('400') && name.includes('wrong'))) continue
        console.log(`${name} ${width} ${colorScheme}: ${c}`)
        bad++
      }
    }
    await page.context().close()
  }
}
await browser.close()
process.exit(bad > 0 ? 1 : 0)
