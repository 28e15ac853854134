import { useRunOutline } from '../api/pipelines'
import { Link } from '../parts/Link'
import { Loading } from '../parts/Notice'
import { Failed, Page } from '../parts/Page'
import css from './Form.module.css'
import { RunForm } from './RunForm'

/** Starts a run again, from its very specification and with its parameters as the fields' first values. */
export default function ClonePage({ id }: { id: string }) {
  const { data, error } = useRunOutline(id)
  if (error) return <Failed error={error} what="run" />
  if (!data) return <Loading what="the form" />
  const { run, outline } = data
  return (
    <Page title={`Clone ${run.display_name}`} crumbs={[<Link key="all" href="/runs">Runs</Link>, <Link key="one" href={`/runs/${id}`}>{run.display_name}</Link>, 'Clone']}>
      <RunForm outline={outline} source={{ run_id: id }} given={run.parameters} name={`${run.display_name} (clone)`.slice(0, 255)} experimentId={run.experiment_id} cache={!run.cache_off}>
        <p className={css.help}>
          It takes the very specification of <Link href={`/runs/${id}`}>{run.display_name}</Link> (pipeline {run.pipeline_name}), whatever was uploaded since.
        </p>
      </RunForm>
    </Page>
  )
}
