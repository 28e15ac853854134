import { Popover } from 'radix-ui'
import { useState } from 'react'
import type { TrackedFields } from '../api/types'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import type { Kind } from './fields'
import css from './ColumnPicker.module.css'

const groups: readonly (readonly [Kind, string])[] = [
  ['metrics', 'Metrics'],
  ['params', 'Parameters'],
  ['tags', 'Tags'],
]
const most = 200

interface Props {
  label?: string
  /** Open from the beginning. */
  defaultOpen?: boolean
  fields: TrackedFields | undefined
  chosen: readonly string[]
  onChange: (columns: string[] | undefined) => void
}

/** Chooses columns among parameters, metrics and tags. */
export function ColumnPicker({ label = 'Columns', defaultOpen = false, fields, chosen, onChange }: Props) {
  const [part, setPart] = useState('')
  const toggle = (name: string) => onChange(chosen.includes(name) ? chosen.filter((c) => c !== name) : [...chosen, name])
  return (
    <Popover.Root defaultOpen={defaultOpen}>
      <Popover.Trigger asChild>
        <Button icon="columns">{label}</Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className={css.panel} align="end" sideOffset={4} collisionPadding={8} aria-label={label}>
          <input type="search" aria-label="Name of a column contains" placeholder="Name contains…" value={part} onChange={(e) => setPart(e.target.value)} />
          <div className={css.groups}>
            {groups.map(([kind, title]) => {
              const keys = (fields?.[kind] ?? []).filter((key) => key.toLowerCase().includes(part.toLowerCase()))
              if (keys.length === 0) return null
              return (
                <fieldset key={kind} className={css.group}>
                  <legend>{title}</legend>
                  {keys.slice(0, most).map((key) => (
                    <label key={key}>
                      <input type="checkbox" checked={chosen.includes(`${kind}.${key}`)} onChange={() => toggle(`${kind}.${key}`)} />
                      <span>{key}</span>
                    </label>
                  ))}
                  {keys.length > most && <p className={css.more}>{`and ${keys.length - most} more; write a part of the name`}</p>}
                </fieldset>
              )
            })}
          </div>
          <div className={css.foot}>
            <span>{count(chosen.length, 'column')}</span>
            <Button look="quiet" onClick={() => onChange([])}>
              None
            </Button>
            <Button look="quiet" onClick={() => onChange(undefined)}>
              Reset
            </Button>
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
