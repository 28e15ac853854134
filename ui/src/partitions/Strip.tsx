import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { pageOfPartitions, usePartitions } from '../api/backfills'
import type { Partition } from '../api/types'
import { Icon } from '../parts/icons'
import css from './Partitions.module.css'
import { signs } from './states'

interface Props {
  pipeline: string
  total: number
  parameter: string
  selected: string | undefined
  onSelect: (partition: Partition & { page: number }) => void
}

const width = 22

/** One cell for each partition, oldest first; only those in sight are there. Arrows go from one to the next, and the newest are shown first. */
export function Strip({ pipeline, total, parameter, selected, onSelect }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState(total - 1)
  const focusing = useRef(false)
  const virtual = useVirtualizer({
    count: total, horizontal: true, estimateSize: () => width, overscan: 20, getScrollElement: () => box.current, initialOffset: total * width,
  })
  const shown = virtual.getVirtualItems()
  const pages = [...new Set(shown.map((item) => Math.floor(item.index / pageOfPartitions)))]
  const known = usePartitions(pipeline, pages)
  const current = Math.min(at, total - 1)
  useEffect(() => {
    if (!focusing.current) return
    const cell = box.current?.querySelector<HTMLElement>(`[data-at="${current}"]`)
    if (cell) {
      cell.focus({ preventScroll: true })
      focusing.current = false
    }
  })
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -total, End: total }
    const step = steps[event.key]
    if (step === undefined) return
    event.preventDefault()
    const next = Math.max(0, Math.min(total - 1, current + step))
    focusing.current = true
    setAt(next)
    virtual.scrollToIndex(next, { align: 'auto' })
  }
  return (
    <div ref={box} className={css.strip} role="toolbar" aria-label={`${total.toLocaleString('en-GB')} partitions by ${parameter}, oldest first`}>
      <div style={{ width: virtual.getTotalSize() }}>
        {shown.map(({ index, start }) => {
          const page = Math.floor(index / pageOfPartitions)
          const partition = known.get(page)?.[index % pageOfPartitions]
          return (
            <button
              key={index}
              type="button"
              data-at={index}
              data-partition={partition?.key}
              data-state={partition?.state}
              tabIndex={index === current || (index === shown[0]?.index && !shown.some((s) => s.index === current)) ? 0 : -1}
              className={`${css.cell} ${partition ? css[partition.state] : ''} ${partition && partition.key === selected ? css.chosen : ''}`}
              style={{ left: start }}
              aria-label={partition ? `${partition.key}: ${partition.state}` : 'not read yet'}
              aria-pressed={partition !== undefined && partition.key === selected}
              title={partition ? `${partition.key}: ${partition.state}${partition.why ? `, ${partition.why}` : ''}` : undefined}
              onFocus={() => setAt(index)}
              onKeyDown={onKeyDown}
              onClick={() => partition && onSelect({ ...partition, page })}
            >
              {partition && <Icon name={signs[partition.state]} size={12} />}
            </button>
          )
        })}
      </div>
    </div>
  )
}
