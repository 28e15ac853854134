import { useId, useRef } from 'react'
import { Icon } from '../parts/icons'
import css from './Code.module.css'

interface Problem {
  line: number
  message: string
}

interface Props {
  label: string
  value: string
  onChange: (text: string) => void
  problems: readonly Problem[]
}

/** A text of YAML to be written, with its lines numbered, and what is wrong with it below, by line. */
export function YamlEditor({ label, value, onChange, problems }: Props) {
  const area = useRef<HTMLTextAreaElement>(null)
  const id = useId()
  const lines = value.split('\n')
  const wrong = new Set(problems.map((p) => p.line))
  const go = (line: number) => {
    const at = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0)
    area.current?.focus()
    area.current?.setSelectionRange(at, at + (lines[line - 1]?.length ?? 0))
  }
  return (
    <>
      <div className={css.editor}>
        <ol aria-hidden="true" className={css.gutter}>
          {lines.map((_, i) => (
            // oxlint-disable-next-line react/no-array-index-key
            <li key={i} className={wrong.has(i + 1) ? css.wrongLine : undefined}>
              {wrong.has(i + 1) ? `▸ ${i + 1}` : i + 1}
            </li>
          ))}
        </ol>
        <textarea
          ref={area}
          aria-label={label}
          aria-invalid={problems.length > 0}
          aria-describedby={problems.length > 0 ? id : undefined}
          value={value}
          rows={Math.max(lines.length, 8)}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          onChange={(e) => onChange(e.target.value)}
        />
      </div>
      <ul id={id} className={css.problems} aria-live="polite">
        {problems.map((p) => (
          <li key={`${p.line} ${p.message}`}>
            <Icon name="warning" size={14} />
            <span>
              <button type="button" onClick={() => go(p.line)}>
                Line {p.line}
              </button>
              : {p.message}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}
