import type { Run } from '../api/types'
import type { Tree } from '../graph/tree'
import { readable } from '../logs/buffer'
import { LastLines } from '../logs/LastLines'
import { Link } from '../parts/Link'
import { Notice } from '../parts/Notice'

/** Why the run failed, and what it asked for in vain. */
export function RunNotices({ run, tree }: { run: Run; tree: Tree }) {
  const { failure } = run
  const culprit = failure?.task ? tree.byPath.get(failure.task) : undefined
  return (
    <>
      {failure && (
        <Notice tone={run.state === 'FAILED' ? 'danger' : 'neutral'} title={run.state === 'FAILED' ? 'The run failed' : undefined}>
          {readable(failure.message)}
          {culprit && (
            <>
              <LastLines task={culprit} />
              <Link href={`/runs/${run.id}/tasks/${culprit.id}`}>Task {culprit.display_name}</Link>
              {' · '}
              <Link href={`/runs/${run.id}/tasks/${culprit.id}?tab=logs`}>its log</Link>
            </>
          )}
        </Notice>
      )}
      {run.notices && run.notices.length > 0 && (
        <Notice tone="warning" title="Some of what this run asks for has no effect here">
          <ul>
            {run.notices.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Notice>
      )}
    </>
  )
}
