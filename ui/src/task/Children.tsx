import { useVirtualizer } from '@tanstack/react-virtual'
import { useRef } from 'react'
import { useSearchParams } from 'wouter'
import type { Task } from '../api/types'
import { between, duration } from '../format/time'
import { groupCounts, type Tree } from '../graph/tree'
import { Link } from '../parts/Link'
import { useNow } from '../parts/now'
import { Cached, State, StateBar, stateWord } from '../parts/State'
import { taskHref } from '../run/taskHref'
import css from './Children.module.css'
import { itemLabels } from './loopItem'

const rowHeight = 38

/** The tasks inside a group, or the iterations of a loop. There may be thousands: only those in sight are drawn. */
export function Children({ task, tree }: { task: Task; tree: Tree }) {
  const scroller = useRef<HTMLDivElement>(null)
  const children = tree.children.get(task.path) ?? []
  const virtual = useVirtualizer({ count: children.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 10 })
  const counts = groupCounts(tree, task)
  if (children.length === 0) return <p className={css.none}>There is nothing inside yet.</p>
  return (
    <div className={css.children}>
      <div className={css.sums}>
        <StateBar counts={counts} />
        <p>{[...counts.byState].map(([state, n]) => `${n.toLocaleString('en-GB')} ${stateWord(state).toLowerCase()}`).join(' · ')}</p>
      </div>
      <div ref={scroller} className={css.scroller} role="list">
        <div className={css.all} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const child = children[item.index]
            return (
              child && (
                <div key={child.id} role="listitem" className={css.row} style={{ transform: `translateY(${item.start}px)` }}>
                  <Child task={child} />
                </div>
              )
            )
          })}
        </div>
      </div>
    </div>
  )
}

function Child({ task }: { task: Task }) {
  const now = useNow()
  const [search] = useSearchParams()
  const ms = between(task.started_at, task.finished_at, now)
  const inputs = itemLabels(task.inputs.parameters ?? {})
  return (
    <>
      <Link href={taskHref(task, withoutTab(search))} className={css.link}>
        {task.kind === 'iteration' ? (task.iteration ?? task.name) : task.display_name}
      </Link>
      <span className={css.inputs} title={inputs.join('\n')}>
        {inputs.join(', ')}
      </span>
      {task.cached && <Cached />}
      <span className={css.time}>{ms === undefined ? '' : duration(ms)}</span>
      <State state={task.state} />
    </>
  )
}

/** The list is a tab of groups; the task inside begins with what it has to say. */
function withoutTab(search: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(search)
  next.delete('tab')
  return next
}
