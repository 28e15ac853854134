import { useEffect, useState } from 'react'
import { useNextTimes } from '../api/pipelines'
import type { Trigger } from '../api/types'
import { exact } from '../format/time'
import { Card } from '../parts/Card'
import { Ahead, Clock } from '../parts/now'
import { Check, Field } from './Field'
import css from './Form.module.css'
import { presets, readTrigger, type ScheduleFields, type Unit, units } from './schedule'

interface Props {
  fields: ScheduleFields
  onChange: (fields: ScheduleFields) => void
  /** What the server or the form said of the trigger and of the number of runs. */
  error: string | undefined
  atOnceError: string | undefined
}

/** When runs are to start, with the next times as the server tells them. */
export function ScheduleCard({ fields, onChange, error, atOnceError }: Props) {
  const set = (change: Partial<ScheduleFields>) => onChange({ ...fields, ...change })
  const trigger = useSettled(readTrigger(fields))
  const next = useNextTimes(trigger && 'trigger' in trigger ? trigger.trigger : undefined)
  const wrong = error ?? (trigger && 'error' in trigger ? trigger.error : undefined) ?? next.error?.message
  return (
    <Card title="Schedule">
      <div className={css.fields}>
        <Field label="Start runs">
          {(wiring) => (
            <select {...wiring} className={css.control} value={fields.by} onChange={(e) => set({ by: e.target.value as ScheduleFields['by'] })}>
              <option value="cron">by a cron expression</option>
              <option value="interval">at an interval</option>
            </select>
          )}
        </Field>
        {fields.by === 'cron' ? <Cron fields={fields} set={set} error={wrong} /> : <Interval fields={fields} set={set} error={wrong} />}
        {!wrong && next.data && <Times times={next.data.times} />}
        <Check
          label="Catch up"
          help="After a pause or while the server was away: start a run for every time that was missed, not only for the newest."
          checked={fields.catchUp}
          onChange={(catchUp) => set({ catchUp })}
        />
        <Field label="Runs at once" help="At most so many of its runs are active at the same time, 1 to 10." error={atOnceError}>
          {(wiring) => <input {...wiring} className={css.control} type="text" inputMode="numeric" value={fields.atOnce} onChange={(e) => set({ atOnce: e.target.value })} />}
        </Field>
      </div>
    </Card>
  )
}

interface Part {
  fields: ScheduleFields
  set: (change: Partial<ScheduleFields>) => void
  error: string | undefined
}

function Cron({ fields, set, error }: Part) {
  return (
    <Field
      label="Cron expression"
      error={error}
      help={
        <>
          Second, minute, hour, day of month, month, day of week; in UTC.
          <div className={css.presets}>
            {presets.map(([words, cron]) => (
              <button key={cron} type="button" className={css.small} onClick={() => set({ cron })}>
                {words}
              </button>
            ))}
          </div>
        </>
      }
    >
      {(wiring) => <input {...wiring} className={css.control} type="text" autoComplete="off" spellCheck={false} value={fields.cron} onChange={(e) => set({ cron: e.target.value })} />}
    </Field>
  )
}

function Interval({ fields, set, error }: Part) {
  return (
    <Field label="Every" error={error}>
      {(wiring) => (
        <div className={css.pair}>
          <input {...wiring} className={css.control} type="text" inputMode="numeric" value={fields.every} onChange={(e) => set({ every: e.target.value })} />
          <select className={css.control} aria-label="Unit of the interval" value={fields.unit} onChange={(e) => set({ unit: e.target.value as Unit })}>
            {Object.keys(units).map((unit) => (
              <option key={unit}>{unit}</option>
            ))}
          </select>
        </div>
      )}
    </Field>
  )
}

function Times({ times }: { times: readonly string[] }) {
  if (times.length === 0) return <p className={css.help}>There is no time to come.</p>
  return (
    <Clock ticking>
      <ol className={css.times} aria-label="The next times">
      {times.map((time) => (
        <li key={time}>
          {exact(time)}
          <span>
            <Ahead time={time} />
          </span>
        </li>
      ))}
      </ol>
    </Clock>
  )
}

type Settled = { trigger: Trigger } | { error: string }

/** What was typed, a moment after the last key. */
function useSettled(value: Settled): Settled | undefined {
  const key = JSON.stringify(value)
  const [settled, setSettled] = useState(key)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(key), 300)
    return () => clearTimeout(timer)
  }, [key])
  return settled === key ? value : (JSON.parse(settled) as Settled)
}
