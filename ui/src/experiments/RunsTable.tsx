import { useQueries } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState } from 'react'
import { childrenQuery, type TableQuery } from '../api/tracking'
import type { TrackedRun } from '../api/types'
import { count, number } from '../format/value'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { Started, Status, Took } from '../tracked/status'
import { parseField, type Sort, valueOf } from './fields'
import css from './RunsTable.module.css'
import { type Row, rowsOf } from './rows'

interface Props {
  query: TableQuery
  runs: readonly TrackedRun[]
  total: number
  columns: readonly string[]
  sort: Sort | undefined
  selected: readonly string[]
  more: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => Promise<unknown> }
  onSort: (name: string) => void
  onSelect: (ids: string[]) => void
}

export const rowHeight = 36

/** The rows that are in sight, of a table as long as it may be. Its end asks for the next page. */
export function RunsTable({ query, runs, total, columns, sort, selected, more, onSort, onSelect }: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState<readonly string[]>([])
  const beneath = useQueries({ queries: open.map((id) => childrenQuery(query, id)) })
  const children = useMemo(() => new Map(open.map((id, i) => [id, beneath[i]])), [open, beneath])
  const rows = useMemo(
    () => rowsOf(runs, (id) => (children.has(id) ? { runs: children.get(id)?.data?.runs, total: children.get(id)?.data?.total ?? 0, error: children.get(id)?.error?.message } : undefined)),
    [runs, children],
  )
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const shown = virtual.getVirtualItems()
  const last = shown.at(-1)?.index ?? 0
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = more
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= rows.length - 10) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, last, rows.length])
  const chosen = useMemo(() => new Set(selected), [selected])
  const toggle = (id: string) => onSelect(chosen.has(id) ? selected.filter((s) => s !== id) : [...selected, id])
  const before = shown[0]?.start ?? 0
  const after = virtual.getTotalSize() - (shown.at(-1)?.end ?? 0)
  return (
    <>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div ref={scroller} className={css.scroller} tabIndex={0} role="region" aria-label="Runs">
        <table className={css.table} aria-rowcount={total + 1} style={{ width: tableWidth(columns.length) }}>
          <caption className="visually-hidden">Tracked runs</caption>
          <TableHead columns={columns} sort={sort} onSort={onSort} />
          <tbody>
            {before > 0 && <Gap height={before} />}
            {shown.map((item) => {
              const row = rows[item.index]
              if (!row) return null
              if (!row.run) return <NoteRow key={row.key} row={row} columns={columns.length + 4} />
              const { id } = row.run
              return (
                <RunRow
                  key={row.key}
                  row={row}
                  run={row.run}
                  index={item.index}
                  columns={columns}
                  nested={query.nested}
                  open={open.includes(id)}
                  checked={chosen.has(id)}
                  onToggle={() => setOpen(open.includes(id) ? open.filter((o) => o !== id) : [...open, id])}
                  onCheck={() => toggle(id)}
                />
              )
            })}
            {after > 0 && <Gap height={after} />}
          </tbody>
        </table>
      </div>
      <p className={css.foot} role="status">
        {runs.length < total ? `${runs.length.toLocaleString('en-GB')} of ` : ''}
        {count(total, 'run')}
        {isFetchingNextPage ? ', loading more…' : ''}
      </p>
    </>
  )
}

export const tableWidth = (columns: number) => 260 + 116 + 108 + 112 + 136 * columns

/** The heads of the columns. */
export function TableHead({ columns, sort, onSort }: Pick<Props, 'columns' | 'sort' | 'onSort'>) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        <Head label="Run" name="run_name" sort={sort} onSort={onSort} className={css.name} />
        <Head label="Status" name="status" sort={sort} onSort={onSort} width={116} />
        <Head label="Started" name="start_time" sort={sort} onSort={onSort} width={108} />
        <th scope="col" style={{ width: 112 }}>
          <span className={css.headText}>Duration</span>
        </th>
        {columns.map((name) => (
          <Head key={name} label={parseField(name)?.key ?? name} name={name} sort={sort} onSort={onSort} width={136} number={name.startsWith('metrics.')} />
        ))}
      </tr>
    </thead>
  )
}

/** Takes the place of rows that are not in sight. */
export function Gap({ height }: { height: number }) {
  return (
    <tr aria-hidden="true">
      {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label */}
      <td style={{ height, padding: 0, border: 0 }} />
    </tr>
  )
}

interface HeadProps {
  label: string
  name: string
  sort: Sort | undefined
  onSort: (name: string) => void
  width?: number
  className?: string | undefined
  number?: boolean
}

export function Head({ label, name, sort, onSort, width, className = '', number: right = false }: HeadProps) {
  const here = sort?.name === name
  const direction = here ? (sort.descending ? 'descending' : 'ascending') : undefined
  const kind = parseField(name)?.kind
  return (
    <th scope="col" style={width ? { width } : undefined} className={`${className} ${right ? css.right : ''}`} aria-sort={direction}>
      <button type="button" className={css.sort} title={`Sort by ${name}`} onClick={() => onSort(name)}>
        {kind && <span className={css.kind}>{kind === 'params' ? 'parameter' : kind === 'metrics' ? 'metric' : 'tag'}</span>}
        <span className={css.label}>
          <span>{label}</span>
          {here && <Icon name={sort.descending ? 'down' : 'up'} size={13} />}
        </span>
      </button>
    </th>
  )
}

interface RowProps {
  row: Row
  run: TrackedRun
  index: number
  columns: readonly string[]
  nested: boolean
  open: boolean
  checked: boolean
  onToggle: () => void
  onCheck: () => void
}

export function RunRow({ row, run, index, columns, nested, open, checked, onToggle, onCheck }: RowProps) {
  return (
    <tr aria-rowindex={index + 2} data-run={run.id} className={checked ? css.checked : undefined}>
      <th scope="row" className={css.name}>
        <span className={css.nameCell} style={{ paddingInlineStart: row.depth * 18 }}>
          <input type="checkbox" aria-label={`Select ${run.name}`} checked={checked} onChange={onCheck} />
          {nested && run.children ? (
            <button type="button" className={css.open} aria-expanded={open} aria-label={`Runs beneath ${run.name}`} title={`${count(run.children, 'run')} beneath`} onClick={onToggle}>
              <Icon name="chevron" size={13} />
            </button>
          ) : (
            <span className={css.open} />
          )}
          <Link href={`/tracked-runs/${run.id}`} title={run.name}>
            {run.name || '(no name)'}
          </Link>
          {run.pipeline && !run.pipeline.task_id && <span className={css.badge}>pipeline</span>}
        </span>
      </th>
      <td>
        <Status status={run.status} />
      </td>
      <td>
        <Started run={run} />
      </td>
      <td>
        <Took run={run} />
      </td>
      {columns.map((name) => (
        <Cell key={name} run={run} name={name} />
      ))}
    </tr>
  )
}

function Cell({ run, name }: { run: TrackedRun; name: string }) {
  const field = parseField(name)
  const value = field && valueOf(run, field)
  if (value === undefined) return <td className={`${css.none} ${field?.kind === 'metrics' ? css.right : ''}`}>–</td>
  if (typeof value === 'number') {
    return (
      <td className={css.right} title={String(value)}>
        {Number.isNaN(value) ? 'NaN' : number(value)}
      </td>
    )
  }
  return <td title={value}>{value}</td>
}

export function NoteRow({ row, columns }: { row: Row; columns: number }) {
  return (
    <tr>
      <td colSpan={columns} className={css.note} style={{ paddingInlineStart: 44 + row.depth * 18 }}>
        {row.note}
      </td>
    </tr>
  )
}
