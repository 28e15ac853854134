import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef } from 'react'
import { Link, useSearch } from 'wouter'
import type { Run, Task } from '../api/types'
import { between, duration } from '../format/time'
import { type Choices, type Row, treeRows } from '../graph/tree'
import { Icon } from '../parts/icons'
import { useNow } from '../parts/now'
import { Cached, stateClass, StateIcon, stateWord } from '../parts/State'
import css from './Timeline.module.css'
import type { ViewProps } from './RunViews'

const rowHeight = 34

/** Every task as a row with a bar from its start to its end. Only the rows in sight are drawn. */
export function Timeline({ run, tree, choices, onChoose, selected }: ViewProps) {
  const now = useNow()
  const scroller = useRef<HTMLDivElement>(null)
  const rows = useMemo(() => treeRows(tree, choices), [tree, choices])
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const scale = timeScale(run, now)
  return (
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
                <TimelineRow row={row} choices={choices} onChoose={onChoose} scale={scale} selected={row.task.path === selected} />
              </div>
            )
          )
        })}
      </div>
    </div>
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
  choices: Choices
  onChoose: (choices: Choices) => void
  scale: Scale
  selected: boolean
}

function TimelineRow({ row, choices, onChoose, scale, selected }: RowProps) {
  const { task, depth, group, open } = row
  const search = useSearch()
  const toggle = () => onChoose({ ...choices, open: new Map(choices.open).set(task.path, !open) })
  return (
    <div className={`${css.row} ${selected ? css.selected : ''}`}>
      <div role="cell" className={css.name} style={{ paddingInlineStart: 8 + depth * 16 }}>
        {group ? (
          <button type="button" className={css.toggle} aria-expanded={open} aria-label={`Tasks of ${task.display_name}`} onClick={toggle}>
            <Icon name="chevron" size={13} />
          </button>
        ) : (
          <span className={css.indent} />
        )}
        <StateIcon state={task.state} />
        <Link href={`/runs/${task.run_id}/tasks/${task.id}${search ? `?${search}` : ''}`} className={css.link} title={task.path}>
          {task.kind === 'iteration' ? `iteration ${task.iteration ?? task.name}` : task.display_name}
        </Link>
        <span className="visually-hidden">{stateWord(task.state)}</span>
        {task.cached && <Cached brief />}
      </div>
      <div role="cell" className={css.track}>
        <div className={css.bars}>{task.started_at && <Bar task={task} scale={scale} />}</div>
      </div>
    </div>
  )
}

function Bar({ task, scale }: { task: Task; scale: Scale }) {
  const ms = between(task.started_at, task.finished_at, scale.now) ?? 0
  const left = clamp((Date.parse(task.started_at ?? '') - scale.start) / scale.length)
  const width = Math.min(1 - left, ms / scale.length)
  return (
    <>
      <span
        className={`${css.bar} ${stateClass(task.state)} ${task.kind === 'container' || task.kind === 'importer' ? '' : css.groupBar}`}
        style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
      />
      <span className={css.time} style={{ left: `${(left + width) * 100}%` }}>
        {duration(ms)}
      </span>
    </>
  )
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}
