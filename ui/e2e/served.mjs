// A registered model whose versions differ in what they do, and requests for its predictions.
import { call } from './api.mjs'
import { createExperiment, createRun, finish } from './seed.mjs'

const mlflow = (base, path, body) => call(base, path, { prefix: '/api/2.0/mlflow', body })

const code = `import json
import time


class Doubling:
    """Doubles a number, late or wrong where it is told so."""

    def __init__(self, delay, shift):
        self.delay, self.shift = delay, shift

    def predict(self, table):
        time.sleep(self.delay)
        return table["x"].to_numpy() * 2 + self.shift


def _load_pyfunc(path):
    with open(path) as f:
        return Doubling(**json.load(f))
`

const description = `flavors:
  python_function:
    code: code
    data: behaviour.json
    loader_module: levada_doubling
mlflow_version: 3.17.2
signature:
  inputs: '[{"name": "x", "type": "double"}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
`

/** Registers a version for each behaviour, as MLflow's client does: { delay: seconds, shift: what is added to the answer }. */
export async function registerServed(base, name, behaviours) {
  const experiment = await createExperiment(base, `${name} versions`)
  await mlflow(base, '/registered-models/create', { name })
  for (const behaviour of behaviours) {
    const run = await createRun(base, experiment, 'fit')
    const root = `${run.artifact_uri.replace(/^mlflow-artifacts:\/?/, '')}/model`
    const files = { MLmodel: description, 'code/levada_doubling.py': code, 'behaviour.json': JSON.stringify({ delay: 0, shift: 0, ...behaviour }), 'requirements.txt': 'mlflow-skinny==3.17.2\nnumpy==2.4.6\npandas==3.1.1\n' }
    for (const [file, text] of Object.entries(files)) {
      const response = await fetch(`${base}/api/2.0/mlflow-artifacts/artifacts/${root}/${file}`, { method: 'PUT', body: text })
      if (!response.ok) throw new Error(`${file}: ${response.status} ${await response.text()}`)
    }
    await mlflow(base, '/model-versions/create', { name, source: `${run.artifact_uri}/model`, run_id: run.run_id })
    await finish(base, run.run_id)
  }
}

/** Asks an endpoint for predictions until stop is called, which returns how many there were and what went wrong. */
export function ask(base, endpoint, clients = 6) {
  const state = { going: true }
  let asked = 0
  const failed = []
  const one = async (first) => {
    for (let i = first; state.going; i++) {
      const x = ((i * 2654435761) % 1000) / 100
      try {
        const response = await fetch(`${base}/v2/models/${endpoint}/infer`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'FP64', data: [x] }] }),
        })
        const text = await response.text()
        asked++
        if (!response.ok) failed.push(`${response.status} ${text}`)
      } catch (error) {
        failed.push(String(error))
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const all = Array.from({ length: clients }, (_, i) => one(i * 1000))
  return async () => {
    state.going = false
    await Promise.all(all)
    return { asked, failed }
  }
}
