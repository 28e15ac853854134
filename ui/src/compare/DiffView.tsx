import { useMemo } from 'react'
import type { Kind } from '../experiments/fields'
import { RunHead, type ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { DiffTable, useAlsoEqual } from './DiffTable'
import { differences } from './differences'

const kinds: readonly (readonly [Kind, string])[] = [
  ['metrics', 'Metrics, latest values'],
  ['params', 'Parameters'],
  ['tags', 'Tags'],
]

/** What differs between the runs; with the box ticked, what is equal too. */
export function DiffView({ runs }: ViewProps) {
  const [all, box] = useAlsoEqual()
  const groups = useMemo(
    () => kinds.map(([kind, title]) => ({ title, rows: differences(runs, kind).filter((d) => all || d.differs) })).filter((g) => g.rows.length > 0),
    [runs, all],
  )
  return (
    <>
      <div className={css.tools}>{box}</div>
      {groups.length === 0 && <p className={css.note}>The runs do not differ.</p>}
      {groups.length > 0 && <DiffTable label="Differences" heads={runs.map((run, i) => ({ id: run.id, head: <RunHead run={run} look={i} /> }))} groups={groups} />}
    </>
  )
}
