import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef } from 'react'
import { useText } from '../api/pipelines'
import { bytes, count } from '../format/value'
import { ButtonLink } from '../parts/Button'
import { Copy } from '../parts/Copy'
import { Loading, Notice } from '../parts/Notice'
import css from './Code.module.css'
import { longest, partsOf } from './yaml'

/** A compiled pipeline as text, to read, to copy and to save. Only the lines in sight are drawn. */
export default function YamlView({ url, download }: { url: string; download: string }) {
  const { data, error } = useText(url)
  const lines = useMemo(() => (data ?? '').replace(/\n$/, '').split('\n'), [data])
  if (error) {
    return (
      <Notice tone="danger" title="The YAML could not be read">
        {error.message}
      </Notice>
    )
  }
  if (data === undefined) return <Loading what="the YAML" />
  return (
    <div className={css.view}>
      <div className={css.tools}>
        <span>
          {count(lines.length, 'line')}, {bytes(data.length)}
        </span>
        <Copy text={data} label="Copy the YAML" />
        <ButtonLink href={download} icon="download" label="Save the YAML" download />
      </div>
      <Lines lines={lines} />
    </div>
  )
}

function Lines({ lines }: { lines: readonly string[] }) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroller.current, estimateSize: () => 19, overscan: 30 })
  return (
    // Keyboards scroll what has the focus.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} className={css.lines} role="region" aria-label="YAML" tabIndex={0}>
      <div className={css.all} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index] ?? ''
          return (
            <div key={item.index} className={css.line} style={{ transform: `translateY(${item.start}px)` }}>
              <span className={css.number} aria-hidden="true">
                {item.index + 1}
              </span>
              <code>
                {partsOf(line.slice(0, longest)).map((part, i) => (
                  // oxlint-disable-next-line react/no-array-index-key
                  <span key={i} className={css[part.kind]}>
                    {part.text}
                  </span>
                ))}
                {line.length > longest && <em className={css.cut}>… {count(line.length - longest, 'more letter')}</em>}
              </code>
            </div>
          )
        })}
      </div>
    </div>
  )
}
