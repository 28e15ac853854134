// What the browser tests ask a server besides the pages.
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const pipelines = fileURLToPath(new URL('pipelines/', import.meta.url))

/** Calls the API, and throws on an answer that is not a success. A body makes it a POST. */
export async function call(base, path, { prefix = '/api/v1', method, body } = {}) {
  const response = await fetch(base + prefix + path, {
    method: method ?? (body ? 'POST' : 'GET'),
    ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}

/** Starts a run of a pipeline of pipelines/ and returns its id; more is what else its request says. */
export async function submit(base, pipeline, display_name, more = {}) {
  const spec = await readFile(`${pipelines}${pipeline}.yaml`, 'utf8')
  return (await call(base, '/runs', { body: { spec, display_name, ...more } })).id
}

/** Runs a pipeline of pipelines/ to its end, which must be a success, and returns the run; more is what else its request says. */
export async function succeed(base, pipeline, display_name, more) {
  const id = await submit(base, pipeline, display_name, more)
  const run = await until(() => call(base, `/runs/${id}`), (r) => r.finished_at)
  if (run.state !== 'SUCCEEDED') throw new Error(`${display_name}: ${run.state} ${JSON.stringify(run.failure)}`)
  return run
}

/** Asks until the answer is right, and returns it; fails with the last answer after as long as a page is waited for. */
export async function until(ask, right) {
  const end = Date.now() + Number(process.env.LEVADA_TIMEOUT ?? 120) * 1000
  for (;;) {
    const answer = await ask()
    if (right(answer)) return answer
    if (Date.now() > end) throw new Error(`waited in vain; the last answer is ${String(JSON.stringify(answer)).slice(0, 1000)}`)
    await delay(50)
  }
}
