import type { Cause, HomePage } from '../api/types'
import { count } from '../format/value'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { Nothing } from '../parts/Notice'
import { Ago } from '../parts/now'
import { StateIcon } from '../parts/State'
import css from './HomePage.module.css'
import { causeTitle, errorLines, reasonWord } from './words'

/** Why runs failed in the last week: one entry for each cause, however many runs failed for it. */
export function Causes({ failures }: Pick<HomePage, 'failures'>) {
  const { causes, runs, more } = failures
  return (
    <Card title="Failed in the last 7 days" extra={runs > 0 && <Link href="/runs?state=FAILED">All failed runs</Link>}>
      {causes.length === 0 && <Nothing>No run has failed.</Nothing>}
      {more && <Nothing>Of the newest {count(runs, 'failed run')}.</Nothing>}
      <ul>
        {causes.map((cause) => (
          <li key={`${cause.pipeline} ${cause.task} ${cause.newest.id}`} className={css.cause}>
            <CauseLine cause={cause} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function CauseLine({ cause }: { cause: Cause }) {
  const outside = !cause.task
  return (
    <>
      <div className={css.causeHead}>
        <StateIcon state="FAILED" />
        <h4>{causeTitle(cause)}</h4>
        <span className={css.count}>{count(cause.count, 'run')}</span>
      </div>
      {!outside && cause.reason !== 'ExitError' && <p className={css.second}>{reasonWord(cause.reason)}</p>}
      <pre className={css.error}>{errorLines(cause.message)}</pre>
      <p className={css.newest}>
        {cause.count > 1 ? 'Last: ' : ''}
        <Link href={`/runs/${cause.newest.id}`}>{cause.newest.display_name}</Link>
        <span className={css.soft}>
          <Ago time={cause.newest.finished_at ?? cause.newest.created_at} />
          {cause.count > 1 && (
            <>
              , the first <Ago time={cause.first_at} />
            </>
          )}
        </span>
      </p>
    </>
  )
}
