import { Fragment, type ReactNode } from 'react'
import { number } from '../format/value'
import { useAddress } from '../parts/address'
import css from './ComparePage.module.css'

export interface DiffGroup {
  title: string
  rows: readonly { key: string; values: readonly (number | string | undefined)[] }[]
}

interface TableProps {
  label: string
  /** What the columns are of: an id and what stands above. */
  heads: readonly { id: string; head: ReactNode }[]
  groups: readonly DiffGroup[]
}

/** Things side by side: a column for each, a row for each name. */
export function DiffTable({ label, heads, groups }: TableProps) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.scroll} tabIndex={0} role="region" aria-label={label}>
      <table className={css.diff}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            {heads.map(({ id, head }) => (
              <th key={id} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {groups.map(({ title, rows }) => (
            <Fragment key={title}>
              <tr>
                <th scope="rowgroup" className={css.group}>
                  {title}
                </th>
                <td className={css.group} colSpan={heads.length}>
                  {rows.length.toLocaleString('en-GB')}
                </td>
              </tr>
              {rows.map((row) => (
                <tr key={row.key}>
                  <th scope="row" title={row.key}>
                    {row.key}
                  </th>
                  {row.values.map((value, i) => (
                    <td key={heads[i]?.id} title={value === undefined ? 'not set' : String(value)} className={typeof value === 'number' ? css.number : undefined}>
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
  )
}

/** Whether what is equal is shown too, as the address has it, with a box to change that. */
export function useAlsoEqual(): [boolean, ReactNode] {
  const [search, change] = useAddress()
  const all = search.get('all') === '1'
  return [
    all,
    <label key="all">
      <input type="checkbox" checked={all} onChange={(e) => change({ all: e.target.checked ? '1' : undefined })} />
      Also what is equal
    </label>,
  ]
}
