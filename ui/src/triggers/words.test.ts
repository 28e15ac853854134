import { expect, test } from 'vitest'
import type { EventSource, EventTrigger, Firing, Outlook } from '../api/types'
import { actionWords, eventWords, exampleData, nextLook, policyWords, pollOf, readData, sourceWords, waitWords } from './words'

const trigger = (more: Partial<EventTrigger>): EventTrigger => ({
  id: 't', display_name: 'on data', on: { file: { path: '/data/*.csv' } }, run: {} as EventTrigger['run'], paused: false, created_at: '', updated_at: '', ...more,
})
const firing = (kind: string, data: Record<string, unknown>): Firing =>
  ({ id: 'f', trigger_id: 't', state: 'WAITING', created_at: '', updated_at: '', event: { id: 'e', kind, at: '', data } }) as Firing

test('what a trigger listens to is said in words', () => {
  const cases: [EventSource, string][] = [
    [{ file: { path: '/data/*.csv' } }, 'new or changed files at /data/*.csv'],
    [{ artifact: {} }, 'artifacts'],
    [{ artifact: { name: 'report', type: 'system.Dataset', pipeline: 'p' } }, 'artifacts “report” of type system.Dataset made by p'],
    [{ registry: { model: 'm', changes: ['alias_set'], alias: 'champion' } }, 'alias set of model m, alias champion'],
    [{ registry: {} }, 'changes of registered models'],
    [{ run: {} }, 'runs of any pipeline that end succeeded'],
    [{ run: { pipeline: 'p', states: ['FAILED', 'CANCELED'] } }, 'runs of p that end failed or canceled'],
    [{ metric: { experiment: 'e', metric: 'auc', below: 0.7 } }, 'auc of experiment e below 0.7'],
    [{ metric: { experiment: 'e', metric: 'loss', above: 0 } }, 'loss of experiment e above 0'],
    [{ late: { seconds: 3600 } }, 'runs of any pipeline that have not ended after 1 h'],
    [{ webhook: { secret: 's' } }, 'requests signed with the secret s'],
  ]
  for (const [on, words] of cases) expect(sourceWords(on)).toBe(words)
})

test('what it does, and how many events make a run', () => {
  expect(actionWords(trigger({}), 'train').text).toBe('runs train')
  expect(actionWords(trigger({ notify: { email: { to: ['a@b.c', 'd@e.f'], secret: 's' } } }), undefined).text).toBe('writes to a@b.c, d@e.f')
  expect(actionWords(trigger({ notify: { slack: { secret: 's' } } }), undefined).text).toBe('posts to Slack (secret s)')
  expect(policyWords(trigger({}))).toEqual([])
  expect(policyWords(trigger({ debounce_seconds: 60, batch_size: 1, dedup_key: 'event.name', max_runs: 2, max_concurrency: 1 }))).toEqual([
    'waits until nothing more has happened for 1 min', 'one event counts for each event.name in 1 d', 'at most 2 runs in 1 h', 'at most 1 run at once',
  ])
})

test('an event is one line, whatever is missing in it', () => {
  expect(eventWords(firing('file', { path: '/data/a.csv', change: 'created' }))).toBe('/data/a.csv created')
  expect(eventWords(firing('registry', { change: 'alias_set', model: 'm', alias: 'champion' }))).toBe('alias set of m, champion')
  expect(eventWords(firing('metric', { metric: 'auc', value: 0.5 }))).toBe('auc is 0.5')
  expect(eventWords(firing('metric', {}))).toBe(' is ?')
  expect(eventWords(firing('manual', {}))).toBe('fired by hand')
})

test('what is waited for is said with its reason', () => {
  const o = (more: Partial<Outlook>): Outlook => ({ waiting: 2, active: 1, ...more })
  expect(waitWords(o({ waiting: 0 }), trigger({}))).toBeUndefined()
  expect(waitWords(o({ hold: 'quiet' }), trigger({ debounce_seconds: 30 }))).toBe('2 events wait until nothing more has happened for 30 s; a run starts')
  expect(waitWords(o({ hold: 'more' }), trigger({ batch_size: 5 }))).toBe('2 events wait until there are 5')
  expect(waitWords(o({ hold: 'runs', waiting: 1 }), trigger({}))).toBe('1 event waits for one of 1 active run to end')
  expect(waitWords(o({ hold: 'rate' }), trigger({ max_runs: 3 }))).toBe('2 events wait: 3 runs started in the last 1 h; the next one starts')
  expect(waitWords(o({}), trigger({ notify: { slack: { secret: 's' } } }))).toBe('2 events wait; a message is sent now')
})

test('the next look is never in the past', () => {
  const at = '2026-01-01T00:00:00.000Z'
  const then = Date.parse(at)
  expect(nextLook(at, 10, then - 4000)).toBe(at)
  expect(nextLook(at, 10, then + 4000)).toBe('2026-01-01T00:00:10.000Z')
  expect(nextLook(at, 10, then + 3_600_001)).toBe('2026-01-01T01:00:10.000Z')
  expect(nextLook(undefined, 10, then)).toBeUndefined()
  expect(pollOf({ file: { path: '/d' } })).toBe(10)
  expect(pollOf({ file: { path: 's3://bucket/d' } })).toBe(60)
  expect(pollOf({ webhook: { secret: 's' } })).toBeUndefined()
})

test('an example begins with the newest event, or with one that would match', () => {
  expect(exampleData({ webhook: { secret: 's' } }, firing('webhook', { body: { a: 1 } }))).toEqual({ body: { a: 1 } })
  expect(exampleData({ file: { path: '/data/2013-*.csv' } }, undefined)).toMatchObject({ path: '/data/2013-example.csv', name: '2013-example.csv', stem: '2013-example', directory: '/data' })
  expect(exampleData({ metric: { experiment: 'e', metric: 'm', below: 0.5 } }, undefined)).toMatchObject({ value: -0.5, line: 0.5 })
  expect(exampleData({ run: { states: ['FAILED'] } }, firing('manual', {}))).toMatchObject({ state: 'FAILED' })
})

test('what is typed must be an object', () => {
  expect(readData(' ')).toEqual({ data: {} })
  expect(readData('{"a": 1}')).toEqual({ data: { a: 1 } })
  expect(readData('[1]').error).toMatch(/JSON object/)
  expect(readData('{').error).toMatch(/not JSON/)
})
