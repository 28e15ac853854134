import { useLayoutEffect, useRef } from 'react'
import { useLastLines } from '../api/queries'
import { isLeaf, type Task } from '../api/types'
import { lastLines } from './lastLines'
import css from './LastLines.module.css'

/** The last lines that a failed step printed: most often the error itself. */
export function LastLines({ task, most = 12 }: { task: Task; most?: number }) {
  const { data } = useLastLines(task, isLeaf(task.kind) && task.attempts > 0)
  const lines = data ? lastLines(data.lines, most) : []
  const box = useRef<HTMLPreElement>(null)
  // The last line says most.
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight
  }, [lines.length])
  if (lines.length === 0) return null
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- keyboards scroll what has the focus
    <pre ref={box} className={css.lines} tabIndex={0} role="region" aria-label={`Last lines of ${task.display_name}`} dir="ltr">
      {lines.map((text, i) => (
        // Lines have no other name than their place.
        // oxlint-disable-next-line react/no-array-index-key
        <bdi key={i}>{`${text}\n`}</bdi>
      ))}
    </pre>
  )
}
