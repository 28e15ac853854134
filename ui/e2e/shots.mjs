// Takes a picture of every screen, wide and narrow, light and dark, to be looked at by a person.
// LEVADA_URL names a server with runs (or dev/fixture.mjs); OUT is the folder, by default shots/.
import { mkdir } from 'node:fs/promises'
import { launch, openPage } from './browser.mjs'

const base = process.env.LEVADA_URL ?? 'http://127.0.0.1:8181'
const out = process.env.OUT ?? 'shots'
const only = process.env.ONLY ?? ''

const list = await (await fetch(`${base}/api/v1/runs?page_size=50`)).json()
const screens = [['runs', '/runs', 400], ['recurring', '/recurring-runs', 400], ['none', '/runs?q=zzzz', 300], ['missing', '/nowhere', 100], ['missing-run', '/runs/nothing', 300]]
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
        if (c.includes('404')) continue
        console.log(`${name} ${width} ${colorScheme}: ${c}`)
        bad++
      }
    }
    await page.context().close()
  }
}
await browser.close()
process.exit(bad > 0 ? 1 : 0)
