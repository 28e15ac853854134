import { describe, expect, it } from 'vitest'
import type { Kind, State, Task } from '../api/types'
import { buildTree } from '../graph/tree'
import { criticalPath, timesOf } from './critical'
import { spansOf } from './spans'

const second = (s: number) => new Date(Date.UTC(2026, 0, 1) + s * 1000).toISOString()
const at = (s: number) => Date.parse(second(s))

function task(path: string, times: { ready?: number; start?: number; end?: number }, more: Partial<Task> & { kind?: Kind } = {}): Task {
  const cut = path.lastIndexOf('/')
  return {
    id: `id-${path}`, run_id: 'r', path, ...(cut > 0 ? { parent: path.slice(0, cut) } : {}), name: path.slice(cut + 1), display_name: path.slice(cut + 1),
    kind: 'container', state: 'SUCCEEDED' as State, component: 'c', attempts: 1, inputs: {}, outputs: {}, created_at: second(0),
    ...(times.ready === undefined ? {} : { ready_at: second(times.ready) }),
    ...(times.start === undefined ? {} : { started_at: second(times.start) }),
    ...(times.end === undefined ? {} : { finished_at: second(times.end) }),
    ...more,
  }
}

const pathOf = (...tasks: Task[]) => criticalPath(buildTree(new Map(tasks.map((t) => [t.path, t])))).tasks.map((t) => t.path)

describe('spansOf', () => {
  const kinds = (t: Task, now = at(100)) => spansOf(t, now).map((s) => [s.kind, (s.from - at(0)) / 1000, (s.to - at(0)) / 1000])

  it.each<[string, Task, unknown]>([
    ['a task that ran', task('a', { ready: 2, start: 5, end: 9 }), [['waiting', 0, 2], ['preparing', 2, 5], ['running', 5, 9]]],
    ['one that is running', task('a', { ready: 0, start: 5 }), [['preparing', 0, 5], ['running', 5, 100]]],
    ['one that waits', task('a', {}), [['waiting', 0, 100]]],
    ['one that was skipped', task('a', { end: 7 }), [['waiting', 0, 7]]],
    ['one that is prepared', task('a', { ready: 3 }), [['waiting', 0, 3], ['preparing', 3, 100]]],
    ['a reused result', task('a', { ready: 3, end: 4 }, { cached: true }), [['waiting', 0, 3], ['cached', 3, 4]]],
    ['a reused result of an older version', task('a', { end: 4 }, { cached: true }), [['waiting', 0, 4], ['cached', 4, 4]]],
    ['a task of an older version', task('a', { start: 5, end: 9 }), [['waiting', 0, 5], ['running', 5, 9]]],
  ])('tells the times of %s', (_, t, want) => expect(kinds(t)).toEqual(want))

  it('tells attempts apart, with the pause between them', () => {
    const tries = [
      { attempt: 1, ready_at: second(0), started_at: second(1), finished_at: second(3), reason: 'ExitError' as const },
      { attempt: 2, ready_at: second(10), started_at: second(12) },
    ]
    const t = task('a', { ready: 0, start: 1 }, { tries, state: 'RUNNING' })
    expect(kinds(t, at(20))).toEqual([['preparing', 0, 1], ['running', 1, 3], ['pause', 3, 10], ['preparing', 10, 12], ['running', 12, 20]])
    expect(spansOf(t, at(20)).flatMap((s) => (s.attempt ? [`${s.attempt} ${s.reason ?? ''}`] : []))).toEqual(['1 ExitError', '2 '])
  })
})

describe('criticalPath', () => {
  it('goes from the task that ended last to what each waited for last', () => {
    const tasks = [
      task('load', { ready: 0, start: 0, end: 4 }),
      task('quick', { ready: 4, start: 4, end: 5 }, { depends_on: ['load'] }),
      task('slow', { ready: 4, start: 5, end: 20 }, { depends_on: ['load'] }),
      task('join', { ready: 20, start: 20, end: 21 }, { depends_on: ['quick', 'slow'] }),
      task('aside', { ready: 0, start: 0, end: 19 }),
    ]
    expect(pathOf(...tasks)).toEqual(['load', 'slow', 'join'])
    expect(timesOf(criticalPath(buildTree(new Map(tasks.map((t) => [t.path, t])))), at(30))).toEqual({ running: 20_000, preparing: 1000 })
  })

  it('goes into groups and out of them', () => {
    const path = criticalPath(
      buildTree(
        new Map(
          [
            task('load', { ready: 0, start: 0, end: 2 }),
            task('group', { start: 2, end: 9 }, { kind: 'dag', depends_on: ['load'] }),
            task('group/a', { ready: 2, start: 2, end: 9 }),
            task('group/b', { ready: 2, start: 2, end: 3 }),
            task('after', { ready: 9, start: 9, end: 12 }, { depends_on: ['group'] }),
          ].map((t) => [t.path, t]),
        ),
      ),
    )
    expect(path.tasks.map((t) => t.path)).toEqual(['load', 'group/a', 'after'])
    expect(path.paths.has('group')).toBe(true)
    expect(path.paths.has('group/b')).toBe(false)
  })

  it('sees that an iteration waited for its turn', () => {
    const iteration = (i: number, start: number, end: number) => [
      task(`loop/${i}`, { start, end }, { kind: 'iteration', iteration: i }),
      task(`loop/${i}/step`, { ready: start, start, end }),
    ]
    const loop = task('loop', { start: 0, end: 12 }, { kind: 'loop' })
    expect(pathOf(loop, ...iteration(0, 0, 5), ...iteration(1, 0, 3), ...iteration(2, 3, 7), ...iteration(3, 7, 12))).toEqual(['loop/1/step', 'loop/2/step', 'loop/3/step'])
  })

  it('is empty while nothing has started, and leaves out what was skipped', () => {
    expect(pathOf(task('a', {}, { state: 'PENDING' }))).toEqual([])
    expect(pathOf(task('a', { ready: 0, start: 0, end: 3 }), task('b', { end: 3 }, { state: 'SKIPPED', depends_on: ['a'] }))).toEqual(['a'])
  })

  it('ends, while the run goes on, with what has been running longest', () => {
    expect(pathOf(task('a', { ready: 0, start: 0, end: 3 }), task('b', { ready: 3, start: 3 }, { depends_on: ['a'] }), task('c', { ready: 5, start: 5 }))).toEqual(['a', 'b'])
  })

  it('finds the path through 10,000 tasks in a chain', () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) => task(`t${i}`, { ready: i, start: i, end: i + 1 }, i === 0 ? {} : { depends_on: [`t${i - 1}`] }))
    const tree = buildTree(new Map(tasks.map((t) => [t.path, t])))
    expect(criticalPath(tree).tasks.length).toBe(10_000)
  })
})
