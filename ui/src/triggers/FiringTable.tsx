import { Link } from 'wouter'
import type { Firing, FiringLine } from '../api/types'
import { Icon } from '../parts/icons'
import { List } from '../parts/List'
import { Ago } from '../parts/now'
import { State } from '../parts/State'
import css from './Triggers.module.css'
import { eventWords, outcomeOf } from './words'

/** What came of an event, as icon, word and colour. */
export function OutcomeSign({ state }: { state: Firing['state'] }) {
  const { icon, word, tone } = outcomeOf(state)
  return (
    <span className={`${css.sign} ${css[tone]}`} data-outcome={state}>
      <Icon name={icon} size={14} />
      {word}
    </span>
  )
}

/** What a trigger made of events, newest first. */
export function FiringTable({ list }: { list: FiringLine[] }) {
  return (
    <List caption="Events, newest first" columns={['Event', 'Outcome', 'Result', 'When']} className={`${css.table} ${css.inside}`} stacked>
      <tbody>
        {list.map((f, i) => (
          <Row key={f.id} firing={f} shared={f.run_id !== undefined && f.run_id === list[i - 1]?.run_id} />
        ))}
      </tbody>
    </List>
  )
}

function Row({ firing: f, shared }: { firing: FiringLine; shared: boolean }) {
  return (
    <tr data-firing={f.id}>
      <td>
        <Happened firing={f} />
      </td>
      <td data-column="Outcome">
        <span>
          <OutcomeSign state={f.state} />
          {f.reason && <span className={css.second}>{f.reason}</span>}
        </span>
      </td>
      <td data-column="Result">
        <Result firing={f} shared={shared} />
      </td>
      <td data-column="When">
        <Ago time={f.created_at} />
      </td>
    </tr>
  )
}

/** The event in a line; opened, all that is known of it. */
function Happened({ firing: f }: { firing: FiringLine }) {
  return (
    <details className={css.event}>
      <summary>{eventWords(f)}</summary>
      <pre className={css.data}>{JSON.stringify(f.event, null, 2)}</pre>
    </details>
  )
}

/** The run that was started, or when the message was taken. */
function Result({ firing: f, shared }: { firing: FiringLine; shared: boolean }) {
  if (f.state === 'SENT') {
    return (
      <span className={css.soft}>
        taken <Ago time={f.updated_at} />
      </span>
    )
  }
  if (!f.run_id) return <span className={css.soft}>none</span>
  if (!f.run) return <span className={css.soft}>{f.state === 'STARTING' ? 'a run is being started' : 'a run that was deleted'}</span>
  return (
    <span>
      <Link href={`/runs/${f.run_id}`}>{f.run.display_name}</Link>
      <span className={css.second}>
        <State state={f.run.state} />
        {shared && ' the same run as above'}
      </span>
    </span>
  )
}
