import { useState } from 'react'
import { LineDiff } from '../code/LineDiff'
import { Button } from '../parts/Button'
import type { Change, Comparison, Found } from './diff'
import { MarkSign } from './MarkSign'
import css from './Pipelines.module.css'

/** As many tasks as are listed at first. */
const few = 50

/** What differs between two versions: in the pipeline as a whole, then task by task. */
export function ChangeList({ comparison, found, onSelect }: { comparison: Comparison; found: readonly Found[]; onSelect: (path: string) => void }) {
  const [all, setAll] = useState(false)
  return (
    <ul className={css.changes} aria-label="Differences">
      {comparison.root.length > 0 && (
        <li>
          <h4>
            <MarkSign mark="changed" /> The pipeline
          </h4>
          <Changes changes={comparison.root} />
        </li>
      )}
      {(all ? found : found.slice(0, few)).map(({ path, node }) => (
        <li key={path} data-change={path}>
          <h4>
            <MarkSign mark={node.mark} />
            <button type="button" className={css.link} onClick={() => onSelect(path)}>
              {path.split('/').join(' / ')}
            </button>
            <span className={css.soft}>{node.mark === 'changed' ? `changed: ${node.changes.map((c) => c.what).join(', ')}` : node.mark}</span>
          </h4>
          <Changes changes={node.changes} />
        </li>
      ))}
      {found.length > few && !all && (
        <li>
          <Button onClick={() => setAll(true)}>Show all {found.length.toLocaleString('en-GB')}</Button>
        </li>
      )}
    </ul>
  )
}

export function Changes({ changes }: { changes: readonly Change[] }) {
  return changes.map((change) => (
    <div key={change.what} className={css.change}>
      <span className={css.soft}>{change.what}</span>
      <LineDiff lines={change.lines} label={`Difference in ${change.what}`} />
    </div>
  ))
}
