import { useState } from 'react'
import { type BackfillAction, useBackfills, useChangeBackfill } from '../api/backfills'
import type { Backfill } from '../api/types'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Confirm } from '../parts/Confirm'
import { Icon, type IconName } from '../parts/icons'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Notice } from '../parts/Notice'
import { Ago } from '../parts/now'
import { StateBar } from '../parts/State'
import css from './Partitions.module.css'

const signs: Record<Backfill['state'], [IconName, string]> = {
  RUNNING: ['running', 'Running'],
  PAUSED: ['pause', 'Paused'],
  CANCELING: ['canceled', 'Canceling'],
  CANCELED: ['canceled', 'Canceled'],
  SUCCEEDED: ['succeeded', 'Succeeded'],
  FAILED: ['failed', 'Failed'],
}

/** The backfills of a pipeline with their progress. */
export function BackfillTable({ pipeline }: { pipeline: string }) {
  const { data } = useBackfills(pipeline)
  const change = useChangeBackfill()
  const [canceling, setCanceling] = useState<Backfill>()
  if (!data || data.backfills.length === 0) return null
  const act = (b: Backfill, action: BackfillAction) => change.mutate({ id: b.id, action })
  return (
    <>
      {change.error && <Notice tone="danger" title="The backfill was not changed">{change.error.message}</Notice>}
      <List caption="Backfills, newest first" columns={['Backfill', 'State', 'Progress', { name: 'Actions', unseen: true }]} className={css.table}>
        <tbody>
          {data.backfills.map((b) => (
            <Row key={b.id} backfill={b} busy={change.isPending && change.variables.id === b.id} act={(action) => (action === 'cancel' ? setCanceling(b) : act(b, action))} />
          ))}
        </tbody>
      </List>
      {data.total > data.backfills.length && <p className={css.soft}>The newest {data.backfills.length} of {count(data.total, 'backfill')}.</p>}
      {canceling && (
        <Confirm
          title={`Cancel ${canceling.display_name}?`}
          text={`${count(canceling.progress.running, 'active run')} would be cancelled, and ${canceling.progress.waiting.toLocaleString('en-GB')} not started.`}
          action="Cancel the backfill"
          onConfirm={() => act(canceling, 'cancel')}
          onClose={() => setCanceling(undefined)}
        />
      )}
    </>
  )
}

function Row({ backfill: b, busy, act }: { backfill: Backfill; busy: boolean; act: (action: BackfillAction) => void }) {
  const [sign, word] = signs[b.state]
  const p = b.progress
  const unsuccessful = p.failed + p.canceled + p.deleted
  const range = b.from || b.to ? `${b.from || 'the first'} to ${b.to || 'the last'}` : 'all'
  return (
    <tr data-backfill={b.id}>
      <th scope="row">
        {b.display_name}
        <span className={css.second}>
          {range}, {b.only.join(' and ')}, {b.order} first, {b.parallel} at once; <Ago time={b.created_at} />
        </span>
        {b.failure && (
          <span className={css.trouble}>
            <Icon name="warning" size={13} /> {b.failure}
          </span>
        )}
      </th>
      <td data-column="State">
        <span className={css.state}>
          <Icon name={sign} size={14} /> {word}
        </span>
      </td>
      <td data-column="Progress">
        <Link href={`/runs?backfill=${b.id}`}>
          {p.succeeded} of {p.total} done
          <span className="visually-hidden">: the runs of {b.display_name}</span>
        </Link>
        {unsuccessful > 0 && <span className={css.second}>{[[p.failed, 'failed'], [p.canceled, 'canceled'], [p.deleted, 'deleted']].filter(([n]) => n !== 0).map(([n, w]) => `${n} ${w}`).join(', ')}</span>}
        <StateBar
          counts={{
            total: p.total, cached: 0,
            byState: new Map([['SUCCEEDED', p.succeeded], ['FAILED', p.failed], ['CANCELED', p.canceled + p.deleted], ['RUNNING', p.running], ['PENDING', p.waiting]]),
          }}
        />
      </td>
      <td>
        <div className={css.actions}>
          {b.state === 'RUNNING' && (
            <Button icon="pause" busy={busy} aria-label={`Pause ${b.display_name}`} onClick={() => act('pause')}>
              Pause
            </Button>
          )}
          {b.state === 'PAUSED' && (
            <Button icon="play" busy={busy} aria-label={`Resume ${b.display_name}`} onClick={() => act('resume')}>
              Resume
            </Button>
          )}
          {unsuccessful > 0 && b.state !== 'CANCELING' && (
            <Button icon="loop" busy={busy} aria-label={`Retry what failed of ${b.display_name}`} onClick={() => act('retry')}>
              Retry
            </Button>
          )}
          {(b.state === 'RUNNING' || b.state === 'PAUSED') && (
            <Button look="danger" busy={busy} aria-label={`Cancel ${b.display_name}`} onClick={() => act('cancel')}>
              Cancel
            </Button>
          )}
        </div>
      </td>
    </tr>
  )
}
