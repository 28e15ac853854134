import { useState } from 'react'
import { useChangeRecurring, useRecurringRuns } from '../api/recurring'
import type { RecurringRun } from '../api/types'
import { Command } from '../parts/Command'
import { Confirm } from '../parts/Confirm'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { More } from '../parts/More'
import { Loading, Notice, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { Empty, Page, pageCss } from '../parts/Page'
import { RecurringTable } from './RecurringTable'

export function RecurringPage() {
  const head = (
    <>
      <span className={pageCss.space} />
      <LinkButton href="/pipelines" icon="plus">
        Schedule a pipeline
      </LinkButton>
    </>
  )
  return (
    <Page title="Recurring runs" head={head}>
      <RecurringRuns />
    </Page>
  )
}

const done = { enable: 'resumed', disable: 'paused', delete: 'deleted' } as const

function RecurringRuns() {
  const list = useRecurringRuns()
  const change = useChangeRecurring()
  const [leaving, setLeaving] = useState<RecurringRun>()
  const items = list.data?.pages.flatMap((page) => page.recurring_runs) ?? []
  if (list.isPending) return <Loading what="recurring runs" />
  return (
    <Clock ticking={items.some((r) => r.next_at)}>
      <Stale what="list" error={list.error} />
      {change.error && change.variables && (
        <Notice tone="danger" title={`${change.variables.name} was not ${done[change.variables.action]}`}>
          {change.error.message}
        </Notice>
      )}
      {items.length > 0 && (
        <RecurringTable
          list={items}
          busy={change.isPending ? change.variables.id : undefined}
          onSwitch={(r) => change.mutate({ id: r.id, name: r.display_name, action: r.enabled ? 'disable' : 'enable' })}
          onDelete={setLeaving}
        />
      )}
      {items.length > 0 && <More shown={items.length} total={list.data?.pages[0]?.total ?? 0} noun="recurring run" pages={list} />}
      {items.length === 0 && !list.error && <None />}
      {leaving && (
        <Confirm
          title={`Delete ${leaving.display_name}?`}
          text="It starts no more runs. The runs it has started stay."
          action="Delete"
          onConfirm={() => change.mutate({ id: leaving.id, name: leaving.display_name, action: 'delete' })}
          onClose={() => setLeaving(undefined)}
        />
      )}
    </Clock>
  )
}

const sdk = `import kfp

client = kfp.Client(host="${window.location.origin}")
experiment = client.create_experiment("nightly")
client.create_recurring_run(
    experiment.experiment_id,
    "nightly",
    cron_expression="0 30 2 * * *",
    no_catchup=True,
    pipeline_package_path="pipeline.yaml",
)`

function None() {
  return (
    <Empty title="No recurring runs yet">
      <p>
        A recurring run starts a pipeline by itself. Make one with “Schedule” on the page of a <Link href="/pipelines">pipeline</Link>, or with the kfp SDK;
        the first field of the cron expression is the second, and times are UTC:
      </p>
      <Command text={sdk} />
      <p>It shows up here by itself.</p>
    </Empty>
  )
}
