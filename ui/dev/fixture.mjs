// A stand-in for a Levada server, for developing the pages: answers the API with the made-up runs of data.mjs.
// It is never part of the product. Usage: npm run fixture, then LEVADA_URL=http://127.0.0.1:8181 npm run dev.
// What is built in internal/web/dist is served as well, with the policy of internal/web.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { artifacts, contents, experiments, logOf, recurringRuns, runs } from './data.mjs'

const port = Number(process.env.PORT ?? 8181)
const dist = new URL('../../internal/web/dist/', import.meta.url)
const policy = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-src 'self'; frame-ancestors 'none'"
const final = new Set(['SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELED'])
const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html; charset=utf-8' }

const json = (res, body, status = 200) => {
  res.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' })
  res.end(JSON.stringify(body))
}
const missing = (res, what) => json(res, { type: 'about:blank', title: 'Not Found', status: 404, detail: `there is no ${what}` }, 404)
const find = (id) => runs.find((r) => r.run.id === id)

function list(res, query) {
  const wanted = runs.map((r) => r.run).filter(
    (r) => (!query.get('q') || r.display_name.includes(query.get('q'))) && (!query.get('state') || query.get('state').split(',').includes(r.state)) &&
      (!query.get('experiment_id') || r.experiment_id === query.get('experiment_id')) &&
      (!query.get('recurring_run_id') || r.recurring_run_id === query.get('recurring_run_id')))
  const from = Number(query.get('page_token') ?? 0)
  const size = Number(query.get('page_size') || 20)
  json(res, { runs: wanted.slice(from, from + size), total: wanted.length, ...(from + size < wanted.length ? { next_page_token: String(from + size) } : {}) })
}

function events(req, res, r) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  const send = (event, data) => res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  send('run', r.run)
  for (const t of r.tasks) send('task', t)
  send('synced', {})
  if (final.has(r.run.state)) return res.end('event: end\ndata: {}\n\n')
  const timer = setInterval(() => advance(r, send), 400)
  req.on('close', () => clearInterval(timer))
}

/** Ends the oldest running iteration and starts the next one. */
function advance(r, send) {
  const set = (task, state) => {
    if (!task) return
    Object.assign(task, { state }, state === 'RUNNING' ? { started_at: new Date().toISOString(), attempts: 1 } : { finished_at: new Date().toISOString() })
    send('task', task)
  }
  const loop = r.tasks.filter((t) => t.kind === 'iteration')
  const done = loop.find((t) => t.state === 'RUNNING')
  const next = loop.find((t) => t.state === 'PENDING')
  for (const [it, state] of [[done, 'SUCCEEDED'], [next, 'RUNNING']]) {
    if (!it) continue
    set(it, state)
    set(r.tasks.find((t) => t.parent === it.path), state)
  }
  r.run.tasks = {}
  for (const t of r.tasks) if (t.kind === 'container') r.run.tasks[t.state] = (r.run.tasks[t.state] ?? 0) + 1
  send('run', r.run)
}

function logs(req, res, task, follow) {
  const lines = logOf(task)
  if (!follow) return json(res, { lines, truncated: false })
  res.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const send = (l) => res.write(`event: line\ndata: ${JSON.stringify(l)}\n\n`)
  if (final.has(task.state)) {
    lines.forEach(send)
    return res.end('event: end\ndata: {}\n\n')
  }
  lines.slice(0, 50).forEach(send)
  let i = 50
  const timer = setInterval(() => send({ ...lines[i++ % lines.length], at: new Date().toISOString() }), 200)
  req.on('close', () => clearInterval(timer))
}

function content(req, res, artifact, query) {
  const body = contents.get(artifact.id)?.[query.get('path') ?? '']
  if (body === undefined) return missing(res, 'such file')
  const bytes = Buffer.from(body)
  const head = { 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'" }
  const range = /bytes=(\d+)-(\d+)/.exec(req.headers.range ?? '')
  const type = artifact.schema_title === 'system.HTML' ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8'
  if (!range) return res.writeHead(200, { ...head, 'Content-Type': type }).end(bytes)
  if (bytes.length === 0) return res.writeHead(416, head).end()
  const end = Math.min(Number(range[2]), bytes.length - 1)
  res.writeHead(206, { ...head, 'Content-Type': type, 'Content-Range': `bytes ${range[1]}-${end}/${bytes.length}` })
  res.end(bytes.subarray(Number(range[1]), end + 1))
}

function runApi(req, res, path, query) {
  const r = find(path[1])
  if (!r) return missing(res, `run ${path[1]}`)
  if (path.length === 2) return json(res, r.run)
  if (path[2] === 'tasks' && path.length === 3) return json(res, { tasks: r.tasks })
  if (path[2] === 'events') return events(req, res, r)
  if (path[2] === 'cancel') {
    r.run.state = 'CANCELING'
    return json(res, r.run)
  }
  if (path[2] === 'retry') {
    Object.assign(r.run, { state: 'RUNNING', finished_at: undefined, failure: undefined })
    return json(res, r.run)
  }
  if (path[2] === 'tasks' && path[4] === 'logs') {
    const task = r.tasks.find((t) => t.id === path[3])
    return task ? logs(req, res, task, query.get('follow') === 'true') : missing(res, `task ${path[3]}`)
  }
  return missing(res, query.toString())
}

function recurringApi(req, res, [, id, action]) {
  if (!id) return json(res, { recurring_runs: recurringRuns, total: recurringRuns.length })
  const r = recurringRuns.find((it) => it.id === id)
  if (!r) return missing(res, `recurring run ${id}`)
  if (req.method === 'DELETE') {
    recurringRuns.splice(recurringRuns.indexOf(r), 1)
    return res.writeHead(204).end()
  }
  if (action) r.enabled = action === 'enable'
  return json(res, r)
}

function api(req, res, url) {
  const path = url.pathname.slice('/api/v1/'.length).split('/').map(decodeURIComponent)
  if (path[0] === 'info') return json(res, { version: '0.1.0', go: 'go1.26', data_dir: '/home/ana/.levada', started_at: new Date().toISOString() })
  if (path[0] === 'experiments') return json(res, { experiments, total: experiments.length })
  if (path[0] === 'runs' && path.length === 1) return list(res, url.searchParams)
  if (path[0] === 'runs') return runApi(req, res, path, url.searchParams)
  if (path[0] === 'recurring-runs') return recurringApi(req, res, path)
  const artifact = artifacts.get(path[1])
  if (path[0] !== 'artifacts' || !artifact) return missing(res, url.pathname)
  if (path[2] === 'content') return content(req, res, artifact, url.searchParams)
  const files = Object.entries(contents.get(artifact.id)).map(([p, b]) => ({ path: p, size: Buffer.byteLength(b), digest: artifact.digest }))
  return json(res, path[2] === 'files' ? { files } : artifact)
}

async function page(res, pathname) {
  const name = /^\/(assets\/[\w.-]+|theme\.js|favicon\.svg)$/.exec(pathname)?.[1] ?? 'index.html'
  const type = types[/\.\w+$/.exec(name)?.[0] ?? ''] ?? 'application/octet-stream'
  const body = await readFile(new URL(name, dist)).catch(() => undefined)
  if (body) res.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' }).end(body)
  else res.writeHead(404).end('not built')
}

createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost')
  if (url.pathname.startsWith('/api/')) api(req, res, url)
  else void page(res, url.pathname)
}).listen(port, '127.0.0.1', () => console.log(`fixture server at http://127.0.0.1:${port}`))
