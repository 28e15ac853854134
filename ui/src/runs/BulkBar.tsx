import { useState } from 'react'
import { type RunAction, useActOnRuns } from '../api/runs'
import type { Run } from '../api/types'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Confirm } from '../parts/Confirm'
import { Notice } from '../parts/Notice'
import css from './RunsPage.module.css'

interface Props {
  ticked: ReadonlyMap<string, Run>
  archived: boolean
  onTick: (runs: readonly Run[], on: boolean) => void
}

const past: Record<RunAction, string> = { cancel: 'asked to stop', retry: 'retried', archive: 'archived', unarchive: 'brought back', delete: 'deleted' }

const asks: Partial<Record<RunAction, { title: (n: number) => string; text: string; action: string }>> = {
  cancel: { title: (n) => `Cancel ${count(n, 'run')}?`, text: 'Running steps are stopped. What has finished can be reused.', action: 'Cancel runs' },
  delete: { title: (n) => `Delete ${count(n, 'run')}?`, text: 'Their tasks, logs and metrics are deleted with them. This cannot be taken back.', action: 'Delete' },
}

/** What can be done with the runs that are ticked, and what came of it: with which it was done, and why not with the others. */
export function BulkBar({ ticked, archived, onTick }: Props) {
  const act = useActOnRuns()
  const [asking, setAsking] = useState<RunAction>()
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map())
  const runs = [...ticked.values()]
  const go = (action: RunAction) => {
    setNames(new Map(runs.map((run) => [run.id, run.display_name])))
    // What it was not done with stays ticked.
    act.mutate({ action, ids: runs.map((run) => run.id) }, { onSuccess: ({ done }) => onTick(runs.filter((run) => done.includes(run.id)), false) })
  }
  const button = (action: RunAction, label: string, look: 'plain' | 'danger' = 'plain') => (
    <Button look={look} busy={act.isPending} onClick={() => (asks[action] ? setAsking(action) : go(action))}>
      {label}
    </Button>
  )
  const question = asking && asks[asking]
  return (
    <>
      {runs.length > 0 && (
        <div className={css.bulk} role="toolbar" aria-label="Ticked runs">
          <span>{count(runs.length, 'run')} ticked</span>
          {button('cancel', 'Cancel')}
          {button('retry', 'Retry')}
          {archived ? button('unarchive', 'Bring back') : button('archive', 'Archive')}
          {button('delete', 'Delete', 'danger')}
          <Button look="quiet" icon="close" aria-label="Tick none" onClick={() => onTick(runs, false)} />
        </div>
      )}
      <Outcome act={act} names={names} />
      {asking && question && (
        <Confirm title={question.title(runs.length)} text={question.text} action={question.action} onConfirm={() => go(asking)} onClose={() => setAsking(undefined)} />
      )}
    </>
  )
}

const shownFailures = 10

function Outcome({ act, names }: { act: ReturnType<typeof useActOnRuns>; names: ReadonlyMap<string, string> }) {
  if (act.isPending || !act.variables) return null
  const { action } = act.variables
  if (act.error) {
    return (
      <Notice tone="danger" title={`The runs were not ${past[action]}`}>
        {act.error.message}
      </Notice>
    )
  }
  const { done, failed } = act.data ?? { done: [], failed: [] }
  const close = <Button look="quiet" icon="close" aria-label="Close" onClick={() => act.reset()} />
  if (failed.length === 0) {
    return (
      <div className={css.outcome} role="status">
        {count(done.length, 'run')} {past[action]} {close}
      </div>
    )
  }
  return (
    <Notice tone="danger" title={`${count(failed.length, 'run')} ${failed.length === 1 ? 'was' : 'were'} not ${past[action]}${done.length > 0 ? `, ${done.length} ${done.length === 1 ? 'was' : 'were'}` : ''}`}>
      <ul>
        {failed.slice(0, shownFailures).map(({ run_id, detail }) => (
          <li key={run_id}>
            <strong>{names.get(run_id) ?? run_id}</strong>: {detail}
          </li>
        ))}
      </ul>
      {failed.length > shownFailures && <p>{`and ${failed.length - shownFailures} more`}</p>}
      {close}
    </Notice>
  )
}
