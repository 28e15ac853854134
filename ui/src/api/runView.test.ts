import { describe, expect, it } from 'vitest'
import { RunGatherer } from './runView'

const task = (path: string, state: string) => ({ event: 'task', data: JSON.stringify({ id: `id-${path}`, path, state, kind: 'container' }) })

const gather = (...events: { event: string; data: string }[]) => {
  const gathered = new RunGatherer()
  gathered.add(events)
  return gathered
}

describe('RunGatherer', () => {
  it('builds the whole state from the first events and keeps the order of tasks', () => {
    const gathered = gather({ event: 'run', data: '{"id":"r","state":"RUNNING"}' }, task('b', 'PENDING'), task('a', 'PENDING'))
    const view = gathered.view()
    expect(view.run?.id).toBe('r')
    expect([...view.tree.byPath.keys()]).toEqual(['b', 'a'])
    expect(view.ended).toBe(false)
    expect(gathered.complete).toBe(false)
    gathered.add([{ event: 'synced', data: '{}' }])
    expect(gathered.complete).toBe(true)
  })

  it('replaces a task that changed and leaves the objects of the others alone', () => {
    const gathered = gather(task('a', 'RUNNING'), task('b', 'PENDING'))
    const before = gathered.view()
    const b = before.tree.byPath.get('b')
    gathered.add([task('a', 'SUCCEEDED')])
    const after = gathered.view()
    expect(after.tree).not.toBe(before.tree)
    expect(after.tree.byPath.get('a')?.state).toBe('SUCCEEDED')
    expect(after.tree.byPath.get('b')).toBe(b)
    expect(after.tree.children.get('')?.map((t) => t.path)).toEqual(['a', 'b'])
    expect(Object.fromEntries(after.tree.leaves.get('')?.byState ?? [])).toEqual({ SUCCEEDED: 1, PENDING: 1 })
  })

  it('skips events it does not know, and notes the end', () => {
    const gathered = gather({ event: 'weather', data: 'not json' }, { event: 'end', data: '{"state":"FAILED"}' })
    expect(gathered.complete).toBe(true)
    expect(gathered.view()).toMatchObject({ run: undefined, ended: true })
  })

  it('gives the same state when the stream starts again from the beginning', () => {
    const events = [{ event: 'run', data: '{"id":"r"}' }, task('a', 'SUCCEEDED'), task('b', 'RUNNING')]
    expect(gather(...events, ...events).view()).toEqual(gather(...events).view())
  })
})
