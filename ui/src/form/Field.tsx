import { type ReactNode, useId } from 'react'
import { Icon } from '../parts/icons'
import css from './Form.module.css'

/** What a control needs so that its label, help and error are read with it. */
export interface Wiring {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': boolean | undefined
}

interface Props {
  label: string
  type?: string
  help?: ReactNode
  error?: string | undefined
  /** Stands at the end of the label's line. */
  extra?: ReactNode
  children: (wiring: Wiring) => ReactNode
}

/** A control with its label above it, and what is to be known or wrong below it. */
export function Field({ label, type, help, error, extra, children }: Props) {
  const id = useId()
  const described = [...(help ? [`${id}-help`] : []), ...(error ? [`${id}-error`] : [])].join(' ')
  return (
    <div className={css.field} data-field={label}>
      <div className={css.label}>
        <label htmlFor={id}>{label}</label>
        {type && <span className={css.type}>{type}</span>}
        <span className={css.space} />
        {extra}
      </div>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? true : undefined })}
      {error && (
        <p id={`${id}-error`} className={css.error}>
          <Icon name="warning" size={13} />
          <span>{error}</span>
        </p>
      )}
      {help && (
        <div id={`${id}-help`} className={css.help}>
          {help}
        </div>
      )}
    </div>
  )
}

/** A box to tick, with a word on what that does. */
export function Check({ label, help, checked, onChange }: { label: string; help?: string; checked: boolean; onChange: (on: boolean) => void }) {
  const id = useId()
  return (
    <div className={css.check}>
      <input id={id} type="checkbox" checked={checked} onChange={(e) => onChange(e.target.checked)} aria-describedby={help ? `${id}-help` : undefined} />
      <span>
        <label htmlFor={id}>{label}</label>
        {help && (
          <span id={`${id}-help`} className={css.help}>
            {help}
          </span>
        )}
      </span>
    </div>
  )
}
