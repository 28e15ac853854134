import type { OutlineInput } from '../api/types'
import { valueLine } from '../format/value'
import { useSettled } from '../parts/settled'
import { Field, type Wiring } from './Field'
import { type Edit, kindOf, readText, textOf, typeWord } from './fields'
import css from './Form.module.css'

interface Props {
  input: OutlineInput
  edit: Edit
  /** What stood here before anybody typed. */
  initial: Edit
  error: string | undefined
  onChange: (edit: Edit) => void
}

/** One input of a pipeline, asked for as its type wants it. */
export function InputField({ input, edit, initial, error, onChange }: Props) {
  const kind = kindOf(input)
  const optional = !input.required && input.default === undefined
  const changed = JSON.stringify(edit) !== JSON.stringify(initial)
  const text = edit === 'left out' ? '' : edit.text
  const typed = useTyped(input, edit === 'left out' || !changed ? '' : edit.text)
  return (
    <Field
      label={input.name}
      type={[typeWord(input.type), ...(input.required ? ['needed'] : optional ? ['may be left out'] : [])].join(', ')}
      error={error ?? typed}
      help={<Help input={input} />}
      extra={
        <>
          {kind === 'json' && edit !== 'left out' && (
            <Small label={`Format ${input.name}`} onClick={() => onChange({ text: formatted(edit.text, input) })}>
              Format
            </Small>
          )}
          {optional && edit !== 'left out' && kind !== 'choice' && kind !== 'boolean' && (
            <Small label={`Leave out ${input.name}`} onClick={() => onChange('left out')}>
              Leave out
            </Small>
          )}
          {changed && (
            <Small label={`Reset ${input.name}`} onClick={() => onChange(initial)}>
              Reset
            </Small>
          )}
        </>
      }
    >
      {(wiring) => (
        <Control input={input} text={text} leftOut={edit === 'left out'} wiring={wiring} onChange={onChange} />
      )}
    </Field>
  )
}

/** What is wrong with what was typed, a moment after the last key. Nothing yet is not wrong: that is said when the form is sent. */
function useTyped(input: OutlineInput, text: string): string | undefined {
  const settled = useSettled(text)
  if (settled !== text || text.trim() === '') return undefined
  const read = readText(text, input)
  return 'error' in read ? read.error : undefined
}

function Small({ label, onClick, children }: { label: string; onClick: () => void; children: string }) {
  return (
    <button type="button" className={css.small} aria-label={label} onClick={onClick}>
      {children}
    </button>
  )
}

function Help({ input }: { input: OutlineInput }) {
  const standard = input.default === undefined ? '' : valueLine(input.default)
  return (
    <>
      {input.description && <div>{input.description}</div>}
      {input.default !== undefined && <div>Default: {standard === '' ? 'empty' : <code>{standard.length > 120 ? `${standard.slice(0, 120)}…` : standard}</code>}</div>}
    </>
  )
}

interface ControlProps {
  input: OutlineInput
  text: string
  leftOut: boolean
  wiring: Wiring
  onChange: (edit: Edit) => void
}

function Control({ input, text, leftOut, wiring, onChange }: ControlProps) {
  const kind = kindOf(input)
  const common = { ...wiring, className: css.control, 'aria-required': input.required || undefined }
  if (kind === 'choice' || kind === 'boolean') {
    const choices = kind === 'boolean' ? [true, false] : (input.literals ?? [])
    return (
      <select {...common} value={leftOut ? '' : text} onChange={(e) => onChange(e.target.value === '' ? 'left out' : { text: e.target.value })}>
        {(leftOut || (!input.required && input.default === undefined)) && <option value="">{input.required ? 'Choose…' : 'left out'}</option>}
        {!leftOut && !choices.some((c) => JSON.stringify(c) === text) && <option value={text}>{text}</option>}
        {choices.map((choice) => (
          <option key={JSON.stringify(choice)} value={textOf(choice, 'choice')}>
            {valueLine(choice)}
          </option>
        ))}
      </select>
    )
  }
  const type = (value: string) => onChange({ text: value })
  const placeholder = leftOut ? (input.required ? '' : 'left out') : text === '' && kind === 'text' ? 'an empty text' : ''
  if (kind === 'number' || kind === 'integer') {
    return <input {...common} type="text" inputMode={kind === 'integer' ? 'numeric' : 'decimal'} autoComplete="off" spellCheck={false} placeholder={placeholder} value={text} onChange={(e) => type(e.target.value)} />
  }
  return (
    <textarea
      {...common}
      className={`${css.control} ${kind === 'json' ? css.json : ''}`}
      rows={kind === 'json' ? Math.min(12, Math.max(2, text.split('\n').length)) : Math.min(8, text.split('\n').length)}
      autoComplete="off"
      spellCheck={false}
      placeholder={placeholder}
      value={text}
      onChange={(e) => type(e.target.value)}
    />
  )
}

function formatted(text: string, input: OutlineInput): string {
  const read = readText(text, input)
  return 'value' in read ? JSON.stringify(read.value, null, 2) : text
}
