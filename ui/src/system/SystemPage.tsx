import { useSystem } from '../api/system'
import type { SystemStatus } from '../api/types'
import { number } from '../format/value'
import { Card } from '../parts/Card'
import { Icon, type IconName } from '../parts/icons'
import { Loading, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Fact, Facts, Failed, Page } from '../parts/Page'
import { Disk } from './Disk'
import { Environments } from './Environments'
import css from './SystemPage.module.css'
import { Workers } from './Workers'

/** How the server is: what is in order, what it does, what takes room, and what can be freed. */
export default function SystemPage() {
  const system = useSystem()
  return (
    <Page title="System">
      {system.isPending && <Loading what="how the server is" />}
      {system.error &&
        (system.data ? (
          <Stale what="page" error={system.error} />
        ) : (
          <Failed error={system.error} what="state of the server" />
        ))}
      {system.data && <Status status={system.data} />}
    </Page>
  )
}

function Status({ status }: { status: SystemStatus }) {
  const { info } = status
  return (
    <Clock ticking={false}>
      <Facts>
        <Fact name="Version">
          {info.version}
          {info.commit && ` (${info.commit.slice(0, 10)})`}
        </Fact>
        <Fact name="Started">
          <Ago time={info.started_at} />
        </Fact>
        <Fact name="Data">
          <code>{info.data_dir}</code>
        </Fact>
        <Fact name="Go">{info.go}</Fact>
      </Facts>
      <div className={css.columns}>
        <Health checks={status.checks} />
        <Work status={status} />
      </div>
      <Workers list={status.workers} />
      <Disk disk={status.disk} />
      <Environments list={status.environments} />
    </Clock>
  )
}

type Check = SystemStatus['checks'][number]

const signs: Record<Check['state'], { icon: IconName; word: string }> = {
  ok: { icon: 'succeeded', word: 'In order' },
  warning: { icon: 'warning', word: 'Look at this' },
  failed: { icon: 'failed', word: 'Failed' },
}

function Health({ checks }: { checks: SystemStatus['checks'] }) {
  return (
    <Card title="Health">
      <ul>
        {checks.map((check) => {
          const { icon, word } = signs[check.state]
          return (
            <li key={check.name} className={css.check} data-check={check.state}>
              <span className={css.sign}>
                <Icon name={icon} />
              </span>
              <span className={css.what}>
                <strong>{check.name}</strong>
                <span className={css.soft}>{check.detail}</span>
              </span>
              <span className={css.word}>{word}</span>
            </li>
          )
        })}
      </ul>
    </Card>
  )
}

function Work({ status: { queue, steps, database } }: { status: SystemStatus }) {
  return (
    <Card title="Work">
      <dl className={css.tiles}>
        <Tile name="Runs going on" value={queue.runs_active} />
        <Tile name="Steps running" value={queue.steps_running} of={`at most ${queue.max_parallel}`} />
        <Tile name="Steps waiting" value={queue.steps_waiting} of="for room on this machine" />
        <Tile name="Warm hosts" value={queue.warm_hosts} of="with imports done" />
      </dl>
      <p className={css.since}>
        Since the start: {number(steps.warm)} steps forked from warm hosts, {number(steps.executed)} run as programs, {number(steps.adopted)} taken over from an earlier server;{' '}
        {number(database.writes)} writes in {number(database.commits)} transactions{database.writes_waiting > 0 && `, ${number(database.writes_waiting)} waiting`}.
      </p>
    </Card>
  )
}

function Tile({ name, value, of }: { name: string; value: number; of?: string }) {
  return (
    <div className={css.tile}>
      <dt>{name}</dt>
      <dd>
        <span className={css.value}>{number(value)}</span>
        {of && <span className={css.soft}>{of}</span>}
      </dd>
    </div>
  )
}
