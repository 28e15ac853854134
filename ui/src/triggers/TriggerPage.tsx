import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useChangeTrigger, useFirings, useTrigger } from '../api/triggers'
import type { TriggerDetail } from '../api/types'
import { duration } from '../format/time'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Icon } from '../parts/icons'
import { LinkButton } from '../parts/LinkButton'
import { More } from '../parts/More'
import { Loading, Nothing, Notice, Stale } from '../parts/Notice'
import { Ago, Ahead, Clock, useNow } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { Parameters } from '../parts/Parameters'
import { FireDialog } from './FireDialog'
import { FiringTable } from './FiringTable'
import css from './Triggers.module.css'
import { DeleteTrigger, Switch } from './TriggersPage'
import { actionWords, exampleData, firingStates, nextLook, outcomeOf, policyWords, pollOf, sourceWords, waitWords } from './words'

/** A trigger: what it listens to, what it does, what it waits for, and what it made of the last events. */
export default function TriggerPage({ id }: { id: string }) {
  const { data, error } = useTrigger(id)
  if (error && !data) return <Failed error={error} what="trigger" />
  if (!data) return <Loading what="the trigger" />
  return (
    <Clock ticking={data.outlook.next_at !== undefined || data.outlook.look_at !== undefined}>
      <Stale what="trigger" error={error} />
      <Loaded trigger={data} />
    </Clock>
  )
}

const done = { pause: 'paused', resume: 'resumed', delete: 'deleted' } as const

function Loaded({ trigger: t }: { trigger: TriggerDetail }) {
  const change = useChangeTrigger()
  const [, navigate] = useLocation()
  const [search, changeAddress] = useAddress()
  const state = firingStates.find((s) => s === search.get('state')) ?? ''
  const firings = useFirings(t.id, state)
  const [asking, setAsking] = useState<'fire' | 'delete'>()
  const items = firings.data?.pages.flatMap((page) => page.firings) ?? []
  const act = (action: keyof typeof done) =>
    change.mutate({ id: t.id, name: t.display_name, action }, { onSuccess: () => action === 'delete' && navigate('/triggers') })
  return (
    <Page
      title={t.display_name}
      crumbs={[<Link key="all" href="/triggers">Triggers</Link>]}
      head={
        <>
          <Switch paused={t.paused} />
          <span className={pageCss.space} />
          <Button icon={t.paused ? 'play' : 'pause'} busy={change.isPending} onClick={() => act(t.paused ? 'resume' : 'pause')}>
            {t.paused ? 'Resume' : 'Pause'}
          </Button>
          <Button icon="trigger" onClick={() => setAsking('fire')}>
            Fire by hand
          </Button>
          {(t.notify || (t.run?.pipeline_id && !t.run.version_id)) && (
            <LinkButton href={`/declare?kind=trigger&name=${encodeURIComponent(t.display_name)}`}>Change</LinkButton>
          )}
          <Button look="danger" onClick={() => setAsking('delete')}>
            Delete
          </Button>
        </>
      }
    >
      {t.description && <p className={css.soft}>{t.description}</p>}
      {t.failure && (
        <Notice tone="warning" title="It cannot do its work">
          {t.failure}
        </Notice>
      )}
      {t.warnings && (
        <Notice tone="warning" title="Something that it names is not there">
          {t.warnings.map((w) => (
            <p key={w}>{w}</p>
          ))}
        </Notice>
      )}
      {change.error && change.variables && (
        <Notice tone="danger" title={`It was not ${done[change.variables.action]}`}>
          {change.error.message}
        </Notice>
      )}
      <Waiting trigger={t} />
      <div className={css.cards}>
        <When trigger={t} />
        <Does trigger={t} />
      </div>
      <Card
        title={t.notify ? 'Events and messages' : 'Events'}
        extra={
          <select aria-label="What came of the event" className={css.filter} value={state} onChange={(e) => changeAddress({ state: e.target.value })}>
            <option value="">all</option>
            {firingStates.map((s) => (
              <option key={s} value={s}>
                {outcomeOf(s).word}
              </option>
            ))}
          </select>
        }
      >
        <Stale what="list" error={firings.error} />
        {firings.isPending && <Loading what="events" />}
        {firings.data && items.length === 0 && <Nothing>{state === '' ? 'Nothing has happened yet.' : `No event is ${outcomeOf(state).word.toLowerCase()}.`}</Nothing>}
        {items.length > 0 && <FiringTable list={items} />}
        {items.length > 0 && <More shown={items.length} total={firings.data?.pages[0]?.total ?? 0} noun="event" pages={firings} />}
      </Card>
      {asking === 'fire' && <FireDialog trigger={t} example={exampleData(t.on, items.find((f) => f.event.kind !== 'manual'))} onClose={() => setAsking(undefined)} />}
      {asking === 'delete' && <DeleteTrigger trigger={t} onConfirm={() => act('delete')} onClose={() => setAsking(undefined)} />}
    </Page>
  )
}

/** What waits and until when; nothing where nothing does. */
function Waiting({ trigger: t }: { trigger: TriggerDetail }) {
  const words = waitWords(t.outlook, t)
  if (!words) return null
  return (
    <p className={css.waiting} data-waiting={t.outlook.hold ?? 'now'}>
      <Icon name="pending" />
      <span>
        {words} {t.outlook.next_at && <Ahead time={t.outlook.next_at} />}
      </span>
    </p>
  )
}

function When({ trigger: t }: { trigger: TriggerDetail }) {
  const now = useNow()
  const poll = pollOf(t.on)
  const look = nextLook(t.outlook.look_at, poll, now)
  const rules = policyWords(t)
  return (
    <Card title="When">
      <div className={css.body}>
        <Facts>
          <Fact name="Listens to">
            <span>{sourceWords(t.on)}</span>
          </Fact>
          {t.when && (
            <Fact name="Condition">
              <code>{t.when}</code>
            </Fact>
          )}
          {poll !== undefined && (
            <Fact name="Looks">
              every {duration(poll * 1000)}
              {look && (
                <>
                  , next <Ahead time={look} />
                </>
              )}
            </Fact>
          )}
          {t.on.webhook && (
            <Fact name="Address">
              <code>
                {window.location.origin}/api/v1/triggers/{t.id}/events
              </code>
            </Fact>
          )}
          <Fact name="Since">
            <Ago time={t.created_at} />
          </Fact>
        </Facts>
        {rules.length > 0 && (
          <ul className={css.rules}>
            {rules.map((rule) => (
              <li key={rule}>{rule}</li>
            ))}
          </ul>
        )}
      </div>
    </Card>
  )
}

function Does({ trigger: t }: { trigger: TriggerDetail }) {
  const action = actionWords(t, t.pipeline_name)
  const parameters = { ...t.run.parameters, ...t.parameters_from }
  return (
    <Card title="Does">
      <div className={css.body}>
        <p className={css.sign}>
          <Icon name={action.icon} />
          {t.run.pipeline_id && t.pipeline_name ? (
            <span>
              runs <Link href={`/pipelines/${t.run.pipeline_id}`}>{t.pipeline_name}</Link>
              {t.outlook.active > 0 && `, ${t.outlook.active.toLocaleString('en-GB')} active now`}
            </span>
          ) : (
            action.text
          )}
        </p>
        {t.notify?.text && (
          <Facts>
            <Fact name="Message">
              <code>{t.notify.text}</code>
            </Fact>
          </Facts>
        )}
        {Object.keys(parameters).length > 0 && <Parameters values={parameters} />}
      </div>
    </Card>
  )
}
