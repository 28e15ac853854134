import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { Link } from 'wouter'
import { useFire, useVerdict } from '../api/triggers'
import type { Firing, TriggerDetail, Verdict } from '../api/types'
import { Field } from '../form/Field'
import formCss from '../form/Form.module.css'
import { Button } from '../parts/Button'
import { Notice } from '../parts/Notice'
import { useSettled } from '../parts/settled'
import css from './Triggers.module.css'
import { readData } from './words'

/** Fires a trigger with data that begins as an example, and says before what the trigger would make of such an event. */
export function FireDialog({ trigger: t, example, onClose }: { trigger: TriggerDetail; example: Record<string, unknown>; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  const [text, setText] = useState(() => JSON.stringify(example, null, 2))
  // However often the button is pressed, what was typed fires once.
  const [key, setKey] = useState(newKey)
  const fire = useFire(t.id)
  const { data, error } = readData(text)
  const settled = useSettled(data ? JSON.stringify(data) : '')
  const verdict = useVerdict(t.id, settled === '' ? undefined : (JSON.parse(settled) as unknown))
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (data) fire.mutate({ data, key })
  }
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={title} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <h2 id={title}>Fire {t.display_name}</h2>
        <p className={css.soft}>Conditions, gathering and limits do not count by hand{t.paused ? ', and it does not matter that it is paused' : ''}.</p>
        <Field label="Event" type="JSON" error={error} help="What expressions see of the event besides its id, kind and time.">
          {(wiring) => (
            <textarea
              {...wiring}
              className={`${formCss.control} ${formCss.json}`}
              spellCheck={false}
              rows={8}
              value={text}
              onChange={(e) => {
                setText(e.target.value)
                setKey(newKey())
                fire.reset()
              }}
            />
          )}
        </Field>
        <p className={css.verdict} role="status">
          {fire.data ? <Fired firing={fire.data} /> : verdict.error ? verdict.error.message : verdict.data && settled !== '' && verdictWords(verdict.data, t)}
        </p>
        {fire.error && (
          <Notice tone="danger" title="It was not fired">
            {fire.error.message}
          </Notice>
        )}
        <div className={css.buttons}>
          <Button onClick={() => dialog.current?.close()}>{fire.data ? 'Close' : 'Back'}</Button>
          <Button type="submit" look="primary" icon="trigger" busy={fire.isPending} disabled={!data}>
            Fire
          </Button>
        </div>
      </form>
    </dialog>
  )
}

/** Random as ids of browsers are; pages over plain HTTP from another machine have no randomUUID. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')
}

function Fired({ firing: f }: { firing: Firing }) {
  if (f.state === 'FAILED' || f.state === 'IGNORED') return <>Nothing was started: {f.reason}</>
  if (!f.run_id) return <>{f.state === 'SENT' ? 'The message is sent.' : 'The message is being sent.'}</>
  return (
    <>
      Fired: <Link href={`/runs/${f.run_id}`}>the run</Link> is started.
    </>
  )
}

function verdictWords(v: Verdict, t: TriggerDetail): string {
  if (!v.wanted) return `If such an event came by itself, nothing would happen: ${v.reason}.`
  if (t.notify) return `The message would be: ${v.text}`
  const given = Object.entries(v.parameters ?? {})
  if (given.length === 0) return 'A run would start.'
  return `A run would start with ${given.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(', ')}.`
}
