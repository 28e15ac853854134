import { useEffect, useMemo, useState } from 'react'
import { useExperiments, useLiveRun } from '../api/queries'
import { isFinal, type Run } from '../api/types'
import { buildTree, type Choices, noChoices, reveal, type Tree } from '../graph/tree'
import { Loading, Notice } from '../parts/Notice'
import { Clock } from '../parts/now'
import { NotFound } from '../shell/NotFound'
import { TaskPanel } from '../task/TaskPanel'
import { RunCards } from './RunCards'
import { RunHeader } from './RunHeader'
import { RunNotices } from './RunNotices'
import { RunViews } from './RunViews'
import css from './RunPage.module.css'

export function RunPage({ id, taskId }: { id: string; taskId?: string }) {
  const live = useLiveRun(id)
  const experiments = useExperiments()
  const tree = useMemo(() => buildTree(live.tasks), [live.tasks])
  const { run, error } = live
  useEffect(() => {
    if (run) document.title = `${run.display_name} – Levada`
  }, [run])
  if (!run) {
    if (error?.status === 404) return <NotFound what={error.message} />
    return error ? <Notice tone="danger">{error.message}</Notice> : <Loading what="the run" />
  }
  return (
    <Clock ticking={!isFinal(run.state)}>
      {error && <Notice tone="warning">{error.message}</Notice>}
      <Loaded run={run} tree={tree} taskId={taskId} experiment={experiments.data?.get(run.experiment_id)} />
    </Clock>
  )
}

interface LoadedProps {
  run: Run
  tree: Tree
  taskId: string | undefined
  experiment: string | undefined
}

function Loaded({ run, tree, taskId, experiment }: LoadedProps) {
  // A link may name a task by id or by path.
  const task = taskId === undefined ? undefined : (tree.byId.get(taskId) ?? tree.byPath.get(taskId))
  const [choices, setChoices] = useChoices(tree, task?.path)
  return (
    <div className={`${css.page} ${taskId === undefined ? '' : css.split}`}>
      <div className={css.run}>
        <RunHeader run={run} tree={tree} experiment={experiment} />
        <RunNotices run={run} tree={tree} />
        <RunViews run={run} tree={tree} choices={choices} onChoose={setChoices} selected={task?.path} />
        <RunCards run={run} tree={tree} />
      </div>
      {taskId !== undefined && (
        <div className={css.panel}>
          {task ? (
            <TaskPanel key={task.id} run={run} task={task} tree={tree} />
          ) : (
            <NotFound what={`This run has no task ${taskId}, or it has not come to it yet.`} />
          )}
        </div>
      )}
    </div>
  )
}

/** What the reader opened, with the groups around a selected task opened once when it is selected. */
function useChoices(tree: Tree, selected: string | undefined): [Choices, (choices: Choices) => void] {
  const [choices, setChoices] = useState(noChoices)
  const [revealed, setRevealed] = useState<string>()
  if (selected !== revealed) {
    setRevealed(selected)
    if (selected !== undefined) setChoices(reveal(tree, selected, choices))
  }
  return [choices, setChoices]
}
