import { expect, test, vi } from 'vitest'

const answered = (answer: unknown) => ({ answer, answered: Promise.resolve(answer) })

async function started(early: Record<string, unknown>, streams: Record<string, unknown> = {}) {
  vi.resetModules()
  const maps = [early, streams].map((all) => new Map(Object.entries(all).map(([url, answer]) => [url, answered(answer)])))
  vi.stubGlobal('levadaEarly', maps[0])
  vi.stubGlobal('levadaStreams', maps[1])
  return import('./early')
}

test('an answer that came early is given once', async () => {
  const { takeEarly, awaitEarly } = await started({ '/a': 1, '/b': 2 })
  expect([takeEarly('/a'), takeEarly('/a'), takeEarly('/c')]).toEqual([1, undefined, undefined])
  expect([await awaitEarly('/b'), await awaitEarly('/b')]).toEqual([2, undefined])
})

test('what was refused early is asked for again', async () => {
  const { takeEarly, awaitEarly } = await started({ '/a': undefined })
  expect(takeEarly('/a')).toBeUndefined()
  expect(await awaitEarly('/a')).toBeUndefined()
})

test('a stream that was opened early is given once, and ended when nobody waits for it any more', async () => {
  let left = false
  const body = () =>
    new ReadableStream<Uint8Array>({
      pull: (to) => to.enqueue(new TextEncoder().encode('data: 1\n\n')),
      cancel: () => {
        left = true
      },
    })
  const { awaitEarlyStream } = await started({}, { '/events': new Response(body()), '/late': new Response(body()) })
  const abort = new AbortController()
  const reader = (await awaitEarlyStream('/events', abort.signal))?.getReader()
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n')
  expect(await awaitEarlyStream('/events', abort.signal)).toBeUndefined()
  expect(left).toBe(false)
  abort.abort()
  expect(await awaitEarlyStream('/late', abort.signal)).toBeUndefined()
  expect(left).toBe(true)
})
