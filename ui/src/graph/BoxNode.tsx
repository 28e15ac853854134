import { Handle, type Node, type NodeProps, Position } from '@xyflow/react'
import { memo } from 'react'
import { Link, useSearch } from 'wouter'
import { isFinal, type Task } from '../api/types'
import { between, duration } from '../format/time'
import { Icon, type IconName } from '../parts/icons'
import { useNow } from '../parts/now'
import { Cached, StateBar, stateClass, StateIcon, stateWord } from '../parts/State'
import css from './BoxNode.module.css'
import type { Direction } from './layout'
import type { Box } from './model'
import { type Choices, type Counts, groupCounts, type Tree } from './tree'

/** What is the same for all boxes of a graph. */
export type Shared = {
  tree: Tree
  choices: Choices
  onChoose: (choices: Choices) => void
  selected: string | undefined
  direction: Direction
}

type Data = Shared & { box: Box }

export type BoxNodeType = Node<Data, 'box'>

/** A task in the graph; an open group is the frame around its tasks. */
export const BoxNode = memo(function BoxNode({ data }: NodeProps<BoxNodeType>) {
  const { box, selected, direction } = data
  const { task } = box
  const chosen = selected === box.path || (box.iteration !== undefined && selected === box.iteration.path)
  return (
    <div
      className={`${css.box} ${stateClass(task.state)} ${box.open ? css.open : ''} ${chosen ? css.selected : ''} ${box.group ? css.group : ''}`}
      data-path={box.path}
      data-state={task.state}
    >
      <Handle type="target" position={direction === 'LR' ? Position.Left : Position.Top} className={css.handle} />
      <Handle type="source" position={direction === 'LR' ? Position.Right : Position.Bottom} className={css.handle} />
      {box.group ? <GroupBody data={data} /> : <LeafBody task={task} />}
    </div>
  )
})

function TaskLink({ task }: { task: Task }) {
  const search = useSearch()
  return (
    <Link
      href={`/runs/${task.run_id}/tasks/${task.id}${search ? `?${search}` : ''}`}
      className={css.link}
      title={task.path}
      aria-label={`${task.display_name}, ${stateWord(task.state)}`}
    >
      {task.display_name}
    </Link>
  )
}

function LeafBody({ task }: { task: Task }) {
  const now = useNow()
  const ms = between(task.started_at, task.finished_at, now)
  return (
    <>
      <div className={css.first}>
        <StateIcon state={task.state} />
        <TaskLink task={task} />
        {task.attempts > 1 && (
          <span className={css.attempts} title={`${task.attempts} attempts`}>
            ×{task.attempts}
          </span>
        )}
      </div>
      <div className={css.second}>
        <span className={css.word}>{stateWord(task.state)}</span>
        {task.cached && <Cached />}
        {!task.cached && ms !== undefined && <span>{duration(ms)}</span>}
      </div>
    </>
  )
}

const kindIcons: Partial<Record<Task['kind'], IconName>> = { loop: 'loop', dag: 'group', iteration: 'group' }

function GroupBody({ data }: { data: Data }) {
  const { box, tree, choices, onChoose } = data
  const { task, open, iteration } = box
  const counts = groupCounts(tree, task)
  const toggle = () => onChoose({ ...choices, open: new Map(choices.open).set(box.path, !open) })
  return (
    <>
      <div className={css.first}>
        <StateIcon state={task.state} />
        <TaskLink task={task} />
        <span className={css.kind}>
          <Icon name={kindIcons[task.kind] ?? 'group'} size={14} />
        </span>
        <button type="button" className={css.toggle} aria-expanded={open} aria-label={`Tasks of ${task.display_name}`} onClick={toggle}>
          <Icon name="chevron" size={14} />
        </button>
      </div>
      <div className={css.second}>
        <span className={css.count}>
          {iteration ? `iteration ${iteration.iteration ?? iteration.name} of ${counts.total}` : summary(task, counts)}
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
