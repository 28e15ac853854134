import { useEffect, useId, useMemo, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { accept, complete, trackedWords, type Words } from './complete'
import css from './FilterBar.module.css'

interface Props {
  value: string
  names: readonly string[]
  words?: Words
  example?: string
  /** What the server finds wrong with the filter. */
  error: string | undefined
  onChange: (filter: string) => void
}

/** The filter of a table. Enter applies it; Tab or Enter on a suggestion takes that. */
export function FilterBar({ value, names, words = trackedWords, example = "metrics.loss < 0.1 AND params.lr = '0.01'", error, onChange }: Props) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState(value)
  const [caret, setCaret] = useState(0)
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  // What was applied comes back without its spaces; what is being written keeps them.
  useEffect(() => setText((old) => (old.trim() === value ? old : value)), [value])
  const completion = useMemo(() => complete(text, caret, names, words), [text, caret, names, words])
  const options = open ? completion.options : []
  const write = (next: string, at: number) => {
    setText(next)
    setCaret(at)
    setActive(-1)
  }
  const take = (option: string) => {
    const next = accept(text, completion, option)
    // At once: a caret that is set in the next frame would move under what is typed until then.
    flushSync(() => write(next.text, next.caret))
    input.current?.setSelectionRange(next.caret, next.caret)
  }
  const keys = (event: React.KeyboardEvent) => {
    const chosen = options[active]
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (!open) setOpen(true)
      const n = completion.options.length
      if (n > 0) setActive((old) => (event.key === 'ArrowDown' ? (old + 1) % n : (old <= 0 ? n : old) - 1))
    } else if (event.key === 'Enter' || (event.key === 'Tab' && chosen)) {
      event.preventDefault()
      if (chosen) take(chosen)
      else {
        setOpen(false)
        onChange(text.trim())
      }
    } else if (event.key === 'Escape') {
      setOpen(false)
      setActive(-1)
    }
  }
  return (
    <search className={css.bar}>
      <div className={`${css.field} ${error ? css.wrong : ''}`}>
        <input
          ref={input}
          role="combobox"
          aria-label="Filter"
          aria-expanded={options.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={options[active] ? `${id}-${active}` : undefined}
          aria-invalid={error ? true : undefined}
          aria-describedby={error ? `${id}-error` : undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder={example}
          value={text}
          onChange={(e) => {
            write(e.target.value, e.target.selectionStart ?? e.target.value.length)
            setOpen(true)
          }}
          onSelect={(e) => setCaret(e.currentTarget.selectionStart ?? 0)}
          onKeyDown={keys}
          onBlur={() => setOpen(false)}
        />
        {text !== '' && (
          <Button
            look="quiet"
            icon="close"
            aria-label="Clear the filter"
            onClick={() => {
              write('', 0)
              onChange('')
              input.current?.focus()
            }}
          />
        )}
        <div id={`${id}-list`} role="listbox" aria-label="Suggestions" className={css.list} hidden={options.length === 0}>
          {options.map((option, i) => (
            // The input keeps the focus, and its keys choose.
            // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={option}
              id={`${id}-${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={i === active}
              onMouseDown={(e) => {
                e.preventDefault()
                take(option)
              }}
            >
              {option}
            </div>
          ))}
        </div>
      </div>
      <Button onClick={() => onChange(text.trim())}>Apply</Button>
      {error && (
        <p id={`${id}-error`} role="alert" className={css.error}>
          <Icon name="warning" size={14} /> {error}
        </p>
      )}
    </search>
  )
}
