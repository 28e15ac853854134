// The browser test as a whole. Each script has a server on a data directory of its own: run.mjs drives the pages of two pipelines
// of pipelines/ while they run, actions.mjs changes things, and the others look at the rooms that they are named for. A script that
// fails is tried once more, since a browser on a busy machine is not the same each time; the end says which, and a script that is
// named there often is to be mended. With LEVADA_URL it only runs run.mjs there.
//   ONLY               the scripts, separated by commas, by default all
//   LEVADA_BIN         the program, by default ../bin/levada
//   LEVADA_TEST_CACHE  a folder whose Python environments are used and kept
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statfs } from 'node:fs/promises'
import { freemem, loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { submit } from './api.mjs'
import { dataDirectory, removeDirectory, start, stop } from './server.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))

const scripts = process.env.ONLY?.split(',') ?? ['run.mjs', 'actions.mjs', 'tracking.mjs', 'runs.mjs', 'live.mjs', 'pipelines.mjs', 'partitions.mjs', 'triggers.mjs', 'declare.mjs', 'endpoints.mjs', 'logged.mjs', 'home.mjs', 'compare.mjs', 'graph.mjs', 'artifacts.mjs', 'data.mjs', 'budgets.mjs']

/** What did not pass, of all that was tried. */
const findings = []

async function drive(env, script = 'run.mjs') {
  const child = spawn(process.execPath, ['--test-reporter=tap', join(here, script)], { stdio: ['inherit', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    process.stdout.write(chunk)
    text += chunk
  })
  const [code] = await once(child, 'close')
  for (const test of text.split(/^# Subtest: /m)) if (/^not ok/m.test(test)) findings.push(`${script}: ${test.slice(0, 1500)}`)
  return code === 0
}

const mib = (bytes) => Math.round(bytes / 2 ** 20)

/** Runs a script on a new server. When it fails, what the server said last is printed. */
async function driveAlone(script) {
  const data = await dataDirectory()
  let passed = false
  let up
  try {
    up = await start(data)
    passed = script === 'run.mjs' ? await followRuns(up.url) : await drive({ LEVADA_URL: up.url }, script)
  } catch (error) {
    findings.push(`${script}: ${error.stack}`)
  }
  if (up) await stop(up.server)
  if (!passed) {
    const disk = await statfs(data)
    console.error(`\nthe end of what the server of ${script} said:\n${up?.log.join('').slice(-4000)}`)
    console.error(`load: ${loadavg()}, free: memory ${mib(freemem())} MiB, disk ${mib(disk.bavail * disk.bsize)} MiB`)
  }
  await removeDirectory(data)
  return passed
}

/** Starts two runs, one after the other, and drives the pages of each while it is going on. */
async function followRuns(url) {
  let passed = true
  for (const name of ['succeeding', 'failing']) {
    const id = await submit(url, name, `${name} in the browser`)
    passed = (await drive({ LEVADA_URL: url, LEVADA_RUN_ID: id })) && passed
  }
  return passed
}

const [failed, unsteady] = [[], []]

async function testLocally() {
  for (const script of scripts) {
    if (await driveAlone(script)) continue
    console.error(`\n${script} failed and is tried once more`)
    ;((await driveAlone(script)) ? unsteady : failed).push(script)
  }
  if (findings.length > 0) console.error(`\nwhat did not pass:\n\n${findings.join('\n')}`)
  if (unsteady.length > 0) console.error(`\nfailed at first: ${unsteady.join(', ')}`)
  if (failed.length > 0) console.error(`\nfailed twice: ${failed.join(', ')}`)
  return failed.length === 0
}

process.exit((await (process.env.LEVADA_URL ? drive({}) : testLocally())) ? 0 : 1)
