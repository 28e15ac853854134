import { useEffect } from 'react'
import { useExperiments, useLiveRun } from '../api/queries'
import { isFinal, type Run } from '../api/types'
import type { Choices, Tree } from '../graph/tree'
import { Loading, Notice } from '../parts/Notice'
import { Clock } from '../parts/now'
import { NotFound } from '../shell/NotFound'
import { useAddress } from '../parts/address'
import { TaskPanel } from '../task/TaskPanel'
import { choicesQuery, useChoices } from './choices'
import { RunCards } from './RunCards'
import { RunHeader } from './RunHeader'
import { RunNotices } from './RunNotices'
import { RunViews } from './RunViews'
import { runHref } from './taskHref'
import css from './RunPage.module.css'

/** Many tasks are laid out by a worker, which is started while they come. */
const warmGraph = () => void import('../graph/remote').then(({ warmUp }) => warmUp())

export function RunPage({ id, taskId }: { id: string; taskId?: string }) {
  const live = useLiveRun(id, warmGraph)
  const experiments = useExperiments()
  const { run, tree, error } = live
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
  const back = useBack(run, choices)
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
            <TaskPanel key={task.id} run={run} task={task} tree={tree} back={back} />
          ) : (
            <NotFound what={`This run has no task ${taskId}, or it has not come to it yet.`} />
          )}
        </div>
      )}
    </div>
  )
}

/** Leads from a task back to its run; what was opened to show the task stays open. */
function useBack(run: Run, choices: Choices): string {
  const [address] = useAddress()
  const search = new URLSearchParams(address)
  for (const [key, paths] of Object.entries(choicesQuery(choices))) {
    search.delete(key)
    for (const path of paths) search.append(key, path)
  }
  return runHref(run.id, search)
}
