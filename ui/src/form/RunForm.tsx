import { type FormEvent, type ReactNode, useId, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { useLocation } from 'wouter'
import { ApiError } from '../api/client'
import { useCreateRecurring, useSubmit } from '../api/pipelines'
import { useExperiments } from '../api/queries'
import type { Outline, SubmitRun } from '../api/types'
import { ownZone } from '../format/zone'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Nothing, Notice } from '../parts/Notice'
import { Check, Field } from './Field'
import { type Edits, fill, initialEdit } from './fields'
import css from './Form.module.css'
import { InputField } from './InputField'
import { firstSchedule, readAtOnce, readDeadline, readTrigger } from './schedule'
import { ScheduleCard } from './ScheduleCard'

/** What a run is started from. */
export type Source = Pick<SubmitRun, 'pipeline_id' | 'version_id' | 'run_id'>

interface Props {
  outline: Outline
  source: Source
  /** What a run that is repeated was given. */
  given?: Readonly<Record<string, unknown>>
  name?: string
  /** The id of the experiment that is offered first. */
  experimentId?: string
  cache?: boolean
  /** Stands above the name: which version it is about. */
  children?: ReactNode
}

const experimentOfNone = 'Default'

/** Asks for everything that a run needs, and starts it or has it started by a schedule. What was typed stays whatever the server answers. */
export function RunForm({ outline, source, given, name: firstName = '', experimentId, cache: firstCache = true, children }: Props) {
  const [search, change] = useAddress()
  const scheduled = search.get('when') === 'schedule'
  const [edits, setEdits] = useState<Edits>({})
  const [name, setName] = useState(firstName)
  const [experiment, setExperiment] = useState<string>()
  const [cache, setCache] = useState(firstCache)
  const [newest, setNewest] = useState(true)
  const [schedule, setSchedule] = useState(() => ({ ...firstSchedule, zone: ownZone() }))
  const [found, setFound] = useState<Record<string, string>>({})
  const experiments = useExperiments()
  const experimentName = experiment ?? experiments.data?.get(experimentId ?? '') ?? experimentOfNone
  const form = useRef<HTMLFormElement>(null)
  const send = useSend(scheduled)
  // Those that must be filled in come first.
  const inputs = outline.root.inputs.filter((i) => !i.artifact).toSorted((a, b) => Number(b.required) - Number(a.required))
  const artifacts = outline.root.inputs.filter((i) => i.artifact && i.required)
  const edit = (key: string, value: Edits[string]) => {
    setEdits({ ...edits, [key]: value })
    setFound(without(found, `parameters.${key}`))
  }
  const refuse = (errors: Record<string, string>) => {
    flushSync(() => setFound(errors)) // the fields show their errors now
    form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const { parameters, errors } = fill(inputs, edits, given)
    const wrong = Object.fromEntries(Object.entries(errors).map(([key, text]) => [`parameters.${key}`, text]))
    const trigger = readTrigger(schedule)
    const atOnce = readAtOnce(schedule.atOnce)
    if (scheduled && name.trim() === '') wrong.display_name = 'A recurring run needs a name.'
    if (scheduled && 'error' in trigger) wrong.trigger = trigger.error
    const deadline = readDeadline(schedule)
    if (scheduled && deadline === undefined) wrong.starting_deadline_seconds = 'A whole number is needed, of at most a year; or nothing.'
    if (scheduled && atOnce === undefined) wrong.max_concurrency = 'A whole number from 1 to 10 is needed.'
    if (Object.keys(wrong).length > 0) return refuse(wrong)
    const body: SubmitRun = {
      ...source,
      ...(scheduled && newest && source.pipeline_id ? { version_id: '' } : {}),
      parameters,
      display_name: name.trim(),
      experiment: experimentName.trim() === experimentOfNone ? '' : experimentName.trim(),
      cache,
    }
    setFound({})
    send.start(
      scheduled && 'trigger' in trigger ? {
            ...body, trigger: trigger.trigger, max_concurrency: atOnce ?? 1, no_catchup: !schedule.catchUp, concurrency_policy: schedule.policy,
            ...(deadline ? { starting_deadline_seconds: deadline } : {}),
          } : body,
      (error) => error instanceof ApiError && refuse(Object.fromEntries(error.fields)),
    )
  }
  const errorOf = (key: string) => found[key]
  return (
    <form ref={form} className={css.form} onSubmit={submit} noValidate aria-label={scheduled ? 'Recurring run' : 'Run'}>
      <Card title="Inputs">
        {inputs.length === 0 && <Nothing>This pipeline takes none.</Nothing>}
        {artifacts.length > 0 && (
          <Notice tone="warning" title="It also needs artifacts">
            {artifacts.map((a) => a.name).join(', ')}: a run that is started here cannot be given them.
          </Notice>
        )}
        {inputs.length > 0 && (
          <div className={css.fields}>
            {inputs.map((input) => {
              const initial = initialEdit(input, given)
              return (
                <InputField
                  key={input.name}
                  input={input}
                  initial={initial}
                  edit={edits[input.name] ?? initial}
                  error={errorOf(`parameters.${input.name}`)}
                  onChange={(value) => edit(input.name, value)}
                />
              )
            })}
          </div>
        )}
      </Card>
      <div className={css.side}>
        <Card title={scheduled ? 'Recurring run' : 'Run'}>
          <div className={css.fields}>
            {children}
            <Field label="Name" type={scheduled ? 'needed' : 'may be left out'} error={errorOf('display_name')} help={scheduled ? undefined : 'Without one: the pipeline’s name and the time.'}>
              {(wiring) => <input {...wiring} className={css.control} type="text" maxLength={255} autoComplete="off" value={name} onChange={(e) => setName(e.target.value)} />}
            </Field>
            <Experiment value={experimentName} names={[...(experiments.data?.values() ?? [])]} onChange={setExperiment} />
            <Check label="Reuse earlier results" help="A step whose code, inputs and environment are as before is not done again." checked={cache} onChange={setCache} />
            <fieldset className={css.choices}>
              <legend className={css.legend}>Start it</legend>
              <Choice label="now, once" checked={!scheduled} onChoose={() => change({ when: '' })} />
              <Choice label="by a schedule, again and again" checked={scheduled} onChoose={() => change({ when: 'schedule' })} />
            </fieldset>
            {scheduled && source.pipeline_id && (
              <Check label="Always the newest version" help="Each run takes the version that is the newest by then." checked={newest} onChange={setNewest} />
            )}
          </div>
        </Card>
        {scheduled && <ScheduleCard fields={schedule} onChange={setSchedule} error={errorOf('trigger')} atOnceError={errorOf('max_concurrency')} deadlineError={errorOf('starting_deadline_seconds')} />}
        {send.error && (
          <Notice tone="danger" title={scheduled ? 'The recurring run was not made' : 'The run was not started'}>
            {send.error.message}
          </Notice>
        )}
        <div className={css.actions}>
          <Button type="submit" look="primary" icon={scheduled ? 'loop' : 'play'} busy={send.busy}>
            {scheduled ? 'Create the recurring run' : 'Start the run'}
          </Button>
        </div>
      </div>
    </form>
  )
}

function without(found: Record<string, string>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(found).filter(([k]) => k !== key))
}

type Body = SubmitRun | Parameters<ReturnType<typeof useCreateRecurring>['mutate']>[0]

/** Sends the form and leads to what it has made. */
function useSend(scheduled: boolean) {
  const [, navigate] = useLocation()
  const submit = useSubmit()
  const create = useCreateRecurring()
  const at = scheduled ? create : submit
  return {
    error: at.error,
    busy: at.isPending,
    start: (body: Body, onError: (error: Error) => void) => {
      if ('trigger' in body) create.mutate(body, { onError, onSuccess: () => navigate('/recurring-runs') })
      else submit.mutate(body, { onError, onSuccess: (run) => navigate(`/runs/${run.id}`) })
    },
  }
}

function Experiment({ value, names, onChange }: { value: string; names: string[]; onChange: (name: string) => void }) {
  const list = useId()
  const fresh = value.trim() !== '' && value.trim() !== experimentOfNone && !names.includes(value.trim())
  return (
    <Field label="Experiment" help={fresh ? 'There is none of this name yet: it is made.' : undefined}>
      {(wiring) => (
        <>
          <input {...wiring} className={css.control} type="text" list={list} maxLength={255} autoComplete="off" value={value} onChange={(e) => onChange(e.target.value)} />
          <datalist id={list}>
            {names.map((n) => (
              <option key={n} value={n}>
                {n}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  )
}

function Choice({ label, checked, onChoose }: { label: string; checked: boolean; onChoose: () => void }) {
  const id = useId()
  return (
    <div className={css.check}>
      <input id={id} type="radio" name="when" checked={checked} onChange={onChoose} />
      <label htmlFor={id}>{label}</label>
    </div>
  )
}
