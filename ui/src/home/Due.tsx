import type { HomePage } from '../api/types'
import { Card } from '../parts/Card'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { Nothing } from '../parts/Notice'
import { Ahead } from '../parts/now'
import css from './HomePage.module.css'

/** What recurring runs will start, and which could not start their last one. */
export function Due({ scheduled }: Pick<HomePage, 'scheduled'>) {
  const { next, total, refused } = scheduled
  return (
    <Card title="Due next" extra={total > 0 && <Link href="/recurring-runs">{total > next.length ? `All ${total.toLocaleString('en-GB')}` : 'Recurring runs'}</Link>}>
      {next.length === 0 && <Nothing>No recurring run is enabled.</Nothing>}
      <ul>
        {next.map((r) => (
          <li key={r.id} className={css.line}>
            <Icon name="loop" />
            <span className={css.grow}>
              <Link href={`/runs?recurring=${r.id}`}>{r.display_name}</Link>
              {r.full && <span className={css.second}>waits for one of its runs to end</span>}
            </span>
            <span className={css.soft}>
              <Ahead time={r.at} />
            </span>
          </li>
        ))}
        {refused.map((r) => (
          <li key={`refused ${r.id}`} className={`${css.line} ${css.warning}`}>
            <Icon name="warning" />
            <span className={css.grow}>
              <Link href={`/runs?recurring=${r.id}`}>{r.display_name}</Link>
              <span className={css.second}>{r.failure}</span>
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}
