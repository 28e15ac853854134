import { useState } from 'react'
import { Link } from 'wouter'
import { useChangeTrigger, useTriggers } from '../api/triggers'
import type { TriggerLine } from '../api/types'
import { Button } from '../parts/Button'
import { Command } from '../parts/Command'
import { Confirm } from '../parts/Confirm'
import { Icon } from '../parts/icons'
import { LinkButton } from '../parts/LinkButton'
import { List } from '../parts/List'
import { More } from '../parts/More'
import { Loading, Notice, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Empty, SearchPage } from '../parts/Page'
import { OutcomeSign } from './FiringTable'
import css from './Triggers.module.css'
import { actionWords, policyWords, sourceWords } from './words'

/** What starts runs, or tells somebody, when something happens. */
export default function TriggersPage() {
  return (
    <SearchPage
      title="Triggers"
      actions={
        <LinkButton href="/declare?new=trigger" icon="plus">
          New trigger
        </LinkButton>
      }
    >
      {(q) => <Triggers key="list" q={q} />}
    </SearchPage>
  )
}

const done = { pause: 'paused', resume: 'resumed', delete: 'deleted' } as const

function Triggers({ q }: { q: string }) {
  const list = useTriggers(q)
  const change = useChangeTrigger()
  const [leaving, setLeaving] = useState<TriggerLine>()
  const items = list.data?.pages.flatMap((page) => page.triggers) ?? []
  if (list.isPending) return <Loading what="triggers" />
  return (
    <Clock ticking={false}>
      <Stale what="list" error={list.error} />
      {change.error && change.variables && (
        <Notice tone="danger" title={`${change.variables.name} was not ${done[change.variables.action]}`}>
          {change.error.message}
        </Notice>
      )}
      {items.length > 0 && (
        <List
          caption="Triggers, newest first"
          columns={['Trigger', 'Listens to', 'Does', 'State', 'Last event', { name: 'Actions', unseen: true }]}
          className={css.table}
          stacked
        >
          <tbody>
            {items.map((t) => (
              <Row
                key={t.id}
                trigger={t}
                busy={change.isPending && change.variables.id === t.id}
                onSwitch={() => change.mutate({ id: t.id, name: t.display_name, action: t.paused ? 'resume' : 'pause' })}
                onDelete={() => setLeaving(t)}
              />
            ))}
          </tbody>
        </List>
      )}
      {items.length > 0 && <More shown={items.length} total={list.data?.pages[0]?.total ?? 0} noun="trigger" pages={list} />}
      {items.length === 0 && !list.error && (q === '' ? <None /> : <Empty title="No trigger matches" />)}
      {leaving && <DeleteTrigger trigger={leaving} onConfirm={() => change.mutate({ id: leaving.id, name: leaving.display_name, action: 'delete' })} onClose={() => setLeaving(undefined)} />}
    </Clock>
  )
}

/** Asks before a trigger is deleted. */
export function DeleteTrigger({ trigger, onConfirm, onClose }: { trigger: { display_name: string }; onConfirm: () => void; onClose: () => void }) {
  return (
    <Confirm
      title={`Delete ${trigger.display_name}?`}
      text="It starts no more runs, and what it made of events is forgotten. The runs it has started stay."
      action="Delete"
      onConfirm={onConfirm}
      onClose={onClose}
    />
  )
}

interface RowProps {
  trigger: TriggerLine
  busy: boolean
  onSwitch: () => void
  onDelete: () => void
}

function Row({ trigger: t, busy, onSwitch, onDelete }: RowProps) {
  const action = actionWords(t, t.pipeline_name)
  const rules = policyWords(t)
  return (
    <tr data-trigger={t.id}>
      <th scope="row">
        <Link href={`/triggers/${t.id}`}>{t.display_name}</Link>
        {t.description && <span className={css.second}>{t.description}</span>}
        {t.failure && (
          <span className={css.trouble}>
            <Icon name="warning" size={13} /> {t.failure}
          </span>
        )}
        {t.warnings?.map((w) => (
          <span key={w} className={css.trouble}>
            <Icon name="warning" size={13} /> {w}
          </span>
        ))}
      </th>
      <td data-column="Listens to">
        <span>
          {sourceWords(t.on)}
          {t.when && <code className={css.second}>{t.when}</code>}
          {rules.length > 0 && <span className={css.second}>{rules.join('; ')}</span>}
        </span>
      </td>
      <td data-column="Does">
        <span className={css.sign}>
          <Icon name={action.icon} size={14} />
          {action.text}
        </span>
      </td>
      <td data-column="State">
        <Switch paused={t.paused} />
      </td>
      <td data-column="Last event">
        {t.last ? (
          <span>
            <OutcomeSign state={t.last.state} />
            <span className={css.second}>
              <Ago time={t.last.created_at} />
            </span>
          </span>
        ) : (
          <span className={css.soft}>none yet</span>
        )}
      </td>
      <td>
        <div className={css.actions}>
          <Button icon={t.paused ? 'play' : 'pause'} busy={busy} aria-label={`${t.paused ? 'Resume' : 'Pause'} ${t.display_name}`} onClick={onSwitch}>
            {t.paused ? 'Resume' : 'Pause'}
          </Button>
          <Button look="danger" busy={busy} aria-label={`Delete ${t.display_name}`} onClick={onDelete}>
            Delete
          </Button>
        </div>
      </td>
    </tr>
  )
}

/** Whether a trigger is on, as icon and word. */
export function Switch({ paused }: { paused: boolean }) {
  return (
    <span className={`${css.sign} ${css.switch} ${paused ? css.soft : css.good}`}>
      <Icon name={paused ? 'pause' : 'trigger'} size={14} />
      {paused ? 'Paused' : 'Enabled'}
    </span>
  )
}

const declared = `# flows/on-data.yaml; then: levada apply -f flows
kind: trigger
name: on-data
pipeline: my-pipeline
on: {file: {path: /data/*.parquet}}
when: event.size > 0
parameters_from: {data_file: event.path}`

function None() {
  return (
    <Empty title="No triggers yet">
      <p>
        A trigger runs a pipeline, or tells somebody, when something happens: a new file, an artifact, a change of a model, the end of a run, a metric, a run that
        is late, a signed request. Make one with “New trigger”, or declare it in a file:
      </p>
      <Command text={declared} />
      <p>It shows up here by itself.</p>
    </Empty>
  )
}
