// What differs between versions of a model.
import type { ModelVersion } from '../api/types'
import type { DiffGroup } from '../compare/DiffTable'
import { own } from '../experiments/fields'
import { shortDigest } from '../format/value'

type Values = Record<string, number | string>

/** The rows of a table with a column for each version; all asks for equal ones too. */
export function versionGroups(versions: readonly ModelVersion[], all: boolean): DiffGroup[] {
  const rows = (valuesOf: (v: ModelVersion) => Values) => {
    const values = versions.map(valuesOf)
    const keys = [...new Set(values.flatMap((v) => Object.keys(v)))].toSorted((a, b) => (a < b ? -1 : 1))
    return keys
      .map((key) => ({ key, values: values.map((v) => own(v as Record<string, string>, key) as number | string | undefined) }))
      .filter((row) => all || row.values.some((v) => !Object.is(v, row.values[0])))
  }
  const groups: DiffGroup[] = [
    { title: 'Metrics', rows: rows((v) => Object.fromEntries(v.metrics.map((m) => [m.key, m.value ?? Number.NaN]))) },
    { title: 'Parameters of the run', rows: rows((v) => v.run?.params ?? {}) },
    { title: 'Tags', rows: rows((v) => v.tags) },
    {
      title: 'About',
      rows: rows((v) => ({
        stage: v.stage === 'None' ? 'none' : v.stage,
        ...(v.aliases.length > 0 ? { aliases: v.aliases.map((a) => `@${a}`).join(', ') } : {}),
        ...(v.run ? { run: v.run.name || v.run.id } : {}),
        source: v.source,
      })),
    },
    { title: 'Files, by digest', rows: rows((v) => Object.fromEntries(v.files.map((f) => [f.path, shortDigest(`sha256:${f.sha256}`).slice('sha256:'.length)]))) },
  ]
  return groups.filter((g) => g.rows.length > 0)
}
