import { useState } from 'react'
import { Nothing } from '../parts/Notice'
import css from './TrackedPage.module.css'

const long = 300

/** Names with their values. A long value is cut until it is opened. */
export function Pairs({ values, empty }: { values: Record<string, string>; empty: string }) {
  const entries = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (entries.length === 0) return <Nothing>{empty}</Nothing>
  return (
    <table className={css.pairs}>
      <tbody>
        {entries.map(([key, value]) => (
          <tr key={key}>
            <th scope="row">{key}</th>
            <td>
              <Value text={value} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Value({ text }: { text: string }) {
  const [open, setOpen] = useState(false)
  if (text.length <= long) return <span className={css.cut}>{text}</span>
  return (
    <>
      <span className={css.cut}>{open ? text : `${text.slice(0, long)}…`}</span>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? 'Show less' : `Show all ${text.length.toLocaleString('en-GB')} characters`}
      </button>
    </>
  )
}
