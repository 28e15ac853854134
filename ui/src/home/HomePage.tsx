import { useHome } from '../api/home'
import type { HomePage as Home, State as StateName } from '../api/types'
import { Link } from '../parts/Link'
import { Loading, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { Page } from '../parts/Page'
import { StateIcon, stateWord } from '../parts/State'
import { FirstRun } from '../runs/FirstRun'
import { Active } from './Active'
import { Causes } from './Causes'
import { Changes } from './Changes'
import { Due } from './Due'
import css from './HomePage.module.css'

/** What one wants to know first: what goes on, what failed and why, what is due, what changed. */
export function HomePage() {
  const home = useHome()
  return (
    <Page title="Home" head={home.data && <Totals counts={home.data.counts} />}>
      {home.isPending && <Loading what="what goes on" />}
      <Stale what="page" error={home.error} />
      {home.data && <Rooms home={home.data} />}
    </Page>
  )
}

function Rooms({ home }: { home: Home }) {
  const fresh = Object.keys(home.counts).length === 0
  const empty = fresh && home.tracked.length === 0 && home.changes.length === 0 && home.scheduled.total === 0
  return (
    <Clock ticking={home.active.length > 0 || home.scheduled.next.length > 0}>
      {fresh && <FirstRun />}
      {!empty && (
        <div className={css.columns}>
          <div className={css.column}>
            <Active active={home.active} tracked={home.tracked} counts={home.counts} />
            <Causes failures={home.failures} />
          </div>
          <div className={css.column}>
            <Due scheduled={home.scheduled} />
            <Changes changes={home.changes} />
          </div>
        </div>
      )}
    </Clock>
  )
}

const shown: readonly StateName[] = ['RUNNING', 'PENDING', 'FAILED', 'SUCCEEDED', 'CANCELED']

/** How many runs there are in each state, as ways to them. */
function Totals({ counts }: { counts: Home['counts'] }) {
  const some = shown.filter((state) => counts[state])
  if (some.length === 0) return null
  return (
    <ul className={css.totals} aria-label="Runs by state">
      {some.map((state) => (
        <li key={state}>
          <Link href={`/runs?state=${state}`} className={css.total}>
            <StateIcon state={state} />
            <span className={css.number}>{(counts[state] ?? 0).toLocaleString('en-GB')}</span> {stateWord(state).toLowerCase()}
          </Link>
        </li>
      ))}
    </ul>
  )
}
