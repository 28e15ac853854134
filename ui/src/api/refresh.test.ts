// @vitest-environment node
import { QueryClient, type QueryMeta, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Refresher } from './refresh'

const a = '0190c5f2-0000-4000-8000-000000000001'
const b = '0190c5f2000040008000000000000002'

let client: QueryClient
let hidden: boolean
let refresher: Refresher

beforeEach(() => {
  vi.useFakeTimers()
  client = new QueryClient()
  client.mount()
  hidden = false
  refresher = new Refresher(client, () => hidden)
})

afterEach(() => {
  client.clear()
  vi.useRealTimers()
})

/** Shows a query whose answer takes some time, and counts how often it was asked for. */
async function show(queryKey: readonly unknown[], takes = 10, meta?: QueryMeta) {
  const asked = vi.fn(() => new Promise((resolve) => setTimeout(() => resolve({ n: asked.mock.calls.length }), takes)))
  const observer = new QueryObserver(client, { queryKey, queryFn: asked, ...(meta ? { meta } : {}) })
  const leave = observer.subscribe(() => {})
  await vi.advanceTimersByTimeAsync(takes)
  asked.mockClear()
  return { asked, leave }
}

test('what is shown of a topic is asked for again at once, and nothing else', async () => {
  const runs = await show(['runs', { q: '' }])
  const models = await show(['models', 'list'])
  refresher.change({ topic: 'runs' })
  await vi.advanceTimersByTimeAsync(0)
  expect(runs.asked).toHaveBeenCalledTimes(1)
  expect(models.asked).not.toHaveBeenCalled()
})

test('a list that changes all the time is asked for twice a second, and once more at the end', async () => {
  const runs = await show(['runs', { q: '' }])
  for (let i = 0; i < 1000; i++) {
    refresher.change({ topic: 'runs', ids: [a] })
    await vi.advanceTimersByTimeAsync(10)
  }
  const before = runs.asked.mock.calls.length
  expect(before).toBeGreaterThanOrEqual(20)
  expect(before).toBeLessThanOrEqual(24)
  await vi.advanceTimersByTimeAsync(2000)
  expect(runs.asked.mock.calls.length).toBeLessThanOrEqual(before + 1)
})

test('after a quiet time a few changes are followed at once', async () => {
  const runs = await show(['runs', { q: '' }])
  for (let i = 0; i < 4; i++) {
    refresher.change({ topic: 'runs' })
    await vi.advanceTimersByTimeAsync(20)
  }
  expect(runs.asked).toHaveBeenCalledTimes(4)
})

test('asking for what is slow takes no more than a part of the time', async () => {
  const slow = await show(['runs', { q: 'slow' }], 1000)
  for (let i = 0; i < 1000; i++) {
    refresher.change({ topic: 'runs' })
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(slow.asked.mock.calls.length).toBeLessThanOrEqual(25)
})

test('a query can be of other topics as well', async () => {
  const home = await show(['runs', 'home'], 10, { topics: ['models'] })
  refresher.change({ topic: 'models' })
  await vi.advanceTimersByTimeAsync(0)
  expect(home.asked).toHaveBeenCalledTimes(1)
})

test('a change that comes while the answer is on its way is asked for after it', async () => {
  const runs = await show(['runs', { q: '' }], 100)
  refresher.change({ topic: 'runs' })
  await vi.advanceTimersByTimeAsync(50)
  refresher.change({ topic: 'runs' })
  await vi.advanceTimersByTimeAsync(2000)
  expect(runs.asked).toHaveBeenCalledTimes(2)
})

test('a key that names things concerns only changes of these', async () => {
  const one = await show(['tracked-runs', a])
  const some = await show(['tracked-runs', [a, b], 'curves', ['loss']])
  const table = await show(['tracked-runs', 'table', { experiment: '1' }])
  refresher.change({ topic: 'tracked-runs', ids: [b] })
  await vi.advanceTimersByTimeAsync(0)
  expect([one, some, table].map((q) => q.asked.mock.calls.length)).toEqual([0, 1, 1])
})

test('an answer can say which things it shows', async () => {
  const shows = await show(['runs', { lastOf: 'x' }], 10, { ids: () => [a] })
  refresher.change({ topic: 'runs', ids: [b] })
  await vi.advanceTimersByTimeAsync(0)
  expect(shows.asked).not.toHaveBeenCalled()
  refresher.change({ topic: 'runs', ids: [a] })
  await vi.advanceTimersByTimeAsync(0)
  expect(shows.asked).toHaveBeenCalledTimes(1)
})

test('what nobody looks at is marked, and read when somebody does', async () => {
  const left = await show(['runs', { q: 'left' }])
  left.leave()
  const runs = await show(['runs', { q: '' }])
  hidden = true
  refresher.change({ topic: 'runs' })
  await vi.advanceTimersByTimeAsync(1000)
  expect(left.asked).not.toHaveBeenCalled()
  expect(runs.asked).not.toHaveBeenCalled()
  expect(client.getQueryCache().find({ queryKey: ['runs', { q: '' }] })?.state.isInvalidated).toBe(true)
})
