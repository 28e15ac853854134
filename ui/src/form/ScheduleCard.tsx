import { useId, useState } from 'react'
import { useNextTimes } from '../api/pipelines'
import { exactIn, zones } from '../format/zone'
import { Card } from '../parts/Card'
import { Ahead, Clock } from '../parts/now'
import { useSettled } from '../parts/settled'
import { Check, Field } from './Field'
import css from './Form.module.css'
import { policies, presets, readTrigger, type ScheduleFields, type TriggerRead, type Unit, units } from './schedule'

interface Props {
  fields: ScheduleFields
  onChange: (fields: ScheduleFields) => void
  /** What the server or the form said of the trigger and of the number of runs. */
  error: string | undefined
  atOnceError: string | undefined
  deadlineError: string | undefined
}

/** When runs are to start, with the next times as the server tells them. */
export function ScheduleCard({ fields, onChange, error, atOnceError, deadlineError }: Props) {
  const set = (change: Partial<ScheduleFields>) => onChange({ ...fields, ...change })
  const trigger = JSON.parse(useSettled(JSON.stringify(readTrigger(fields)))) as TriggerRead
  const next = useNextTimes('trigger' in trigger ? trigger.trigger : undefined)
  const wrong = error ?? ('error' in trigger ? trigger.error : undefined) ?? next.error?.message
  return (
    <Card title="Schedule">
      <div className={css.fields}>
        <Field label="Start runs">
          {(wiring) => (
            <select {...wiring} className={css.control} value={fields.by} onChange={(e) => set({ by: e.target.value as ScheduleFields['by'] })}>
              <option value="cron">by a cron expression</option>
              <option value="interval">at an interval</option>
              <option value="once">once, at a time</option>
            </select>
          )}
        </Field>
        {fields.by === 'cron' && <Cron fields={fields} set={set} error={wrong} />}
        {fields.by === 'interval' && <Interval fields={fields} set={set} error={wrong} />}
        {fields.by === 'once' && <Moment label="At" field="at" fields={fields} set={set} error={wrong} />}
        <Zone value={fields.zone} onChange={(zone) => set({ zone })} />
        {fields.by !== 'once' && (
          <div className={css.bounds}>
            <Moment label="From" field="start" fields={fields} set={set} />
            <Moment label="Until" field="end" fields={fields} set={set} />
          </div>
        )}
        {!wrong && next.data && 'trigger' in trigger && <Times times={next.data.times} zone={trigger.trigger.time_zone ?? 'UTC'} />}
        <Check
          label="Catch up"
          help="After a pause or while the server was away: start a run for every time that was missed, not only for the newest."
          checked={fields.catchUp}
          onChange={(catchUp) => set({ catchUp })}
        />
        <Field label="Runs at once" help="At most so many of its runs are active at the same time, 1 to 10." error={atOnceError}>
          {(wiring) => <input {...wiring} className={css.control} type="text" inputMode="numeric" value={fields.atOnce} onChange={(e) => set({ atOnce: e.target.value })} />}
        </Field>
        <Field label="When so many are active">
          {(wiring) => (
            <select {...wiring} className={css.control} value={fields.policy} onChange={(e) => set({ policy: e.target.value as ScheduleFields['policy'] })}>
              {policies.map(([policy, words]) => (
                <option key={policy} value={policy}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Start within" type="may be left out" help="A run that cannot start so soon after its time is left out." error={deadlineError}>
          {(wiring) => (
            <div className={css.pair}>
              <input {...wiring} className={css.control} type="text" inputMode="numeric" placeholder="any time" value={fields.deadline} onChange={(e) => set({ deadline: e.target.value })} />
              <UnitSelect label="Unit of the time to start within" value={fields.deadlineUnit} onChange={(deadlineUnit) => set({ deadlineUnit })} />
            </div>
          )}
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
          Second, minute, hour, day of month, month, day of week; in the time zone below.
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
          <UnitSelect label="Unit of the interval" value={fields.unit} onChange={(unit) => set({ unit })} />
        </div>
      )}
    </Field>
  )
}

function UnitSelect({ label, value, onChange }: { label: string; value: Unit; onChange: (unit: Unit) => void }) {
  return (
    <select className={css.control} aria-label={label} value={value} onChange={(e) => onChange(e.target.value as Unit)}>
      {Object.keys(units).map((unit) => (
        <option key={unit}>{unit}</option>
      ))}
    </select>
  )
}

/** A date and time as clocks in the time zone of the schedule show it. */
function Moment({ label, field, fields, set, error }: { label: string; field: 'at' | 'start' | 'end'; fields: ScheduleFields; set: Part['set']; error?: string | undefined }) {
  return (
    <Field label={label} type={field === 'at' ? undefined : 'may be left out'} error={error}>
      {(wiring) => <input {...wiring} className={css.control} type="datetime-local" value={fields[field]} onChange={(e) => set({ [field]: e.target.value })} />}
    </Field>
  )
}

function Zone({ value, onChange }: { value: string; onChange: (zone: string) => void }) {
  const list = useId()
  const [known] = useState(zones)
  return (
    <Field label="Time zone" help="Where clocks are set forward, what is planned for the hour that is left out starts at its end; where they are set back, it starts once.">
      {(wiring) => (
        <>
          <input {...wiring} className={css.control} type="text" list={list} autoComplete="off" spellCheck={false} value={value} onChange={(e) => onChange(e.target.value)} />
          <datalist id={list}>
            {known.map((zone) => (
              <option key={zone} value={zone}>
                {zone}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  )
}

function Times({ times, zone }: { times: readonly string[]; zone: string }) {
  if (times.length === 0) return <p className={css.help}>There is no time to come.</p>
  return (
    <Clock ticking>
      <ol className={css.times} aria-label="The next times">
      {times.map((time) => (
        <li key={time}>
          {exactIn(time, zone)}
          <span>
            <Ahead time={time} />
          </span>
        </li>
      ))}
      </ol>
    </Clock>
  )
}
