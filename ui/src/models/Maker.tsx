import type { ModelVersion } from '../api/types'
import { Link } from '../parts/Link'
import { pageCss } from '../parts/Page'
import css from './ModelPage.module.css'

/** The address of a version's card. */
export const versionPath = (name: string, version: string) => `/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`

/** The run that made a version, and the pipeline's task that this was. */
export function Maker({ version: { run } }: { version: ModelVersion }) {
  if (!run) return <span className={pageCss.soft}>unknown</span>
  return (
    <span className={css.maker}>
      <Link href={`/tracked-runs/${run.id}`} title={run.name}>
        {run.name || run.id.slice(0, 8)}
      </Link>
      {run.pipeline?.task_id && (
        <Link href={`/runs/${run.pipeline.run_id}/tasks/${run.pipeline.task_id}`} className={css.task} title={`The task ${run.pipeline.path} of a pipeline`}>
          task
        </Link>
      )}
    </span>
  )
}
