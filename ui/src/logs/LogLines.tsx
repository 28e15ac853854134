import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef } from 'react'
import type { LogLine } from '../api/types'
import { clock, exact } from '../format/time'
import { cutAt } from './buffer'
import type { LogOptions } from './LogView'
import css from './LogView.module.css'

interface Props {
  lines: readonly LogLine[]
  /** Position of the line that the search stands at. */
  current: number | undefined
  options: LogOptions
  onScrollAway: () => void
}

/** The lines in sight. While it follows, the last line is in sight. */
export function LogLines({ lines, current, options, onScrollAway }: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroller.current, estimateSize: () => 20, overscan: 20 })
  const { follow, wrap } = options
  useEffect(() => {
    if (follow && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: 'end' })
  }, [follow, lines, virtual])
  useEffect(() => {
    if (current !== undefined) virtual.scrollToIndex(current, { align: 'center' })
  }, [current, virtual])
  useEffect(() => virtual.measure(), [wrap, virtual])
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={scroller}
      className={`${css.lines} ${wrap ? css.wrap : ''}`}
      role="log"
      aria-live="off"
      aria-label="Lines of the log"
      // Keyboards scroll what has the focus.
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onWheel={(e) => {
        if (e.deltaY < 0 && follow) onScrollAway()
      }}
      onKeyDown={(e) => {
        if (follow && (e.key === 'PageUp' || e.key === 'ArrowUp' || e.key === 'Home')) onScrollAway()
      }}
    >
      <div className={css.all} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index]
          return (
            line && (
              <div
                key={item.index}
                ref={virtual.measureElement}
                data-index={item.index}
                className={`${css.line} ${css[line.stream] ?? ''} ${item.index === current ? css.current : ''}`}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {options.times && (
                  <time dateTime={line.at} title={exact(line.at)}>
                    {clock(line.at)}
                  </time>
                )}
                {line.stream !== 'stdout' && <span className="visually-hidden">{line.stream}: </span>}
                <span className={css.text}>
                  <Marked text={line.text} search={options.search} />
                </span>
              </div>
            )
          )
        })}
      </div>
    </div>
  )
}

function Marked({ text, search }: { text: string; search: string }) {
  const pieces = cutAt(text, search)
  if (pieces.length === 1) return text
  // Pieces have no identity but their place.
  // oxlint-disable-next-line react/no-array-index-key
  return pieces.map((piece, i) => (i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece))
}
