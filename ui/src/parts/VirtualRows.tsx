import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, type Ref, useLayoutEffect, useRef, useState } from 'react'

/** What a row of VirtualRows gives to its tr, so that its height becomes known. */
export interface RowWiring {
  ref: Ref<HTMLTableRowElement>
  'data-index': number
  'aria-rowindex': number
}

interface Props<T> {
  items: readonly T[]
  /** How high a row is about. */
  height: number
  columns: number
  row: (item: T, wiring: RowWiring) => ReactNode
}

/** The body of a table that scrolls with the page. Only the rows in sight are there. */
export function VirtualRows<T>({ items, height, columns, row }: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null)
  const [top, setTop] = useState(0)
  useLayoutEffect(() => {
    if (body.current) setTop(body.current.getBoundingClientRect().top + window.scrollY)
  }, [])
  const virtual = useWindowVirtualizer({ count: items.length, estimateSize: () => height, overscan: 15, scrollMargin: top })
  const shown = virtual.getVirtualItems()
  const before = (shown[0]?.start ?? top) - top
  const after = shown.length > 0 ? virtual.getTotalSize() + top - (shown.at(-1)?.end ?? 0) : 0
  return (
    <tbody ref={body}>
      {before > 0 && <Gap columns={columns} height={before} />}
      {shown.map((at) => {
        const item = items[at.index]
        return item === undefined ? null : row(item, { ref: virtual.measureElement, 'data-index': at.index, 'aria-rowindex': at.index + 2 })
      })}
      {after > 0 && <Gap columns={columns} height={after} />}
    </tbody>
  )
}

/** Takes the place of rows that are not in sight. */
function Gap({ columns, height }: { columns: number; height: number }) {
  return (
    <tr aria-hidden="true">
      {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label */}
      <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
    </tr>
  )
}
