import { Fragment } from 'react'
import { useSearchParams } from 'wouter'
import { ArtifactCard } from '../artifact/ArtifactCard'
import { isLeaf, type Run, type Task, type Values } from '../api/types'
import { between, duration, exact } from '../format/time'
import { shortDigest } from '../format/value'
import type { Tree } from '../graph/tree'
import { readable } from '../logs/buffer'
import { LastLines } from '../logs/LastLines'
import { Button } from '../parts/Button'
import { Copy } from '../parts/Copy'
import { Link } from '../parts/Link'
import { Notice } from '../parts/Notice'
import { useNow } from '../parts/now'
import { Parameters } from '../parts/Parameters'
import { Cached } from '../parts/State'
import { type SpanKind, spansOf } from '../run/spans'
import { CacheReason } from './CacheReason'
import css from './Summary.module.css'

interface Props {
  run: Run
  task: Task
  tree: Tree
}

/** What happened to a task, what went into it and what came out. */
export function Summary({ run, task, tree }: Props) {
  return (
    <div className={css.summary}>
      <Why task={task} />
      <Facts run={run} task={task} tree={tree} />
      <ValuesPart title="Outputs" values={task.outputs} run={run} tree={tree} output />
      <ValuesPart title="Inputs" values={task.inputs} run={run} tree={tree} />
    </div>
  )
}

function Why({ task }: { task: Task }) {
  const [, setSearch] = useSearchParams()
  const { failure, reason } = task
  return (
    <>
      {failure && (
        <Notice
          tone={task.state === 'FAILED' ? 'danger' : 'neutral'}
          title={failure.exit_code ? `${failure.reason}, exit status ${failure.exit_code}` : failure.reason}
        >
          {readable(failure.message)}
          <LastLines task={task} most={20} />
          {isLeaf(task.kind) && task.attempts > 0 && (
            <div className={css.action}>
              <Button onClick={() => setSearch((old) => withTab(old, 'logs'))}>Open the log</Button>
            </div>
          )}
        </Notice>
      )}
      {reason && reason !== failure?.message && <Notice tone="neutral">{reason}</Notice>}
    </>
  )
}

function withTab(old: URLSearchParams, tab: string): URLSearchParams {
  const next = new URLSearchParams(old)
  next.set('tab', tab)
  return next
}

/** Says whether a task is a tracked run: it holds no others, and has started or reused a result. */
function isTracked(task: Task): boolean {
  if (!isLeaf(task.kind) || task.state === 'SKIPPED' || task.state === 'PENDING') return false
  return task.state !== 'CANCELED' || task.started_at !== undefined
}

function Facts({ run, task, tree }: Props) {
  const now = useNow()
  const ms = between(task.started_at, task.finished_at, now)
  return (
    <dl className={css.facts}>
      {task.cached && (
        <>
          <dt>Result</dt>
          <dd>
            <Cached>Reused</Cached>
            <Origin run={run} task={task} tree={tree} />
          </dd>
        </>
      )}
      {ms !== undefined && (
        <>
          <dt>Duration</dt>
          <dd>{duration(ms)}</dd>
        </>
      )}
      <Before task={task} now={now} />
      {task.started_at && (
        <>
          <dt>Started</dt>
          <dd>{exact(task.started_at)}</dd>
        </>
      )}
      {task.finished_at && (
        <>
          <dt>Finished</dt>
          <dd>{exact(task.finished_at)}</dd>
        </>
      )}
      {task.attempts > 0 && (
        <>
          <dt>Attempts</dt>
          <dd>{task.attempts}</dd>
        </>
      )}
      <dt>Component</dt>
      <dd>
        {task.component}
        {task.image && <code className={css.image}>{task.image}</code>}
      </dd>
      {isTracked(task) && (
        <>
          <dt>Tracked run</dt>
          <dd>
            <Link href={`/tracked-runs/${task.id}`}>Metrics and files</Link>
          </dd>
        </>
      )}
      <CacheReason task={task} pipeline={run.pipeline_name} />
      {task.cache_key && (
        <>
          <dt>Cache key</dt>
          <dd>
            <code>{shortDigest(task.cache_key)}</code>
            <Copy text={task.cache_key} label="Copy the cache key" />
          </dd>
        </>
      )}
    </dl>
  )
}

/** How long a leaf waited for others and was prepared, before it ran. */
function Before({ task, now }: { task: Task; now: number }) {
  if (!isLeaf(task.kind)) return null
  const spans = spansOf(task, now)
  const sum = (kind: SpanKind) => spans.reduce((ms, s) => (s.kind === kind ? ms + s.to - s.from : ms), 0)
  return (['waiting', 'preparing'] as const).map((kind) => {
    const ms = sum(kind)
    return (
      ms > 0 && (
        <Fragment key={kind}>
          <dt>{kind === 'waiting' ? 'Waiting' : 'Preparing'}</dt>
          <dd>{duration(ms)}</dd>
        </Fragment>
      )
    )
  })
}

/** Where a reused result was first made. */
function Origin({ run, task }: Props) {
  if (!task.cached_from || !task.cached_from_run) return null
  return (
    <span>
      from{' '}
      <Link href={`/runs/${task.cached_from_run}/tasks/${task.cached_from}`}>
        {task.cached_from_run === run.id ? 'another task of this run' : `run ${task.cached_from_run.slice(0, 8)}`}
      </Link>
    </span>
  )
}

function ValuesPart({ title, values, run, tree, output = false }: { title: string; values: Values; run: Run; tree: Tree; output?: boolean }) {
  const parameters = values.parameters ?? {}
  const artifacts = Object.entries(values.artifacts ?? {})
  if (Object.keys(parameters).length === 0 && artifacts.length === 0) return null
  return (
    <section className={css.part} aria-label={title}>
      <h3>{title}</h3>
      <div className={css.values}>
        <Parameters values={parameters} />
        {artifacts.flatMap(([name, list]) =>
          list.map((artifact) => (
            <ArtifactCard key={artifact.id} name={name} artifact={artifact} runId={run.id} tree={tree} output={output} />
          )),
        )}
      </div>
    </section>
  )
}
