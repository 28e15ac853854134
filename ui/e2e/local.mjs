// The browser test as a whole: starts a server on a data directory of its own, submits the pipelines of pipelines/ and
// drives the pages of each run with run.mjs, while the run is going on; then actions.mjs
// changes things, tracking.mjs looks at experiments and models, and artifacts.mjs at artifacts and lineage. With LEVADA_URL
// it only runs run.mjs there.
//   LEVADA_BIN         the program, by default ../bin/levada
//   LEVADA_TEST_CACHE  a folder whose Python environments are used and kept
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { submit } from './api.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const bin = process.env.LEVADA_BIN ?? join(here, '../../bin/levada')

async function drive(env, script = 'run.mjs') {
  const child = spawn(process.execPath, [join(here, script)], { stdio: 'inherit', env: { ...process.env, ...env } })
  const [code] = await once(child, 'exit')
  return code === 0
}

async function start(data) {
  const server = spawn(bin, ['up', '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const log = []
  server.stderr.on('data', (chunk) => log.push(chunk))
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /http:\/\/[\d.:]+/.exec(line)?.[0]
    if (url) return { server, url }
  }
  throw new Error(`${bin} up did not say where it listens:\n${Buffer.concat(log)}`)
}

async function testLocally() {
  const data = await mkdtemp(join(tmpdir(), 'levada-browser-'))
  const cache = process.env.LEVADA_TEST_CACHE
  if (cache) {
    await mkdir(join(cache, 'envs'), { recursive: true })
    await symlink(join(cache, 'envs'), join(data, 'envs'))
  }
  const { server, url } = await start(data)
  try {
    let passed = true
    for (const name of ['succeeding', 'failing']) {
      const id = await submit(url, name, `${name} in the browser`)
      passed = (await drive({ LEVADA_URL: url, LEVADA_RUN_ID: id })) && passed
    }
    for (const script of ['actions.mjs', 'tracking.mjs', 'artifacts.mjs']) passed = (await drive({ LEVADA_URL: url }, script)) && passed
    return passed
  } finally {
    server.kill('SIGTERM')
    if (server.exitCode === null) await once(server, 'exit')
    await rm(data, { recursive: true, force: true })
  }
}

const passed = process.env.LEVADA_URL ? await drive({}) : await testLocally()
process.exit(passed ? 0 : 1)
