import { useState } from 'react'
import { number, typeOf, valueLine, valueText } from '../format/value'
import { Copy } from './Copy'
import css from './Parameters.module.css'

/** Parameters with their types. A long value is cut until it is opened. */
export function Parameters({ values }: { values: Record<string, unknown> }) {
  return (
    <ul className={css.list}>
      {Object.entries(values).map(([name, value]) => (
        <Parameter key={name} name={name} value={value} />
      ))}
    </ul>
  )
}

function Parameter({ name, value }: { name: string; value: unknown }) {
  const [open, setOpen] = useState(false)
  const line = typeof value === 'number' ? number(value) : valueLine(value)
  const long = line.length > 60 || line.includes('\n')
  return (
    <li className={css.row}>
      <span className={css.name}>{name}</span>
      <span className={css.type}>{typeOf(value)}</span>
      <span className={css.value}>
        {long ? (
          <button type="button" className={css.more} aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Show less' : line}
          </button>
        ) : (
          <code>{line === '' ? '""' : line}</code>
        )}
        {open && <pre className={css.whole}>{valueText(value)}</pre>}
      </span>
      <Copy text={valueText(value)} label={`Copy ${name}`} />
    </li>
  )
}
