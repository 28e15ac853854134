import { expect, test } from 'vitest'
import type { Endpoint, InferenceGraph, RolloutReport } from '../api/types'
import { askedBy, duration, effectWords, planSteps, progressOf, readShares, rolloutSign, totals, trafficWords, verdictWords, versionName } from './words'

test('a plan of traffic is read from the top', () => {
  expect(trafficWords({ split: [{ version: '3', percent: 100 }, { version: '4', percent: 0 }] })).toEqual(['Version 3 answers all requests.'])
  expect(
    trafficWords({
      split: [{ version: '3', percent: 90 }, { version: '4', percent: 10 }],
      sticky: true,
      rules: [{ name: 'staff', header: 'X-Team', values: ['ml', 'ops'], version: '4' }, { name: '', keys: ['a', 'b', 'c', 'd'], percent: 5, version: '4' }],
      shadows: [{ version: '5', percent: 20 }],
    }),
  ).toEqual([
    'staff: where header X-Team is ml or ops, version 4 answers.',
    'A rule: where the key is one of 4 and the key is among 5 % of all, version 4 answers.',
    'Version 3 answers 90 %, Version 4 answers 10 % of the others.',
    'Requests with the same key (header X-Levada-Key) keep their version.',
    'Version 5 sees copies of 20 % of the requests.',
  ])
})

test('versions of other servers go by their names', () => {
  expect(versionName('3')).toBe('Version 3')
  expect(versionName('old')).toBe('old')
  expect(trafficWords({ split: [{ version: 'old', percent: 90 }, { version: '4', percent: 10 }] })).toEqual(['old answers 90 %, Version 4 answers 10 % of the requests.'])
})

test('durations are short, and stay what they are', () => {
  expect(['1m0s', '1h0m0s', '1h0m5s', '10m0s', '1h30m0s', '15s', '1m30s', '10s', '500ms', '1h'].map(duration)).toEqual(['1m', '1h', '1h5s', '10m', '1h30m', '15s', '1m30s', '10s', '500ms', '1h'])
})

test('a graph names each endpoint that it asks once, of what it follows', () => {
  const nodes = { root: { router: 'sequence', steps: [{ node: 'both' }, { endpoint: 'words' }, { name: 'last' }] }, both: { router: 'ensemble', steps: [{ endpoint: 'size' }, { endpoint: 'words', version: '2' }] } }
  const graph = { spec: { nodes: {} }, active: { nodes } } as unknown as InferenceGraph
  expect(askedBy(graph)).toEqual(['size', 'words'])
  expect(askedBy({ ...graph, active: undefined } as unknown as InferenceGraph)).toEqual([])
})

test('a rollout that failed says so first', () => {
  expect(verdictWords({ outcome: 'rolled_back', reason: 'latency is worse: 40 ms' })).toBe('Rolled back because latency is worse: 40 ms.')
  expect(verdictWords({ outcome: 'promoted', reason: 'all stages have passed' })).toBe('Promoted: all stages have passed.')
  expect(verdictWords({})).toBe('')
  expect(rolloutSign({}, true).word).toBe('Paused')
  expect(rolloutSign({}).word).toBe('Going on')
})

test('steps of a plan are done, going on, failed or to come', () => {
  const plan = { shadow: { wait: '1m0s' }, canary: { steps: [{ percent: 5, wait: '2m0s' }, { percent: 50 }] }, watch: { duration: '1h0m0s' } }
  const steps = planSteps(plan)
  expect(steps.map((s) => s.name)).toEqual(['Shadow', 'Canary 5 %', 'Canary 50 %', 'Watch'])
  const report = (outcome: string | undefined) =>
    ({ ...(outcome ? { outcome } : {}), stages: [{ stage: { phase: 'shadow', step: 0 } }, { stage: { phase: 'canary', step: 0 } }] }) as unknown as RolloutReport
  expect(steps.map((s) => progressOf(s, report(undefined)))).toEqual(['done', 'now', 'coming', 'coming'])
  expect(steps.map((s) => progressOf(s, report('rolled_back')))).toEqual(['done', 'failed', 'coming', 'coming'])
})

test('shares must add up', () => {
  expect(readShares({ 3: '90', 4: '10' })).toEqual({ shares: { 3: 90, 4: 10 } })
  expect(readShares({ 3: '90', 4: '' }).wrong).toBe('The shares add up to 90 %, not to 100 %.')
  expect(readShares({ 3: 'all' }).wrong).toContain('version 3')
})

test('an endpoint is what its versions are together', () => {
  const version = { version: '1', state: 'READY' as const, percent: 50, workers: 1, waiting: 2, memory_bytes: 10, requests: { ok: 30, failed: 10 }, p50_ms: 4, p99_ms: 9, batch_rows: 1, rate: 3, error_share: 0.25 }
  const e = { versions: [version, { ...version, version: '2', percent: 0, requests: {}, p99_ms: 100, error_share: 0 }] } as unknown as Endpoint
  expect(totals(e)).toEqual({ rate: 6, waiting: 4, workers: 2, memory: 20, requests: 40, errorShare: 0.25, p50: 4, p99: 9 })
  expect(effectWords({ estimate: 0.0123456, low: 0.001 })).toBe('0.0123 (0.001 to ∞)')
})
