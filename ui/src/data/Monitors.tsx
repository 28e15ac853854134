import { Link } from 'wouter'
import { useReports } from '../api/data'
import { type Monitor, useLastOf, useMonitors } from '../api/monitors'
import { Command } from '../parts/Command'
import { List } from '../parts/List'
import { Loading, Stale } from '../parts/Notice'
import { Ago } from '../parts/now'
import { Empty, pageCss } from '../parts/Page'
import { State } from '../parts/State'
import css from './Data.module.css'

/** What looks after tables, and what its last run found. */
export function Monitors() {
  const { monitors, error, pending } = useMonitors()
  if (pending) return <Loading what="monitors" />
  return (
    <>
      <Stale what="list" error={error} />
      {monitors.length === 0 && !error && (
        <Empty title="No monitors yet">
          <p>A monitor checks a table and compares it with a reference, by a schedule or whenever it changes:</p>
          <Command text="levada monitors set bookings --table '/data/bookings/*.parquet' --suite bookings.yaml --every 1h" />
        </Empty>
      )}
      {monitors.length > 0 && (
        <List caption="Monitors" columns={['Monitor', 'Looks', 'Last run', { name: 'When', optional: true }]}>
          <tbody>
            {monitors.map((m) => (
              <Row key={m.name} monitor={m} />
            ))}
          </tbody>
        </List>
      )}
    </>
  )
}

function Row({ monitor: m }: { monitor: Monitor }) {
  const { data: last, isPending } = useLastOf(m.pipeline)
  const reports = [...(useReports('drift').data?.reports ?? []), ...(useReports('check').data?.reports ?? [])]
  const unjudged = last && last.state !== 'FAILED' ? reports.find((r) => r.pipeline === m.pipeline && r.not_judged)?.not_judged : undefined
  return (
    <tr data-monitor={m.name}>
      <th scope="row">
        <Link href={m.href}>{m.name}</Link>
      </th>
      <td>{m.paused ? `paused (${m.looks})` : m.looks}</td>
      <td>
        {last ? (
          <>
            <Link href={`/runs/${last.id}`}>
              <State state={last.state} />
            </Link>
            {last.failure?.message && <span className={css.found}>{last.failure.message.split('\n')[0]}</span>}
            {unjudged && <span className={css.found}>{`not judged: ${unjudged}`}</span>}
          </>
        ) : (
          <span className={pageCss.soft}>{isPending ? '…' : 'none yet'}</span>
        )}
      </td>
      <td className={pageCss.optional}>{last && <Ago time={last.created_at} />}</td>
    </tr>
  )
}
