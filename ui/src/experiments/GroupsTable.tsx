import { useQueries } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef } from 'react'
import { groupQuery, type GroupValue, type TableQuery, useGroups } from '../api/tracking'
import type { GroupMetric, TrackedGroup } from '../api/types'
import { count, number } from '../format/value'
import { Icon } from '../parts/icons'
import { Loading, Notice } from '../parts/Notice'
import { parseField, type Sort } from './fields'
import css from './RunsTable.module.css'
import { byWords, type GroupRow, groupRows, groupValue, statusesOf } from './groups'
import { Gap, rowHeight, RunRow, TableHead, tableWidth } from './RunsTable'

interface Props {
  query: TableQuery
  by: string
  /** The groups that are open, as the address names them. */
  open: readonly string[]
  columns: readonly string[]
  sort: Sort | undefined
  selected: readonly string[]
  onSort: (name: string) => void
  onSelect: (ids: string[]) => void
  onOpen: (names: string[]) => void
  onOnly: (value: GroupValue) => void
}

/** Runs in groups, each with a mean, lowest and highest value of the metrics that are columns. A group is opened to see its first runs. */
export function GroupsTable({ query, by, open, columns, sort, selected, onSort, onSelect, onOpen, onOnly }: Props) {
  const metrics = useMemo(() => columns.flatMap((c) => (c.startsWith('metrics.') ? [c.slice('metrics.'.length)] : [])).slice(0, 50), [columns])
  const groups = useGroups(query, by, metrics)
  const values = useMemo(() => open.flatMap((name) => (groupValue(name) === null ? [] : [{ name, value: groupValue(name) as GroupValue }])), [open])
  const answers = useQueries({ queries: values.map(({ value }) => groupQuery(query, by, value)) })
  const rows = useMemo(
    () =>
      groupRows(groups.data?.groups ?? [], (name) => {
        const at = values.findIndex((v) => v.name === name)
        const answer = answers[at]
        return at < 0 ? undefined : { runs: answer?.data?.runs, total: answer?.data?.total ?? 0, error: answer?.error?.message }
      }),
    [groups.data, values, answers],
  )
  if (groups.error && !groups.data) return <Notice tone="danger" title="The runs could not be grouped">{groups.error.message}</Notice>
  if (!groups.data) return <Loading what="groups" />
  const { total, runs } = groups.data
  const toggle = (name: string) => onOpen(open.includes(name) ? open.filter((o) => o !== name) : [...open, name])
  const check = (id: string) => onSelect(selected.includes(id) ? selected.filter((s) => s !== id) : [...selected, id])
  return (
    <>
      <Rows rows={rows} {...{ by, columns, sort, selected, onSort, onOnly }} onToggle={toggle} onCheck={check} />
      <p className={css.foot} role="status">
        {groups.data.groups.length < total ? `The ${groups.data.groups.length} largest of ` : ''}
        {count(total, 'group')} of {count(runs, 'run')}
      </p>
    </>
  )
}

interface RowsProps extends Pick<Props, 'by' | 'columns' | 'sort' | 'selected' | 'onSort' | 'onOnly'> {
  rows: readonly GroupRow[]
  onToggle: (name: string) => void
  onCheck: (id: string) => void
}

function Rows({ rows, by, columns, sort, selected, onSort, onOnly, onToggle, onCheck }: RowsProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const shown = virtual.getVirtualItems()
  const before = shown[0]?.start ?? 0
  const after = virtual.getTotalSize() - (shown.at(-1)?.end ?? 0)
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} className={css.scroller} tabIndex={0} role="region" aria-label="Groups of runs">
      <table className={css.table} aria-rowcount={rows.length + 1} style={{ width: tableWidth(columns.length) }}>
        <caption className="visually-hidden">Tracked runs by {byWords(by)}</caption>
        <TableHead columns={columns} sort={sort} onSort={onSort} />
        <tbody>
          {before > 0 && <Gap height={before} />}
          {shown.map((item) => {
            const row = rows[item.index]
            if (!row) return null
            if ('group' in row) return <GroupLine key={row.key} row={row} index={item.index} by={by} columns={columns} onToggle={() => onToggle(row.key)} />
            if ('run' in row) {
              const { run } = row
              return (
                <RunRow
                  key={row.key}
                  row={{ key: row.key, depth: 1, run }}
                  run={run}
                  index={item.index}
                  columns={columns}
                  nested={false}
                  open={false}
                  checked={selected.includes(run.id)}
                  onToggle={() => undefined}
                  onCheck={() => onCheck(run.id)}
                />
              )
            }
            return (
              <tr key={row.key}>
                <td colSpan={columns.length + 4} className={css.note} style={{ paddingInlineStart: 62 }}>
                  {row.note}{' '}
                  {'only' in row && row.only !== null && (
                    <button type="button" className={css.more} onClick={() => onOnly(row.only ?? undefined)}>
                      Show all of this group
                    </button>
                  )}
                </td>
              </tr>
            )
          })}
          {after > 0 && <Gap height={after} />}
        </tbody>
      </table>
    </div>
  )
}

function GroupLine({ row, index, by, columns, onToggle }: { row: { key: string; group: TrackedGroup; open: boolean }; index: number; by: string; columns: readonly string[]; onToggle: () => void }) {
  const { group, open } = row
  const label = group.value === undefined ? `no ${byWords(by)}` : group.value === '' ? '(empty)' : group.value
  return (
    <tr aria-rowindex={index + 2} data-group={row.key} className={css.groupRow}>
      {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label */}
      <th scope="row" className={css.name}>
        <span className={css.nameCell}>
          <button type="button" className={css.groupOpen} aria-expanded={open} title={label} onClick={onToggle}>
            <span className={css.open} data-open={open}>
              <Icon name="chevron" size={13} />
            </span>
            <span className={group.value === undefined ? css.none : undefined}>{label}</span>
          </button>
          <span className={css.badge}>{count(group.count, 'run')}</span>
        </span>
      </th>
      <td colSpan={3} title={statusesOf(group.statuses)}>
        {statusesOf(group.statuses)}
      </td>
      {columns.map((name) => {
        const field = parseField(name)
        const sum = field?.kind === 'metrics' ? group.metrics.find((m) => m.key === field.key) : undefined
        return sum ? <Sum key={name} sum={sum} of={group.count} /> : <td key={name}>{' '}</td>
      })}
    </tr>
  )
}

/** The mean of a metric in a group, and between which values it lies. */
function Sum({ sum, of }: { sum: GroupMetric; of: number }) {
  if (sum.mean === undefined || sum.min === undefined || sum.max === undefined) return <td className={`${css.right} ${css.none}`}>–</td>
  const said = `mean of ${sum.count === of ? count(of, 'run') : `${sum.count} of ${count(of, 'run')}`}: ${sum.mean}; lowest ${sum.min}, highest ${sum.max}`
  return (
    <td className={css.right} title={said}>
      <span className={css.mean}>
        <span>{short(sum.mean)}</span>
        {sum.min !== sum.max && (
          <small>
            {short(sum.min)} – {short(sum.max)}
          </small>
        )}
      </span>
    </td>
  )
}

/** Three values in one cell leave room for four digits each. */
const short = (n: number) => number(Number(n.toPrecision(4)))
