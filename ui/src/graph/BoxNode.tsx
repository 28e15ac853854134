import { memo } from 'react'
import { isFinal, type Task } from '../api/types'
import { between, duration } from '../format/time'
import { Icon, type IconName } from '../parts/icons'
import { Link } from '../parts/Link'
import { useNow } from '../parts/now'
import { Cached, StateBar, stateClass, StateIcon, stateWord } from '../parts/State'
import box from './Box.module.css'
import css from './BoxNode.module.css'
import type { Rect } from './scene'
import type { Counts } from './tree'

interface Props {
  task: Task
  place: Rect
  href: string
  chosen: boolean
  /** What is inside a group; undefined for a task that holds none. */
  group: GroupShown | undefined
}

export interface GroupShown {
  open: boolean
  counts: Counts
  /** For an open loop: the iteration whose tasks are inside. */
  iteration: Task | undefined
  onToggle: (path: string, open: boolean) => void
}

/** A task in the graph; an open group is the frame around its tasks. */
export const BoxNode = memo(function BoxNode({ task, place, href, chosen, group }: Props) {
  return (
    <div
      className={`${box.box} ${css.box} ${stateClass(task.state)} ${group?.open ? `${box.open} ${css.open}` : ''} ${chosen ? css.selected : ''} ${group ? `${box.group} ${css.group}` : ''}`}
      style={{ left: place.x, top: place.y, width: place.width, height: place.height }}
      data-path={task.path}
      data-state={task.state}
    >
      {group ? <GroupBody task={task} group={group} href={href} /> : <LeafBody task={task} href={href} />}
    </div>
  )
})

function TaskLink({ task, href }: { task: Task; href: string }) {
  return (
    <Link href={href} className={box.name} title={task.path} aria-label={`${task.display_name}, ${stateWord(task.state)}`} draggable={false}>
      {task.display_name}
    </Link>
  )
}

function LeafBody({ task, href }: { task: Task; href: string }) {
  return (
    <>
      <div className={box.first}>
        <StateIcon state={task.state} />
        <TaskLink task={task} href={href} />
        {task.attempts > 1 && (
          <span className={css.attempts} title={`${task.attempts} attempts`}>
            ×{task.attempts}
          </span>
        )}
      </div>
      <div className={`${box.second} ${css.second}`}>
        <span className={css.word}>{stateWord(task.state)}</span>
        {task.cached ? <Cached /> : <Took task={task} />}
      </div>
    </>
  )
}

/** How long a task took; only one that is going on is drawn again as time goes by. */
function Took({ task }: { task: Task }) {
  if (!task.started_at) return null
  return task.finished_at ? <span>{duration(between(task.started_at, task.finished_at, 0) ?? 0)}</span> : <Ticking since={task.started_at} />
}

function Ticking({ since }: { since: string }) {
  return <span>{duration(between(since, undefined, useNow()) ?? 0)}</span>
}

const kindIcons: Partial<Record<Task['kind'], IconName>> = { loop: 'loop', dag: 'group', iteration: 'group' }

function GroupBody({ task, group, href }: { task: Task; group: GroupShown; href: string }) {
  const { open, counts, iteration } = group
  return (
    <>
      <div className={box.first}>
        <StateIcon state={task.state} />
        <TaskLink task={task} href={href} />
        <span className={css.kind}>
          <Icon name={kindIcons[task.kind] ?? 'group'} size={14} />
        </span>
        <button
          type="button"
          className={box.toggle}
          aria-expanded={open}
          aria-label={`Tasks of ${task.display_name}`}
          onClick={() => group.onToggle(task.path, !open)}
        >
          <Icon name="chevron" size={14} />
        </button>
      </div>
      <div className={`${box.second} ${css.second}`}>
        <span className={css.count}>
          {iteration ? `iteration ${iteration.iteration ?? iteration.name} of ${counts.total.toLocaleString('en-GB')}` : summary(task, counts)}
        </span>
        {open && counts.cached > 0 && <Cached />}
      </div>
      {!open && counts.total > 0 && <StateBar counts={counts} />}
    </>
  )
}

/** "260 of 1,000 iterations", "3 tasks". */
function summary(task: Task, counts: Counts): string {
  const noun = task.kind === 'loop' ? 'iteration' : 'task'
  if (counts.total === 0) return isFinal(task.state) ? `no ${noun}s` : `${noun}s to come`
  const done = [...counts.byState].reduce((sum, [state, n]) => sum + (isFinal(state) ? n : 0), 0)
  const total = counts.total.toLocaleString('en-GB')
  const nouns = counts.total === 1 ? noun : `${noun}s`
  return done < counts.total ? `${done.toLocaleString('en-GB')} of ${total} ${nouns}` : `${total} ${nouns}`
}
