import { describe, expect, it } from 'vitest'
import { looksLikeReport, parseReport } from './report'

const drift = {
  reference_rows: 100,
  current_rows: 90,
  dataset_drift: true,
  drifted_columns: 1,
  compared_columns: 2,
  share_of_drifted_columns: 0.5,
  share_limit: 0.5,
  findings: [{ column: 'gone', kind: 'vanished', text: 'it is not there any more' }],
  columns: [{ name: 'delay', role: 'feature', kind: 'numerical', method: 'ks', method_label: 'K-S', score: 0.001, score_is: 'p', threshold: 0.05, drifted: true, effect: 0.4, priority: 0.4, reference: { mean: 1, sd: 2 }, current: { mean: 5, sd: 2 }, distribution: { reference: [0.5, 0.5], current: [0.1, 0.9] } }],
}

const check = { suite: 'flights', success: false, rows: 3, columns: 2, passed: 1, failed: 1, results: [{ type: 'x', column: 'a', statement: 'not_null', success: false, elements: 3, missing: 0, unexpected: 1, examples: [{ row: 1, value: null }] }] }

describe('reports', () => {
  it('of each kind are known by their beginning, whole or indented', () => {
    for (const report of [drift, check, { rows: 2, columns: [{ name: 'a', type: 'integer', count: 2, nulls: 0, distinct: 2 }] }]) {
      expect(looksLikeReport(JSON.stringify(report))).toBe(true)
      expect(looksLikeReport(JSON.stringify(report, null, 2))).toBe(true)
    }
    expect(looksLikeReport('{"rows": 3}')).toBe(false)
    expect(looksLikeReport('{"lr": 0.1}')).toBe(false)
  })

  it('of drift give the columns in their order', () => {
    const r = parseReport(JSON.stringify(drift))
    expect(r).toMatchObject({ kind: 'drift', drifted: true, share: 0.5, columns: [{ name: 'delay', method: 'K-S', score: 0.001, bins: { current: [0.1, 0.9] } }], findings: [{ column: 'gone' }] })
  })

  it('of each kind say what was misread', () => {
    const found = [{ what: 'rows have fewer fields', count: 2, row: 1 }]
    expect(parseReport(JSON.stringify({ ...drift, current_findings: found }))).toMatchObject({ referenceMisread: [], currentMisread: found })
    expect(parseReport(JSON.stringify({ ...check, findings: found }))).toMatchObject({ misread: found })
    expect(parseReport(JSON.stringify({ ...check, findings: 'none' }))).toMatchObject({ misread: [] })
  })

  it('of checks give what is not as expected', () => {
    expect(parseReport(JSON.stringify(check))).toMatchObject({ kind: 'check', success: false, results: [{ column: 'a', unexpected: 1, examples: [{ row: 1, value: '' }] }] })
  })

  it('of checks against a schema list the anomalies', () => {
    const text = JSON.stringify({ success: false, rows: 5, features: 2, anomalies: [{ feature: 'a', type: 'INT_TYPE_BIG_INT', description: 'too large' }] })
    expect(looksLikeReport(text)).toBe(true)
    expect(parseReport(text)).toMatchObject({ kind: 'check', schema: true, success: false, rows: 5, results: [{ column: 'a', statement: 'INT_TYPE_BIG_INT', success: false, observed: 'too large' }] })
    const unjudged = JSON.stringify({ success: true, rows: 5, not_judged: 'the table has 5 rows, wanted 10', features: 0, anomalies: [] })
    expect(looksLikeReport(unjudged)).toBe(true)
    expect(parseReport(unjudged)).toMatchObject({ schema: true, notJudged: 'the table has 5 rows, wanted 10', results: [] })
  })

  it('that lie about their form are no reports, or have nothing in those places', () => {
    expect(parseReport('{"rows": 1, "columns": [{"name": 1}]}')).toBeUndefined()
    expect(parseReport('{"success": "yes", "results": []}')).toBeUndefined()
    expect(parseReport('[]')).toBeUndefined()
    expect(parseReport('{')).toBeUndefined()
    expect(parseReport('{"dataset_drift": true, "columns": [1, {"name": {"a": 1}, "score": "high", "distribution": 3}]}')).toMatchObject({ columns: [{ name: '{"a":1}', score: undefined, bins: undefined }] })
  })
})
