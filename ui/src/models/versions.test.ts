import { describe, expect, test } from 'vitest'
import type { ModelVersion } from '../api/types'
import { versionGroups } from './versions'

const version = (number: string, more: Partial<ModelVersion> = {}): ModelVersion => ({
  version: number,
  stage: 'None',
  aliases: [],
  created_at: '',
  updated_at: '',
  source: 's',
  tags: {},
  metrics: [],
  files: [],
  ...more,
})

describe('versions side by side', () => {
  const a = version('1', { metrics: [{ key: 'loss', value: 0.5, step: 0, time_ms: 0, count: 1 }], tags: { toString: 'x' }, files: [{ path: 'm', size: 1, sha256: 'a'.repeat(64) }] })
  const b = version('2', { metrics: [{ key: 'loss', step: 0, time_ms: 0, count: 1 }], files: [{ path: 'm', size: 1, sha256: 'a'.repeat(64) }] })

  test('only what differs is there, and a name that objects inherit is no value', () => {
    expect(versionGroups([a, b], false).map((g) => [g.title, g.rows.map((r) => [r.key, r.values])])).toEqual([
      ['Metrics', [['loss', [0.5, Number.NaN]]]],
      ['Tags', [['toString', ['x', undefined]]]],
    ])
  })

  test('all is there when it is asked for', () => {
    expect(versionGroups([a, b], true).map((g) => g.title)).toEqual(['Metrics', 'Tags', 'About', 'Files, by digest'])
    expect(versionGroups([a, a], false)).toEqual([])
  })
})
