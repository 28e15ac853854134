// Logs runs, metrics, files and models through MLflow's REST API, as its client does: what the tracking screens show.
import { call } from './api.mjs'

const mlflow = (base, path, body, method) => call(base, path, { prefix: '/api/2.0/mlflow', body, method })

/** A name that must be shown as it is, whatever it looks like. */
export const hostile = '<img src=x onerror="document.title=\'ran\'">\u202Eevil'

async function putFile(base, path, bytes) {
  const url = `${base}/api/2.0/mlflow-artifacts/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`
  const response = await fetch(url, { method: 'PUT', body: bytes })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
}

export async function createRun(base, experiment, name, { params = {}, tags = {}, start = Date.now() - 60_000 } = {}) {
  const { run } = await mlflow(base, '/runs/create', {
    experiment_id: experiment,
    run_name: name,
    user_id: 'ada',
    start_time: start,
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  })
  const list = Object.entries(params).map(([key, value]) => ({ key, value: String(value) }))
  if (list.length > 0) await mlflow(base, '/runs/log-batch', { run_id: run.info.run_id, params: list })
  return run.info
}

/** Logs points: series maps names to functions of the step. */
export async function logCurves(base, id, series, steps, start = Date.now() - 60_000, first = 0) {
  const metrics = Object.entries(series).flatMap(([key, f]) => Array.from({ length: steps }, (_, i) => ({ key, value: f(first + i), step: first + i, timestamp: start + (first + i) * 100 })))
  for (let i = 0; i < metrics.length; i += 1000) await mlflow(base, '/runs/log-batch', { run_id: id, metrics: metrics.slice(i, i + 1000) })
}

export const finish = (base, id, status = 'FINISHED', end = Date.now()) => mlflow(base, '/runs/update', { run_id: id, status, end_time: end })

export async function createExperiment(base, name) {
  return (await mlflow(base, '/experiments/create', { name })).experiment_id
}

const noise = (first) => {
  let state = first
  return () => {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647 - 0.5
  }
}

/**
 * An experiment with ten trainings beneath a sweep, a run that is going on, one that failed and has a hostile name, and a model
 * with two versions.
 */
export async function seed(base, name) {
  const experiment = await createExperiment(base, name)
  const start = Date.now() - 3_600_000
  const sweep = await createRun(base, experiment, 'sweep', { start })
  const runs = []
  for (let i = 0; i < 10; i++) {
    const lr = [0.1, 0.03, 0.01, 0.003, 0.001][i % 5]
    const random = noise(i + 7)
    const run = await createRun(base, experiment, `train-${i}`, {
      start: start + i * 60_000,
      params: { lr, depth: 2 + (i % 4), optimizer: i % 2 ? 'adam' : 'sgd', dataset: 'flights' },
      tags: { 'mlflow.parentRunId': sweep.run_id, team: i % 3 ? 'delays' : 'fares', 'mlflow.source.name': 'train.py' },
    })
    await logCurves(
      base,
      run.run_id,
      {
        loss: (s) => (1.2 + i * 0.05) * Math.exp(-s * lr * 0.6) + 0.08 + random() * 0.05,
        'val/accuracy': (s) => 0.9 - 0.4 * Math.exp(-s * lr) - i * 0.01 + random() * 0.02,
      },
      200,
      start + i * 60_000,
    )
    await finish(base, run.run_id, 'FINISHED', start + i * 60_000 + 45_000)
    runs.push(run)
  }
  await finish(base, sweep.run_id, 'FINISHED', start + 700_000)
  const failed = await createRun(base, experiment, hostile, { start: start - 60_000, params: { lr: 0.5, note: '<script>alert(1)</script>' }, tags: { note: hostile } })
  await logCurves(base, failed.run_id, { loss: (s) => (s > 3 ? Number.NaN : 1) }, 3, start)
  await mlflow(base, '/runs/log-metric', { run_id: failed.run_id, key: 'loss', value: 'NaN', step: 4, timestamp: start })
  await finish(base, failed.run_id, 'FAILED', start)
  const running = await createRun(base, experiment, 'still going on', { start: Date.now() - 20_000, params: { lr: 0.02 } })
  await logCurves(base, running.run_id, { loss: (s) => 1 / (s + 1) }, 30, Date.now() - 20_000)
  await logFiles(base, runs[0])
  await logDatasets(base, runs[0])
  const model = await registerModel(base, name, runs)
  return { experiment, sweep, runs, failed, running, model }
}

async function logFiles(base, run) {
  const root = run.artifact_uri.replace(/^mlflow-artifacts:\/?/, '')
  await putFile(base, `${root}/report.md`, '# Training\n\n| epoch | loss |\n|---|---|\n| 1 | 0.5 |\n\n<b>raw</b>\n')
  await putFile(base, `${root}/plots/table.csv`, 'carrier,delay\nUA,12\nAA,7\n')
  await putFile(base, `${root}/plots/page.html`, '<h1>Page</h1><script>document.body.append("ran")</script>')
}

/** Runs that differ in what they executed: their commits, and the packages that their models need. */
export async function seedSources(base, experiment) {
  const runs = []
  for (const [i, numpy] of ['2.3.1', '2.3.2', '2.3.2'].entries()) {
    const run = await createRun(base, experiment, i === 2 ? hostile : `fit-${i}`, {
      params: { lr: i },
      tags: {
        'mlflow.source.git.commit': `c0ffee${i}`,
        'mlflow.source.name': 'fit.py',
        'mlflow.log-model.history': '[{"artifact_path": "model"}]',
      },
    })
    const root = `${run.artifact_uri.replace(/^mlflow-artifacts:\/?/, '')}/model`
    await putFile(base, `${root}/requirements.txt`, `mlflow==3.1.0\nnumpy==${numpy}\nscikit-learn==1.7.0\n`)
    await putFile(base, `${root}/conda.yaml`, `channels:\n- conda-forge\ndependencies:\n- python=3.13.5\n- pip:\n  - numpy==${numpy}${i === 2 ? `\n# ${hostile}` : ''}\n`)
    await putFile(base, `${root}/python_env.yaml`, 'python: 3.13.5\n')
    await finish(base, run.run_id)
    runs.push(run)
  }
  return runs
}

async function logDatasets(base, run) {
  await mlflow(base, '/runs/log-inputs', {
    run_id: run.run_id,
    datasets: [
      {
        tags: [{ key: 'mlflow.data.context', value: 'training' }],
        dataset: { name: 'flights-2013', digest: '3fa9c1d2', source_type: 'http', source: '{"url": "https://example.org/flights.csv"}', schema: '{"mlflow_colspec": []}' },
      },
    ],
  })
}

async function registerModel(base, name, runs) {
  const model = `${name} model`
  await mlflow(base, '/registered-models/create', { name: model, description: '## Delays\n\nPredicts whether a flight is **late**.\n\n<script>document.title="ran"</script>', tags: [{ key: 'owner', value: 'ada' }] })
  for (const run of runs.slice(0, 2)) {
    const root = run.artifact_uri.replace(/^mlflow-artifacts:\/?/, '')
    await putFile(base, `${root}/model/MLmodel`, `flavors:\n  python_function:\n    python_version: 3.13.5\n  sklearn: {}\nmlflow_version: 3.1.0\nrun_id: ${run.run_id}\nsignature:\n  inputs: '[{"name": "distance", "type": "double"}, {"name": "<b>carrier</b>", "type": "string", "required": false}]'\n  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'\n`)
    await putFile(base, `${root}/model/weights.bin`, new Uint8Array([0, 1, 2, 3]))
    const { model_version: v } = await mlflow(base, '/model-versions/create', { name: model, source: `${run.artifact_uri}/model`, run_id: run.run_id, description: `From *${run.run_name}*.`, tags: [{ key: 'checked', value: 'yes' }] })
    await mlflow(base, '/model-versions/transition-stage', { name: model, version: v.version, stage: v.version === '1' ? 'Production' : 'Staging', archive_existing_versions: false })
  }
  await mlflow(base, '/registered-models/alias', { name: model, alias: 'champion', version: '1' })
  return model
}
