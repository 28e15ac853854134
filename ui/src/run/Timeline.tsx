import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef } from 'react'
import { isLeaf, type Run, type Task } from '../api/types'
import { between, duration } from '../format/time'
import { count } from '../format/value'
import { type Row, treeRows } from '../graph/tree'
import { useAddress } from '../parts/address'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { useNow } from '../parts/now'
import { Cached, stateClass, StateIcon, stateWord } from '../parts/State'
import { type CriticalPath, criticalPath, timesOf } from './critical'
import type { ViewProps } from './RunViews'
import { type Span, type SpanKind, spansOf } from './spans'
import { taskHref } from './taskHref'
import css from './Timeline.module.css'

const rowHeight = 34

/** Every task as a row with what it did along the time. Only the rows in sight are drawn. */
export function Timeline({ run, tree, choices, onChoose, selected }: ViewProps) {
  const now = useNow()
  const [address, change] = useAddress()
  const scroller = useRef<HTMLDivElement>(null)
  const critical = useMemo(() => criticalPath(tree), [tree])
  const only = address.get('only') === 'critical'
  const all = useMemo(() => treeRows(tree, choices), [tree, choices])
  const rows = useMemo(() => (only ? all.filter((row) => critical.paths.has(row.task.path)) : all), [all, only, critical])
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  useEffect(() => {
    const index = selected === undefined ? -1 : rows.findIndex((row) => row.task.path === selected)
    if (index >= 0) virtual.scrollToIndex(index, { align: 'auto' })
    // Scrolls when another task is selected, not whenever one changes.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [selected])
  const scale = timeScale(run, now)
  const toggle = (task: Task, open: boolean) => onChoose({ ...choices, open: new Map(choices.open).set(task.path, open) })
  return (
    <>
      <Legend critical={critical} only={only} now={now} onOnly={(on) => change({ only: on ? 'critical' : undefined })} />
      <div ref={scroller} className={css.scroller} role="table" aria-label="Tasks along the time" aria-rowcount={rows.length}>
        <div className={`${css.row} ${css.scale}`} aria-hidden="true">
          <span className={css.head}>Task</span>
          <span className={css.ticks}>
            {[0, 0.25, 0.5, 0.75].map((share) => (
              <span key={share}>{duration(scale.length * share)}</span>
            ))}
          </span>
        </div>
        <div className={css.all} role="rowgroup" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index]
            return (
              row && (
                <div key={row.task.id} role="row" aria-rowindex={item.index + 1} className={css.place} style={{ transform: `translateY(${item.start}px)` }}>
                  <TimelineRow
                    row={row}
                    href={taskHref(row.task, address)}
                    scale={scale}
                    selected={row.task.path === selected}
                    critical={critical.paths.has(row.task.path)}
                    onToggle={toggle}
                  />
                </div>
              )
            )
          })}
        </div>
      </div>
    </>
  )
}

const words: Record<SpanKind, string> = { waiting: 'Waiting', preparing: 'Preparing', running: 'Running', pause: 'Pause before a retry', cached: 'Cached' }
const past: Record<SpanKind, string> = { waiting: 'waited', preparing: 'prepared for', running: 'ran', pause: 'paused', cached: 'result reused after' }
const titles: Record<SpanKind, string> = {
  waiting: 'for tasks before it, or for its turn in a loop',
  preparing: 'its environment, the look into the cache, and room on the machine',
  running: 'the step itself',
  pause: 'after an attempt that failed',
  cached: 'an earlier result was taken',
}

interface LegendProps {
  critical: CriticalPath
  only: boolean
  now: number
  onOnly: (on: boolean) => void
}

function Legend({ critical, only, now, onOnly }: LegendProps) {
  const times = timesOf(critical, now)
  return (
    <div className={css.legend}>
      <ul aria-label="Legend">
        {(Object.keys(words) as SpanKind[]).map((kind) => (
          <li key={kind} title={titles[kind]}>
            <span className={css.sample}>
              <span className={`${css.bar} ${css[kind]} ${stateClass('SUCCEEDED')}`} />
            </span>
            {words[kind]}
          </li>
        ))}
      </ul>
      {critical.tasks.length > 0 && (
        <label className={css.critical} title="The tasks of which each made the next one wait, up to the one that ended last.">
          <input type="checkbox" checked={only} onChange={(e) => onOnly(e.target.checked)} />
          <Mark /> Only the critical path: {count(critical.tasks.length, 'task')}, {duration(times.running)} running, {duration(times.preparing)} preparing
        </label>
      )}
    </div>
  )
}

/** The sign of a task on the critical path. */
function Mark() {
  return (
    <span className={css.mark}>
      <Icon name="critical" size={12} />
    </span>
  )
}

interface Scale {
  start: number
  length: number
  now: number
}

function timeScale(run: Run, now: number): Scale {
  const start = Date.parse(run.created_at)
  return { start, length: Math.max(1, (run.finished_at ? Date.parse(run.finished_at) : now) - start), now }
}

interface RowProps {
  row: Row
  href: string
  scale: Scale
  selected: boolean
  critical: boolean
  onToggle: (task: Task, open: boolean) => void
}

function TimelineRow({ row, href, scale, selected, critical, onToggle }: RowProps) {
  const { task, depth, group, open } = row
  return (
    <div className={`${css.row} ${selected ? css.selected : ''} ${critical ? css.onPath : ''}`}>
      <div role="cell" className={css.name} style={{ paddingInlineStart: 8 + depth * 16 }}>
        {group ? (
          <button type="button" className={css.toggle} aria-expanded={open} aria-label={`Tasks of ${task.display_name}`} onClick={() => onToggle(task, !open)}>
            <Icon name="chevron" size={13} />
          </button>
        ) : (
          <span className={css.indent} />
        )}
        <StateIcon state={task.state} />
        <Link href={href} className={css.link} title={task.path}>
          {task.kind === 'iteration' ? `iteration ${task.iteration ?? task.name}` : task.display_name}
        </Link>
        <span className="visually-hidden">{stateWord(task.state)}</span>
        {task.cached && <Cached brief />}
        {critical && <Mark />}
        {critical && <span className="visually-hidden">on the critical path</span>}
      </div>
      <div role="cell" className={css.track}>
        <div className={css.bars}>{isLeaf(task.kind) ? <Bars task={task} scale={scale} /> : <GroupBar task={task} scale={scale} />}</div>
      </div>
    </div>
  )
}

function placeOf(from: number, to: number, scale: Scale) {
  const left = clamp((from - scale.start) / scale.length)
  return { left, width: Math.min(1 - left, (to - from) / scale.length) }
}

function Bars({ task, scale }: { task: Task; scale: Scale }) {
  const spans = spansOf(task, scale.now)
  const last = spans.at(-1)
  if (!last) return null
  const ran = spans.filter((s) => s.kind === 'running')
  const several = ran.length > 1
  const end = placeOf(last.from, last.to, scale)
  return (
    <>
      {spans.map((span) => {
        const { left, width } = placeOf(span.from, span.to, scale)
        const failed = span.kind === 'running' && span.reason !== undefined
        return (
          <span
            key={`${span.kind} ${span.from}`}
            className={`${css.bar} ${css[span.kind]} ${stateClass(failed ? 'FAILED' : task.state)}`}
            style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
            title={sentence(span)}
            data-span={span.kind}
          >
            {several && span.kind === 'running' && <span className={css.attempt}>{span.attempt}</span>}
          </span>
        )
      })}
      {(ran.length > 0 || last.kind === 'cached' || last.kind === 'preparing') && (
        <span className={css.time} style={{ left: `${(end.left + end.width) * 100}%` }}>
          {ran.length > 0 ? duration(ran.reduce((sum, s) => sum + s.to - s.from, 0)) : words[last.kind].toLowerCase()}
        </span>
      )}
      <span className="visually-hidden">{spans.map(sentence).join(', ')}</span>
    </>
  )
}

function sentence(span: Span): string {
  const which = span.attempt === undefined ? '' : `attempt ${span.attempt} `
  return `${which}${past[span.kind]} ${duration(span.to - span.from)}${span.reason ? ` (${span.reason})` : ''}`
}

function GroupBar({ task, scale }: { task: Task; scale: Scale }) {
  if (!task.started_at) return null
  const ms = between(task.started_at, task.finished_at, scale.now) ?? 0
  const from = Date.parse(task.started_at)
  const { left, width } = placeOf(from, from + ms, scale)
  return (
    <>
      <span className={`${css.bar} ${stateClass(task.state)} ${css.groupBar}`} style={{ left: `${left * 100}%`, width: `${width * 100}%` }} />
      <span className={css.time} style={{ left: `${(left + width) * 100}%` }}>
        {duration(ms)}
      </span>
    </>
  )
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}
