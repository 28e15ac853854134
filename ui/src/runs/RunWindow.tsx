import { useVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { type RunQuery, useRunPages } from '../api/runs'
import type { Run, RunList } from '../api/types'
import { columnWidth, RunHead, RunRow, rowHeight, type Values, WaitingRow } from './RunTable'
import css from './RunTable.module.css'
import { arrived, beginning, type Link, pagesIn, placeOf, rowsOf, within } from './window'

interface Props {
  query: RunQuery
  /** The newest answer to the first page. */
  first: RunList
  columns: readonly string[]
  experiments: ReadonlyMap<string, string> | undefined
  ticked: ReadonlyMap<string, Run>
  onTick: (runs: readonly Run[], on: boolean) => void
}

/** The list of runs. Only the rows in sight are drawn, and only the pages around them are kept. */
export function RunWindow({ query, first, columns, experiments, ticked, onTick }: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const [links, setLinks] = useState<readonly Link[]>(() => arrived(beginning, 0, first))
  const count = rowsOf(links, Math.max(first.total, first.runs.length))
  const virtual = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 6, initialRect: guess() })
  const shown = virtual.getVirtualItems()
  const from = shown[0]?.index ?? 0
  const to = shown.at(-1)?.index ?? 0
  const pages = pagesIn(links, from, to)
  const rest = pages.filter((at) => at > 0)
  const answers = useRunPages(query, rest.map((at) => links[at]?.token ?? ''))
  const lists = useMemo(() => new Map<number, RunList | undefined>([[0, first], ...rest.map((at, i): [number, RunList | undefined] => [at, answers[i]?.data])]), [first, rest, answers])
  // What is out of sight keeps its place; at the top, new runs come in.
  const atTop = pages.includes(0)
  useLayoutEffect(() => {
    setLinks((old) => {
      let now = old
      for (const [at, list] of lists) if (list && (at > 0 || atTop)) now = arrived(now, at, list)
      return now
    })
  }, [lists, atTop])
  useAnchor(scroller, atTop ? first.runs : undefined)
  const rowAt = (index: number): { run: Run; values: Values | undefined } | undefined => {
    const place = placeOf(links, index)
    const link = place && links[place.page]
    const list = place && lists.get(place.page)
    const run = link && list && within(link, list.runs)[place.row]
    return run && { run, values: list.columns?.[run.id] }
  }
  const toggle = useCallback((run: Run) => onTick([run], !ticked.has(run.id)), [onTick, ticked])
  const inSight = [...lists.values()].flatMap((list) => list?.runs ?? [])
  const all = inSight.length > 0 && inSight.every((run) => ticked.has(run.id))
  const before = shown[0]?.start ?? 0
  const after = virtual.getTotalSize() - (shown.at(-1)?.end ?? 0)
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} className={css.scroller} tabIndex={0} role="region" aria-label="Runs">
      <table className={css.table} aria-rowcount={first.total + 1} style={columns.length > 0 ? { minWidth: 760 + columnWidth * columns.length } : undefined}>
        <caption className="visually-hidden">Runs, newest first</caption>
        <thead>
          <RunHead columns={columns}>
            <AllBox checked={all} some={!all && inSight.some((run) => ticked.has(run.id))} onChange={() => onTick(inSight, !all)} />
          </RunHead>
        </thead>
        <tbody>
          {before > 0 && <Gap height={before} />}
          {shown.map(({ index }) => {
            const row = rowAt(index)
            if (!row) return <WaitingRow key={`row ${index}`} index={index} columns={columns.length} />
            return (
              <RunRow
                key={row.run.id}
                run={row.run}
                index={index}
                experiment={experiments?.get(row.run.experiment_id)}
                columns={columns}
                values={row.values}
                ticked={ticked.has(row.run.id)}
                onTick={toggle}
              />
            )
          })}
          {after > 0 && <Gap height={after} />}
        </tbody>
      </table>
    </div>
  )
}

/** How high the list is before it was measured: about what the window leaves to it, so its rows are drawn at once and not when it is known. */
const guess = () => ({ width: 0, height: window.innerHeight - 200 })

/** Keeps what is in sight where it is when runs come in above it. */
function useAnchor(scroller: React.RefObject<HTMLDivElement | null>, runs: readonly Run[] | undefined) {
  const newest = useRef(runs?.[0]?.id)
  useLayoutEffect(() => {
    if (!runs) return
    const added = runs.findIndex((run) => run.id === newest.current)
    newest.current = runs[0]?.id
    if (added > 0 && (scroller.current?.scrollTop ?? 0) > 0) scroller.current?.scrollBy({ top: added * rowHeight, behavior: 'instant' })
  }, [scroller, runs])
}

function AllBox({ checked, some, onChange }: { checked: boolean; some: boolean; onChange: () => void }) {
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (box.current) box.current.indeterminate = some
  }, [some])
  return <input ref={box} type="checkbox" aria-label="Select the runs on the pages in sight" title="Select the runs on the pages in sight" checked={checked} onChange={onChange} />
}

/** Takes the place of rows that are not in sight. */
function Gap({ height }: { height: number }) {
  return (
    <tr aria-hidden="true">
      {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label */}
      <td style={{ height, padding: 0, border: 0 }} />
    </tr>
  )
}
