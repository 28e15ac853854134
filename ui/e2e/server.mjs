// Starts and ends Levada servers for tests and measurements.
//   LEVADA_BIN         the program, by default ../bin/levada
//   LEVADA_TEST_CACHE  a folder whose Python environments are used and kept
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const bin = process.env.LEVADA_BIN ?? fileURLToPath(new URL('../../bin/levada', import.meta.url))

/** An empty data directory, whose environments are those of earlier tests where there are some. */
export async function dataDirectory() {
  const data = await mkdtemp(join(tmpdir(), 'levada-browser-'))
  const cache = process.env.LEVADA_TEST_CACHE
  if (cache) {
    await mkdir(join(cache, 'envs'), { recursive: true })
    await symlink(join(cache, 'envs'), join(data, 'envs'))
  }
  return data
}

export const removeDirectory = (data) => rm(data, { recursive: true, force: true })

/** Starts a server on a data directory, and returns it with its address and the parts of what it logs, which grow, once it listens. */
export async function start(data, listen = '127.0.0.1:0') {
  // Receivers of messages that tests play are on this machine.
  const env = { LEVADA_WEBHOOK_HOSTS: 'http://127.0.0.1', ...process.env }
  const server = spawn(bin, ['up', '--data', data, '--listen', listen], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const log = []
  server.stderr.on('data', (chunk) => log.push(String(chunk)))
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /http:\/\/[\d.:]+/.exec(line)?.[0]
    if (url) {
      server.stdout.resume()
      return { server, url, log }
    }
  }
  throw new Error(`${bin} up did not say where it listens:\n${log.join('')}`)
}

export async function stop(server) {
  server.kill('SIGTERM')
  if (server.exitCode === null) await once(server, 'exit')
}
