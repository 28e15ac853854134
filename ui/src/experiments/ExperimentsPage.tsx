import { useExperimentList } from '../api/tracking'
import { Command } from '../parts/Command'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { More } from '../parts/More'
import { Loading, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Empty, pageCss as css, SearchPage } from '../parts/Page'

export default function ExperimentsPage() {
  return <SearchPage title="Experiments">{(q) => <Experiments q={q} />}</SearchPage>
}

function Experiments({ q }: { q: string }) {
  const list = useExperimentList(q)
  const items = list.data?.pages.flatMap((page) => page.experiments) ?? []
  if (list.isPending) return <Loading what="experiments" />
  return (
    <Clock ticking={false}>
      <Stale what="list" error={list.error} />
      {items.length > 0 && (
        <List caption="Experiments, newest first" columns={['Experiment', { name: 'Last pipeline run', optional: true }, 'Created']}>
          <tbody>
            {items.map((e) => (
              <tr key={e.id}>
                <th scope="row">
                  <Link href={`/experiments/${e.id}`}>{e.display_name}</Link>
                  {e.description && <div className={css.soft}>{e.description}</div>}
                </th>
                <td className={css.optional}>{e.last_run_at ? <Ago time={e.last_run_at} /> : <span className={css.soft}>none</span>}</td>
                <td>
                  <Ago time={e.created_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </List>
      )}
      {items.length > 0 && <More shown={items.length} total={list.data?.pages[0]?.total ?? 0} noun="experiment" pages={list} />}
      {items.length === 0 && !list.error && (q ? <Empty title="No experiment matches" /> : <FirstExperiment />)}
    </Clock>
  )
}

/** How to log to this server. */
export function LogHere({ experiment }: { experiment: string }) {
  return (
    <Command
      text={`import mlflow

mlflow.set_tracking_uri("${window.location.origin}")
mlflow.set_experiment(${JSON.stringify(experiment)})
with mlflow.start_run():
    mlflow.log_param("lr", 0.01)
    mlflow.log_metric("loss", 0.3, step=1)`}
    />
  )
}

function FirstExperiment() {
  return (
    <Empty title="No experiments yet">
      <p>Log something with MLflow, or run a pipeline:</p>
      <LogHere experiment="first" />
    </Empty>
  )
}
