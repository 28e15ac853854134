import { Fragment, useMemo } from 'react'
import { Link } from 'wouter'
import type { Kind } from '../experiments/fields'
import { number } from '../format/value'
import { useAddress } from '../parts/address'
import { Swatch, type ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { differences } from './differences'

const kinds: readonly (readonly [Kind, string])[] = [
  ['metrics', 'Metrics, latest values'],
  ['params', 'Parameters'],
  ['tags', 'Tags'],
]

/** What differs between the runs; with the box ticked, what is equal too. */
export function DiffView({ runs }: ViewProps) {
  const [search, change] = useAddress()
  const all = search.get('all') === '1'
  const groups = useMemo(
    () => kinds.map(([kind, title]) => ({ kind, title, rows: differences(runs, kind).filter((d) => all || d.differs) })).filter((g) => g.rows.length > 0),
    [runs, all],
  )
  return (
    <>
      <div className={css.tools}>
        <label>
          <input type="checkbox" checked={all} onChange={(e) => change({ all: e.target.checked ? '1' : undefined })} />
          Also what is equal
        </label>
      </div>
      {groups.length === 0 && <p className={css.note}>The runs do not differ.</p>}
      {groups.length > 0 && (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className={css.scroll} tabIndex={0} role="region" aria-label="Differences">
          <table className={css.diff}>
            <thead>
              <tr>
                <th scope="col">Name</th>
                {runs.map((run, i) => (
                  <th key={run.id} scope="col">
                    <span className={css.headRun}>
                      <Swatch look={i} />
                      <Link href={`/tracked-runs/${run.id}`} title={run.name}>
                        {run.name || '(no name)'}
                      </Link>
                    </span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {groups.map(({ kind, title, rows }) => (
                <Fragment key={kind}>
                  <tr>
                    <th scope="rowgroup" className={css.group}>
                      {title}
                    </th>
                    <td className={css.group} colSpan={runs.length}>
                      {rows.length.toLocaleString('en-GB')}
                    </td>
                  </tr>
                  {rows.map((row) => (
                    <tr key={row.key}>
                      <th scope="row" title={row.key}>
                        {row.key}
                      </th>
                      {row.values.map((value, i) => (
                        <td key={runs[i]?.id} title={value === undefined ? 'not set' : String(value)} className={typeof value === 'number' ? css.number : undefined}>
                          {value === undefined ? '–' : typeof value === 'number' ? (Number.isNaN(value) ? 'NaN' : number(value)) : value}
                        </td>
                      ))}
                    </tr>
                  ))}
                </Fragment>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  )
}
