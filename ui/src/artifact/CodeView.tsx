import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useMemo, useRef } from 'react'
import css from './CodeView.module.css'
import { highlight, type Language, type Open, type Piece } from './highlight'

const lineHeight = 18
/** As much of a line as is shown; nobody reads on in a line of a megabyte. */
const longest = 5000

/** A text with numbered lines and colours. Only the lines in sight are in the page. */
export function CodeView({ text, language = 'text', title }: { text: string; language?: Language | undefined; title: string }) {
  const scroller = useRef<HTMLDivElement>(null)
  const lines = useMemo(() => coloured(text, language), [text, language])
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroller.current, estimateSize: () => lineHeight, overscan: 30 })
  const height = Math.min(480, lines.length * lineHeight + 16)
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} className={css.code} style={{ height }} tabIndex={0} role="region" aria-label={title || 'Text'}>
      <div className={css.lines} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => (
          <Line key={item.key} number={item.index + 1} pieces={lines[item.index] ?? []} top={item.start} />
        ))}
      </div>
    </div>
  )
}

const Line = memo(function Line({ number, pieces, top }: { number: number; pieces: readonly Piece[]; top: number }) {
  return (
    <div className={css.line} style={{ transform: `translateY(${top}px)` }}>
      <span className={css.gutter} aria-hidden="true">
        {number}
      </span>
      {/* Text that runs from right to left does not turn the line around. */}
      <code dir="ltr">
        {pieces.map((piece, i) => (
          // Pieces have no identity but their place.
          // oxlint-disable-next-line react/no-array-index-key
          <span key={i} className={piece.tone && css[piece.tone]}>
            {piece.text}
          </span>
        ))}
      </code>
    </div>
  )
})

function coloured(text: string, language: Language): Piece[][] {
  let open: Open = ''
  const lines = text.split(/\r?\n/)
  if (lines.length > 1 && lines.at(-1) === '') lines.pop()
  return lines.map((line) => {
    const shown = line.length > longest ? `${line.slice(0, longest)}… ${(line.length - longest).toLocaleString('en-GB')} more characters` : line
    const result = highlight(shown, language, open)
    open = result.open
    return result.pieces
  })
}
