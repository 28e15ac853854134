import { describe, expect, test } from 'vitest'
import type { TrackedRun } from '../api/types'
import { accept, complete } from './complete'
import { asAddress, defaultColumns, fieldsIn, latest, nextSort, orderOf, own, parseField, parseSort, quoted, valueOf } from './fields'
import { groupName, groupRows, groupValue, statusesOf } from './groups'
import { rowsOf, runsOf } from './rows'

const names = ['params.lr', 'params.learning-rate', 'metrics.loss', 'metrics.val/loss', 'tags.team']
const at = (text: string) => complete(text, text.length, names)

export function tracked(id: string, more: Partial<TrackedRun> = {}): TrackedRun {
  return { id, name: id, experiment_id: '1', status: 'FINISHED', start_ms: 0, params: {}, tags: {}, metrics: [], ...more }
}

describe('completion', () => {
  test('an empty filter is begun with a field', () => {
    expect(at('').options).toContain('params.lr')
    expect(at('').options).toContain('run_name')
  })

  test('a field is found by any part of its name, those that begin so first', () => {
    expect(at('loss').options).toEqual(['metrics.loss', 'metrics.`val/loss`'])
    expect(at('metrics.l').options[0]).toBe('metrics.loss')
  })

  test('names that are no words are put in backticks, and are found while one is open', () => {
    expect(at('params.`lea').options).toEqual(['params.`learning-rate`'])
  })

  test('after a field comes a comparator that suits it', () => {
    expect(at('metrics.loss ').options).toEqual(['<', '<=', '>', '>=', '=', '!='])
    expect(at('params.lr ').options).toContain('ILIKE')
  })

  test('values are suggested for the status alone', () => {
    expect(at('status = ').options).toContain("'FAILED'")
    expect(at('metrics.loss < ').options).toEqual([])
  })

  test('after a comparison comes AND or OR, and after these a field', () => {
    expect(at("params.lr = '0.1' ").options).toEqual(['AND', 'OR'])
    expect(at("params.lr = '0.1' AND te").options[0]).toBe('tags.team')
    expect(at('(').options).toContain('metrics.loss')
    expect(at('tags.team IS NOT NULL ').options).toEqual(['AND', 'OR'])
  })

  test('a choice takes the place of what was being written, also in the middle', () => {
    const text = "lo < 1 AND params.lr = '1'"
    const completion = complete(text, 2, names)
    expect(accept(text, completion, 'metrics.loss')).toEqual({ text: "metrics.loss < 1 AND params.lr = '1'", caret: 13 })
  })
})

describe('fields', () => {
  test('a column is a kind and a name, which may have dots of its own', () => {
    expect(parseField('metrics.val.loss')).toEqual({ kind: 'metrics', key: 'val.loss' })
    expect(parseField('other.x')).toBeUndefined()
    expect(parseField('params.')).toBeUndefined()
  })

  test('an order quotes what needs it', () => {
    expect(orderOf({ name: 'metrics.val/loss', descending: true })).toBe('metrics.`val/loss` DESC')
    expect(orderOf(undefined)).toBe('')
    expect(quoted('start_time')).toBe('start_time')
  })

  test('clicks on a head go from highest to lowest to none', () => {
    const first = nextSort('metrics.loss', undefined)
    const second = nextSort('metrics.loss', parseSort(first))
    expect([first, second, nextSort('metrics.loss', parseSort(second))]).toEqual(['metrics.loss DESC', 'metrics.loss ASC', ''])
  })

  test('what an object inherits is no value', () => {
    expect(own({}, 'constructor')).toBeUndefined()
    expect(valueOf(tracked('a'), { kind: 'params', key: 'toString' })).toBeUndefined()
  })

  test('a metric that is not a number differs from one that is not there', () => {
    const run = tracked('a', { metrics: [{ key: 'loss', step: 1, time_ms: 0, count: 1 }] })
    expect(latest(run, 'loss')).toBeNaN()
    expect(latest(run, 'other')).toBeUndefined()
  })

  test('columns that nobody chose are the first metrics and parameters', () => {
    expect(defaultColumns({ metrics: ['a'], params: ['b'], tags: ['c'] })).toEqual(['metrics.a', 'params.b'])
  })
})

describe('rows', () => {
  test('runs lie beneath those that are open', () => {
    const rows = rowsOf([tracked('a'), tracked('b')], (id) => (id === 'a' ? { runs: [tracked('a1')], total: 3, error: undefined } : undefined))
    expect(rows.map((r) => [r.run?.id ?? r.note, r.depth])).toEqual([
      ['a', 0],
      ['a1', 1],
      ['and 2 more: turn Nested off and filter to find them', 1],
      ['b', 0],
    ])
  })

  test('an answer that is on its way, or failed, is a row too', () => {
    const note = (children: { runs: undefined; total: number; error: string | undefined }) => rowsOf([tracked('a')], () => children)[1]?.note
    expect(note({ runs: undefined, total: 0, error: undefined })).toBe('Loading…')
    expect(note({ runs: undefined, total: 0, error: 'gone' })).toBe('gone')
  })
})

describe('pages', () => {
  test('a run that comes on two pages is shown once, as it came last', () => {
    const pages = [{ runs: [tracked('a'), tracked('b', { status: 'RUNNING' })] }, { runs: [tracked('b'), tracked('c')] }]
    expect(runsOf(pages).map((run) => `${run.id} ${run.status}`)).toEqual(['a FINISHED', 'b FINISHED', 'c FINISHED'])
  })
})

describe('the choice of columns in the address', () => {
  test('names come back as they were chosen, also with commas', () => {
    for (const chosen of [['metrics.loss'], ['params.a,b', 'metrics.x', 'tags.1,metrics.y'], []]) {
      const search = new URLSearchParams(asAddress(chosen).map((name) => ['cols', name]))
      expect(fieldsIn(new URLSearchParams(search.toString()), 'cols')).toEqual(chosen)
    }
    expect(fieldsIn(new URLSearchParams('flat=1'), 'cols')).toBeUndefined()
  })
})

describe('groups', () => {
  const group = (value: string | undefined, n = 1) => ({ ...(value === undefined ? {} : { value }), count: n, statuses: {}, metrics: [] })

  test('a value comes back as it was, whatever it is', () => {
    for (const value of [undefined, '', 'none', '=', 'a=b', '<b>']) expect(groupValue(groupName(value))).toBe(value)
    expect(groupValue('')).toBeNull()
    expect(groupValue('0.1')).toBeNull()
  })

  test('runs lie beneath the groups that are open, and what is left is said', () => {
    const rows = groupRows([group('0.1', 3), group('0.2'), group(undefined)], (name) =>
      name === '=0.1' ? { runs: [tracked('a')], total: 3, error: undefined } : name === 'none' ? { runs: undefined, total: 0, error: undefined } : undefined,
    )
    expect(rows.map((r) => ('group' in r ? `${r.key} ${r.open}` : 'run' in r ? r.run.id : r.note))).toEqual(['=0.1 true', 'a', 'and 2 more', '=0.2 false', 'none true', 'Loading…'])
    const [, , note] = rows
    expect(note && 'only' in note && note.only).toBe('0.1')
  })

  test('statuses are counted in words', () => {
    expect(statusesOf({ FAILED: 1, FINISHED: 1200 })).toBe('1,200 finished, 1 failed')
  })
})
