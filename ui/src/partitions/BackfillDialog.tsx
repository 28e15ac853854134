import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { useBackfillPlan, useCreateBackfill } from '../api/backfills'
import type { CreateBackfill, OutlineInput, PartitionDefinition } from '../api/types'
import { Check, Field } from '../form/Field'
import { type Edits, fill, initialEdit } from '../form/fields'
import formCss from '../form/Form.module.css'
import { InputField } from '../form/InputField'
import { ownZone } from '../format/zone'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Notice } from '../parts/Notice'
import { useSettled } from '../parts/settled'
import css from './Partitions.module.css'
import { chosen, states } from './states'

interface Props {
  pipeline: string
  inputs: readonly OutlineInput[]
  definition: PartitionDefinition | undefined
  /** The key that is offered first. */
  first: string | undefined
  onClose: () => void
}

const lengths = ['hourly', 'daily', 'weekly', 'monthly'] as const

/** Asks for a backfill, and says what it would do before it is made. */
export function BackfillDialog({ pipeline, inputs, definition, first = '', onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  const able = inputs.filter((i) => !i.artifact && ['STRING', 'NUMBER_INTEGER', 'NUMBER_DOUBLE'].includes(i.type))
  const [parameter, setParameter] = useState(definition?.parameter ?? (able.find((i) => i.required) ?? able[0])?.name ?? '')
  const [every, setEvery] = useState<(typeof lengths)[number]>('daily')
  const [zone, setZone] = useState(ownZone)
  const [from, setFrom] = useState(first)
  const [to, setTo] = useState(first)
  const [only, setOnly] = useState(chosen)
  const [order, setOrder] = useState<NonNullable<CreateBackfill['order']>>('oldest')
  const [parallel, setParallel] = useState('4')
  const [edits, setEdits] = useState<Edits>({})
  const [tried, setTried] = useState(false)
  const create = useCreateBackfill()
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const others = inputs.filter((i) => !i.artifact && i.required && i.name !== parameter)
  const { parameters, errors } = fill(others, edits)
  const wanted = states.filter((s) => s !== 'running').filter((s) => only[s])
  const n = /^\d+$/.test(parallel.trim()) ? Number(parallel) : 0
  const wrong = {
    from: !definition && from.trim() === '' ? 'The first one is needed, such as 2013-01-01.' : undefined,
    only: wanted.length === 0 ? 'Choose at least one.' : undefined,
    parallel: n < 1 || n > 100 ? 'A whole number from 1 to 100 is needed.' : undefined,
  }
  const complete = !Object.values(wrong).some(Boolean) && Object.keys(errors).length === 0
  const ask: CreateBackfill = {
    pipeline_id: pipeline, parameter, only: wanted, order, parallel: n, parameters,
    ...(from.trim() ? { from: from.trim() } : {}),
    ...(to.trim() ? { to: to.trim() } : {}),
    ...(definition ? {} : { partitions: { parameter, every, start: from.trim(), ...(zone.trim() === 'UTC' ? {} : { time_zone: zone.trim() }) } }),
  }
  const settled = useSettled(complete ? JSON.stringify(ask) : '')
  const plan = useBackfillPlan(settled === '' ? undefined : (JSON.parse(settled) as CreateBackfill))
  const submit = (event: FormEvent) => {
    event.preventDefault()
    flushSync(() => setTried(true)) // the fields show what is wrong now
    if (!complete) {
      dialog.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
      return
    }
    create.mutate(ask, { onSuccess: () => dialog.current?.close() })
  }
  const shown = (text: string | undefined) => (tried ? text : undefined)
  const text = (value: string, set: (v: string) => void, placeholder?: string) => (wiring: object) => (
    <input {...wiring} className={formCss.control} type="text" autoComplete="off" spellCheck={false} placeholder={placeholder} value={value} onChange={(e) => set(e.target.value)} />
  )
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={title} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <h2 id={title}>Backfill</h2>
        <div className={css.form}>
          {!definition && (
            <>
              <Field label="Parameter" help="It takes the partition: the day, the month, the hour.">
                {(wiring) => (
                  <select {...wiring} className={formCss.control} value={parameter} onChange={(e) => setParameter(e.target.value)}>
                    {able.map((i) => (
                      <option key={i.name}>{i.name}</option>
                    ))}
                  </select>
                )}
              </Field>
              <Field label="Partitions">
                {(wiring) => (
                  <select {...wiring} className={formCss.control} value={every} onChange={(e) => setEvery(e.target.value as typeof every)}>
                    {lengths.map((l) => (
                      <option key={l}>{l}</option>
                    ))}
                  </select>
                )}
              </Field>
              <Field label="Time zone">{text(zone, setZone)}</Field>
            </>
          )}
          <Field label="From" type={definition ? 'may be left out' : 'needed'} error={shown(wrong.from)}>
            {text(from, setFrom, definition ? 'the first' : '2013-01-01')}
          </Field>
          <Field label="To" type="may be left out">
            {text(to, setTo, 'the last')}
          </Field>
          <fieldset className={formCss.choices}>
            <legend className={formCss.legend}>Run those that are</legend>
            {states.map((s) => s !== 'running' && <Check key={s} label={s} checked={only[s]} onChange={(on) => setOnly({ ...only, [s]: on })} />)}
            {shown(wrong.only) && <p className={formCss.error}>{wrong.only}</p>}
          </fieldset>
          <Field label="Order">
            {(wiring) => (
              <select {...wiring} className={formCss.control} value={order} onChange={(e) => setOrder(e.target.value as typeof order)}>
                <option value="oldest">oldest first</option>
                <option value="newest">newest first</option>
              </select>
            )}
          </Field>
          <Field label="Runs at once" error={shown(wrong.parallel)}>
            {text(parallel, setParallel)}
          </Field>
          {others.map((input) => (
            <InputField
              key={input.name}
              input={input}
              initial={initialEdit(input, undefined)}
              edit={edits[input.name] ?? initialEdit(input, undefined)}
              error={shown(errors[input.name])}
              onChange={(value) => setEdits({ ...edits, [input.name]: value })}
            />
          ))}
        </div>
        <p className={css.plan} role="status">
          {plan.error ? plan.error.message : plan.data && settled !== '' ? planWords(plan.data.partitions, plan.data.left) : ' '}
        </p>
        {create.error && <Notice tone="danger" title="The backfill was not made">{create.error.message}</Notice>}
        <div className={css.buttons}>
          <Button onClick={() => dialog.current?.close()}>Back</Button>
          <Button type="submit" look="primary" icon="play" busy={create.isPending}>
            Start the backfill
          </Button>
        </div>
      </form>
    </dialog>
  )
}

function planWords(partitions: readonly { key: string }[], left: Readonly<Record<string, number>>): string {
  const out = Object.entries(left).map(([state, n]) => `${n.toLocaleString('en-GB')} ${state}`)
  const rest = out.length > 0 ? ` Left out: ${out.join(', ')}.` : ''
  if (partitions.length === 0) return `Nothing would run.${rest}`
  return `${count(partitions.length, 'partition')} would run: ${partitions[0]?.key}${partitions.length > 1 ? ` to ${partitions.at(-1)?.key}` : ''}.${rest}`
}
