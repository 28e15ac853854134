import { useState } from 'react'
import type { Table, TableColumn } from '../api/types'
import { count, number } from '../format/value'
import { Button } from '../parts/Button'
import { Loading, Notice } from '../parts/Notice'
import { Bars } from '../profile/Bars'
import { ProfileHead } from '../profile/ProfileHead'
import { share } from '../profile/figures'
import { CodeView } from './CodeView'
import css from './TableView.module.css'
import { type Place, useTable } from './place'

interface Props {
  place: Place
  path: string
  title: string
  /** The beginning of the file where that is text: shown when it is no table after all. */
  text: string | undefined
}

const fewColumns = 40

/** The first rows of a table, and what its columns are like. */
export function TableView({ place, path, title, text }: Props) {
  const table = useTable(place, path)
  const [view, setView] = useState<'rows' | 'columns'>('rows')
  const [all, setAll] = useState(false)
  if (table.isPending) return <Loading what="the table" />
  if (table.error) {
    return (
      <>
        <Notice tone="neutral" title="This cannot be shown as a table">
          {table.error.message}
        </Notice>
        {text !== undefined && <CodeView text={text} title={title} />}
      </>
    )
  }
  const data = table.data
  const columns = all ? data.columns : data.columns.slice(0, fewColumns)
  return (
    <div className={css.table}>
      <div className={css.head}>
        <span className={css.switch} role="group" aria-label="Show">
          <Button look="quiet" aria-pressed={view === 'rows'} onClick={() => setView('rows')}>
            First rows
          </Button>
          <Button look="quiet" aria-pressed={view === 'columns'} onClick={() => setView('columns')}>
            Columns
          </Button>
        </span>
        <Extent table={data} />
      </div>
      {view === 'rows' ? <Rows table={data} columns={columns} title={title} /> : <Profiles table={data} columns={columns} title={title} />}
      {columns.length < data.columns.length && (
        <p className={css.note}>
          <Button onClick={() => setAll(true)}>{`Show ${data.columns.length - columns.length} more columns`}</Button>
        </p>
      )}
      {data.columns_total > data.columns.length && <p className={css.note}>{`The first ${data.columns.length} of ${count(data.columns_total, 'column')}.`}</p>}
    </div>
  )
}

const formats = { parquet: 'Parquet', csv: 'CSV', jsonl: 'JSON lines' } as const

/** How large the table is, and how much of it the profile is of. */
function Extent({ table }: { table: Table }) {
  const rows = table.rows_total >= 0 ? count(table.rows_total, 'row') : `more than ${count(table.rows_read, 'row')}`
  return (
    <span className={css.extent}>
      {`${formats[table.format]}, ${rows}, ${count(table.columns_total, 'column')}`}
      {table.cut && <strong>{`The profile is of ${table.cut.replaceAll(/\d+/g, (n) => Number(n).toLocaleString('en-GB'))}.`}</strong>}
      {table.rows_bad ? <strong>{`${count(table.rows_bad, 'line')} could not be read and ${table.rows_bad === 1 ? 'is' : 'are'} left out.`}</strong> : null}
    </span>
  )
}

const toTheRight = (c: TableColumn) => c.type === 'integer' || c.type === 'number'

function Rows({ table, columns, title }: { table: Table; columns: readonly TableColumn[]; title: string }) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.scroll} tabIndex={0} role="region" aria-label={`First rows of ${title}`}>
      <table className={css.grid}>
        <thead>
          <tr>
            <th scope="col" className={css.index}>
              <span className="visually-hidden">Row</span>
            </th>
            {columns.map((c, i) => (
              // Columns have no identity but their place; two may have one name.
              // oxlint-disable-next-line react/no-array-index-key
              <th key={i} scope="col" className={toTheRight(c) ? css.right : undefined} title={c.name}>
                {c.name}
                <span className={css.type}>{c.declared || c.type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, r) => (
            // oxlint-disable-next-line react/no-array-index-key
            <tr key={r}>
              <th scope="row" className={css.index}>
                {r + 1}
              </th>
              {columns.map((c, i) => {
                const cell = row[i] ?? undefined
                return (
                  // oxlint-disable-next-line react/no-array-index-key
                  <td key={i} className={toTheRight(c) ? css.right : undefined} title={cell && cell.length > 40 ? cell : undefined}>
                    {cell === undefined ? <span className={css.null}>null</span> : <bdi>{cell}</bdi>}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {table.rows.length === 0 && <p className={css.note}>The table has no rows.</p>}
    </div>
  )
}

function Profiles({ table, columns, title }: { table: Table; columns: readonly TableColumn[]; title: string }) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.scroll} tabIndex={0} role="region" aria-label={`Columns of ${title}`}>
      <table className={`${css.grid} ${css.profile}`}>
        <ProfileHead right={css.right} />
        <tbody>
          {columns.map((c, i) => (
            // oxlint-disable-next-line react/no-array-index-key
            <tr key={i}>
              <th scope="row" title={c.name}>
                <bdi>{c.name}</bdi>
              </th>
              <td title={c.declared}>{c.type}</td>
              <td className={css.right}>{table.rows_read > 0 ? share(c.nulls, table.rows_read) : '–'}</td>
              <td className={css.right} title={c.distinct_estimated ? 'Estimated: there are too many to count each' : undefined}>
                {c.distinct_estimated ? `about ${Number(c.distinct.toPrecision(3)).toLocaleString('en-GB')}` : number(c.distinct)}
              </td>
              <td title={c.min}>
                <bdi>{c.min ?? '–'}</bdi>
              </td>
              <td title={c.max}>
                <bdi>{c.max ?? '–'}</bdi>
              </td>
              <td className={css.right}>{c.mean === undefined ? '–' : number(c.mean)}</td>
              <td>{c.histogram ? <Bars counts={c.histogram.counts} label={`Histogram from ${c.min} to ${c.max}${c.histogram.sampled ? ', of a sample' : ''}`} /> : '–'}</td>
              <td className={css.top}>
                <Frequent column={c} rows={table.rows_read} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Frequent({ column, rows }: { column: TableColumn; rows: number }) {
  if (column.top.length === 0) return <span className={css.null}>{column.distinct > 0 ? 'each value once' : '–'}</span>
  return (
    <ul title={column.top_bounded ? 'Of the values that came first: there are too many to count each' : undefined}>
      {column.top.slice(0, 3).map((v) => (
        <li key={v.value}>
          <bdi title={v.value}>{v.value}</bdi>
          <span>{share(v.count, Math.max(1, rows))}</span>
        </li>
      ))}
    </ul>
  )
}
