import { count } from '../format/value'
import { type Line, pieces } from '../pipelines/lines'
import css from './Code.module.css'
import { longest } from './yaml'

const words = { '+': 'new: ', '-': 'gone: ', ' ': '' } as const
const looks = { '+': css.plus, '-': css.minus, ' ': undefined } as const

/** Lines with signs for what went and what came. Equal lines far from a difference are left out. */
export function LineDiff({ lines, label }: { lines: readonly Line[]; label: string }) {
  return (
    // Keyboards scroll what has the focus.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.diff} role="group" aria-label={label} tabIndex={0}>
      <ol>
        {pieces(lines).map((piece, i) => (
          // oxlint-disable-next-line react/no-array-index-key
          <PieceOfLines key={i} lines={piece.lines} skipped={piece.skipped} />
        ))}
      </ol>
    </div>
  )
}

function PieceOfLines({ lines, skipped }: { lines: Line[]; skipped: number }) {
  return (
    <>
      {skipped > 0 && <li className={css.skipped}>{count(skipped, 'equal line')}</li>}
      {lines.map((line, i) => (
        // oxlint-disable-next-line react/no-array-index-key
        <li key={i} className={looks[line.sign]}>
          <span className={css.sign} aria-hidden="true">
            {line.sign === '-' ? '−' : line.sign}
          </span>
          <code>
            {words[line.sign] && <span className="visually-hidden">{words[line.sign]}</span>}
            {line.text.slice(0, longest)}
          </code>
        </li>
      ))}
    </>
  )
}
