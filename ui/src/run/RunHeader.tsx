import { useState } from 'react'
import { useCancelRun, useRetryRun } from '../api/queries'
import { useRecurringRun } from '../api/recurring'
import { canRetry, isFinal, type Run, type State as StateName } from '../api/types'
import { between, duration } from '../format/time'
import { count } from '../format/value'
import type { Tree } from '../graph/tree'
import { Button } from '../parts/Button'
import { Confirm } from '../parts/Confirm'
import { Copy } from '../parts/Copy'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { Notice } from '../parts/Notice'
import { Ago, useNow } from '../parts/now'
import { Fact, Facts } from '../parts/Page'
import { Cached, State } from '../parts/State'
import css from './RunHeader.module.css'

export function RunHeader({ run, tree, experiment }: { run: Run; tree: Tree; experiment: string | undefined }) {
  return (
    <header className={css.header}>
      <nav aria-label="Breadcrumb" className={css.crumbs}>
        <Link href="/runs">Runs</Link>
        <span aria-hidden="true">/</span>
        {run.pipeline_id ? <Link href={`/pipelines/${run.pipeline_id}`}>{run.pipeline_name}</Link> : <span>{run.pipeline_name}</span>}
      </nav>
      <div className={css.title}>
        <h1>{run.display_name}</h1>
        <State state={run.state} large />
        <span className={css.space} />
        {!isFinal(run.state) && <Cancel run={run} />}
        <LinkButton href={`/runs/${run.id}/clone`} icon="copy">
          Clone
        </LinkButton>
        {canRetry(run.state) && <Retry key={run.finished_at} run={run} />}
      </div>
      {run.description && <p>{run.description}</p>}
      <RunFacts run={run} tree={tree} experiment={experiment} />
    </header>
  )
}

function RunFacts({ run, tree, experiment }: { run: Run; tree: Tree; experiment: string | undefined }) {
  const now = useNow()
  const recurring = useRecurringRun(run.recurring_run_id ?? '')
  const leaves = tree.leaves.get('')
  const finished = [...(leaves?.byState ?? [])].reduce((sum, [state, n]) => sum + (isFinal(state as StateName) ? n : 0), 0)
  return (
    <Facts>
      <Fact name="Duration">
        <span data-testid="duration">{duration(between(run.created_at, run.finished_at, now) ?? 0)}</span>
      </Fact>
      <Fact name="Started">
        <Ago time={run.created_at} />
      </Fact>
      {leaves && (
        <Fact name="Tasks">
          {finished < leaves.total ? `${finished.toLocaleString('en-GB')} of ${count(leaves.total, 'task')}` : count(leaves.total, 'task')}
          {leaves.cached > 0 && <Cached>{`${leaves.cached} cached`}</Cached>}
        </Fact>
      )}
      {experiment && (
        <Fact name="Experiment">
          <Link href={`/experiments/${run.experiment_id}`}>{experiment}</Link>
        </Fact>
      )}
      {run.recurring_run_id && (
        <Fact name="Recurring run">
          <Link href={`/runs?recurring=${run.recurring_run_id}`}>{recurring.data?.display_name ?? run.recurring_run_id.slice(0, 8)}</Link>
        </Fact>
      )}
      <Fact name="Tracked run">
        <Link href={`/tracked-runs/${run.id}`}>Metrics and tags</Link>
      </Fact>
      {run.cache_off && <Fact name="Cache">off</Fact>}
      <Fact name="Run id">
        <code>{run.id.slice(0, 8)}</code>
        <Copy text={run.id} label="Copy the run’s id" />
      </Fact>
    </Facts>
  )
}

function Cancel({ run }: { run: Run }) {
  const [asking, setAsking] = useState(false)
  const cancel = useCancelRun(run.id)
  return (
    <>
      <Button look="danger" disabled={cancel.isPending || run.state === 'CANCELING'} onClick={() => setAsking(true)}>
        {run.state === 'CANCELING' ? 'Canceling…' : 'Cancel run'}
      </Button>
      {cancel.error && <Notice tone="danger">{cancel.error.message}</Notice>}
      {asking && (
        <Confirm
          title="Cancel this run?"
          text="Running tasks are stopped and the rest does not start. What has finished stays and can be reused."
          action="Cancel run"
          onConfirm={() => cancel.mutate()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}

/** The button stays off from the answer until the page follows the run again; then another one takes its place. */
function Retry({ run }: { run: Run }) {
  const retry = useRetryRun(run.id)
  const busy = retry.isPending || retry.isSuccess
  return (
    <>
      <Button icon="loop" busy={busy} title="Tasks that succeeded are kept; the others are done again." onClick={() => retry.mutate()}>
        {busy ? 'Retrying…' : 'Retry'}
      </Button>
      {retry.error && (
        <Notice tone="danger" title="The run was not retried">
          {retry.error.message}
        </Notice>
      )}
    </>
  )
}
