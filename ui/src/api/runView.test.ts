import { describe, expect, it } from 'vitest'
import { applyEvents, emptyView } from './runView'

const task = (path: string, state: string) => ({ event: 'task', data: JSON.stringify({ path, state }) })

describe('applyEvents', () => {
  it('builds the whole state from the first events and keeps the order of tasks', () => {
    const view = applyEvents(emptyView, [{ event: 'run', data: '{"id":"r","state":"RUNNING"}' }, task('b', 'PENDING'), task('a', 'PENDING')])
    expect(view.run?.id).toBe('r')
    expect([...view.tasks.keys()]).toEqual(['b', 'a'])
    expect(view.ended).toBe(false)
  })

  it('replaces a task that changed and leaves the objects of the others alone', () => {
    const before = applyEvents(emptyView, [task('a', 'RUNNING'), task('b', 'PENDING')])
    const after = applyEvents(before, [task('a', 'SUCCEEDED')])
    expect(after.tasks.get('a')?.state).toBe('SUCCEEDED')
    expect(after.tasks.get('b')).toBe(before.tasks.get('b'))
    expect(before.tasks.get('a')?.state).toBe('RUNNING')
    expect([...after.tasks.keys()]).toEqual(['a', 'b'])
  })

  it('keeps the map of tasks when only the run changed', () => {
    const before = applyEvents(emptyView, [task('a', 'RUNNING')])
    expect(applyEvents(before, [{ event: 'run', data: '{"id":"r"}' }]).tasks).toBe(before.tasks)
  })

  it('skips events it does not know, and notes the end', () => {
    const view = applyEvents(emptyView, [{ event: 'weather', data: 'not json' }, { event: 'end', data: '{"state":"FAILED"}' }])
    expect(view).toEqual({ ...emptyView, ended: true })
  })

  it('gives the same state when the stream starts again from the beginning', () => {
    const events = [{ event: 'run', data: '{"id":"r"}' }, task('a', 'SUCCEEDED'), task('b', 'RUNNING')]
    const once = applyEvents(emptyView, events)
    expect(applyEvents(once, events)).toEqual(once)
  })
})
