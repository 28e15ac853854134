import { useLastRun } from '../api/recurring'
import type { RecurringRun } from '../api/types'
import { when, zoneOf } from '../format/schedule'
import { duration, exact } from '../format/time'
import { exactIn, isZone } from '../format/zone'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { List } from '../parts/List'
import { Ago, Ahead } from '../parts/now'
import { State } from '../parts/State'
import css from './RecurringTable.module.css'

interface Actions {
  /** The id of the one that is being changed. */
  busy: string | undefined
  onSwitch: (r: RecurringRun) => void
  onDelete: (r: RecurringRun) => void
}

export function RecurringTable({ list, ...actions }: { list: RecurringRun[] } & Actions) {
  return (
    <List caption="Recurring runs, newest first" columns={['Recurring run', 'Schedule', 'State', 'Next run', 'Last run', 'Runs', { name: 'Actions', unseen: true }]} className={css.table} stacked>
      <tbody>
        {list.map((r) => (
          <Row key={r.id} recurring={r} {...actions} />
        ))}
      </tbody>
    </List>
  )
}

const icons = { Enabled: 'loop', Paused: 'pause', Ended: 'check' } as const

/** One that is enabled but has no time left has ended. */
function stateOf(r: RecurringRun): keyof typeof icons {
  if (!r.enabled) return 'Paused'
  return r.next_at ? 'Enabled' : 'Ended'
}

function Row({ recurring: r, busy, onSwitch, onDelete }: { recurring: RecurringRun } & Actions) {
  const state = stateOf(r)
  return (
    <tr data-recurring={r.id}>
      <th scope="row">
        {r.display_name}
        {r.description && <span className={css.second}>{r.description}</span>}
        {r.failure && (
          <span className={css.trouble}>
            <Icon name="warning" size={13} /> {r.failure}
          </span>
        )}
        {r.warnings?.map((w) => (
          <span key={w} className={css.trouble}>
            <Icon name="warning" size={13} /> {w}
          </span>
        ))}
      </th>
      <td data-column="Schedule">
        <Schedule recurring={r} />
      </td>
      <td data-column="State">
        <span className={`${css.state} ${css[state]}`}>
          <Icon name={icons[state]} size={14} />
          {state}
        </span>
      </td>
      <td data-column="Next run">{r.next_at ? <Next recurring={r} at={r.next_at} /> : <span className={css.soft}>none</span>}</td>
      <td data-column="Last run">
        <LastRun recurring={r} />
      </td>
      <td data-column="Runs">
        {r.index > 0 ? (
          <Link href={`/runs?recurring=${r.id}`}>
            {count(r.index, 'run')}
            <span className="visually-hidden"> of {r.display_name}</span>
          </Link>
        ) : (
          <span className={css.soft}>none yet</span>
        )}
      </td>
      <td>
        <div className={css.actions}>
          {state !== 'Ended' && (
            <Button
              icon={r.enabled ? 'pause' : 'play'}
              busy={busy === r.id}
              aria-label={`${r.enabled ? 'Pause' : 'Resume'} ${r.display_name}`}
              onClick={() => onSwitch(r)}
            >
              {r.enabled ? 'Pause' : 'Resume'}
            </Button>
          )}
          {r.run.pipeline_id && !r.run.version_id && (
            <LinkButton href={`/declare?kind=recurring_run&name=${encodeURIComponent(r.display_name)}`} label={`Change ${r.display_name}`}>
              Change
            </LinkButton>
          )}
          <Button look="danger" busy={busy === r.id} aria-label={`Delete ${r.display_name}`} onClick={() => onDelete(r)}>
            Delete
          </Button>
        </div>
      </td>
    </tr>
  )
}

/** When the next run is due; opened, the next five. */
function Next({ recurring: r, at }: { recurring: RecurringRun; at: string }) {
  const zone = zoneOf(r.trigger)
  return (
    <details>
      <summary>
        <Ahead time={at} />
      </summary>
      <ol className={css.times} aria-label={`The next times of ${r.display_name}`}>
        {r.next_times?.map((time) => (
          <li key={time}>{isZone(zone) ? exactIn(time, zone) : exact(time)}</li>
        ))}
      </ol>
    </details>
  )
}

/** The schedule in words; the expression itself stands below where the words hide it. */
function Schedule({ recurring }: { recurring: RecurringRun }) {
  const { trigger } = recurring
  const words = when(trigger)
  const zone = zoneOf(trigger)
  const shown = (time: string) => (isZone(zone) ? exactIn(time, zone) : exact(time))
  const bounds = [
    ...(trigger.start ? [`from ${shown(trigger.start)}`] : []),
    ...(trigger.end ? [`until ${shown(trigger.end)}`] : []),
    ...(recurring.concurrency_policy === 'skip' ? ['left out while one is active'] : []),
    ...(recurring.concurrency_policy === 'replace' ? ['takes the place of one that is active'] : []),
    ...(recurring.starting_deadline_seconds ? [`starts within ${duration(recurring.starting_deadline_seconds * 1000)}`] : []),
  ]
  return (
    <>
      {words}
      {trigger.cron && !words.startsWith(trigger.cron) && <code className={css.second}>{trigger.cron}</code>}
      {bounds.length > 0 && <span className={css.second}>{bounds.join(', ')}</span>}
    </>
  )
}

function LastRun({ recurring: r }: { recurring: RecurringRun }) {
  const { data: run, isSuccess } = useLastRun(r.id, r.index)
  if (!run && r.index === 0) return <span className={css.soft}>none yet</span>
  // Runs can be deleted and archived.
  if (!run) return isSuccess && <span className={css.soft}>none kept</span>
  return (
    <Link href={`/runs/${run.id}`} title={run.display_name} className={css.last}>
      <State state={run.state} />
      <span className={css.soft}>
        <Ago time={run.created_at} />
      </span>
    </Link>
  )
}
