// The browser test as a whole: starts a server on a data directory of its own, submits the pipelines of pipelines/ and
// drives the pages of each run with run.mjs, while the run is going on; then actions.mjs
// changes things, and the other scripts look at the rooms that they are named for. A script that fails is
// tried once more, since a browser on a busy machine is not the same each time; the end says which, and a
// script that is named there often is to be mended. With LEVADA_URL it only runs run.mjs there.
//   ONLY               the scripts after run.mjs, separated by commas, by default all
//   LEVADA_BIN         the program, by default ../bin/levada
//   LEVADA_TEST_CACHE  a folder whose Python environments are used and kept
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { submit } from './api.mjs'
import { dataDirectory, removeDirectory, start, stop } from './server.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))

const scripts = process.env.ONLY?.split(',') ?? ['actions.mjs', 'tracking.mjs', 'runs.mjs', 'live.mjs', 'pipelines.mjs', 'partitions.mjs', 'triggers.mjs', 'declare.mjs', 'endpoints.mjs', 'logged.mjs', 'home.mjs', 'compare.mjs', 'graph.mjs', 'artifacts.mjs', 'data.mjs', 'budgets.mjs']

async function drive(env, script = 'run.mjs') {
  const child = spawn(process.execPath, [join(here, script)], { stdio: 'inherit', env: { ...process.env, ...env } })
  const [code] = await once(child, 'exit')
  return code === 0
}

const unsteady = []

/** Runs a script, and once more if it fails. */
async function driveTwice(env, script) {
  if (await drive(env, script)) return true
  unsteady.push(script)
  console.error(`\n${script} failed and is tried once more`)
  return drive(env, script)
}

async function testLocally() {
  const data = await dataDirectory()
  const { server, url } = await start(data)
  try {
    let passed = true
    for (const name of ['succeeding', 'failing']) {
      const id = await submit(url, name, `${name} in the browser`)
      passed = (await driveTwice({ LEVADA_URL: url, LEVADA_RUN_ID: id }, 'run.mjs')) && passed
    }
    for (const script of scripts) passed = (await driveTwice({ LEVADA_URL: url }, script)) && passed
    return passed
  } finally {
    await stop(server)
    await removeDirectory(data)
  }
}

const passed = process.env.LEVADA_URL ? await drive({}) : await testLocally()
if (unsteady.length > 0) console.error(`\nfailed at first: ${unsteady.join(', ')}`)
process.exit(passed ? 0 : 1)
