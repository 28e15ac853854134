import { useState } from 'react'
import { useTaskEnvironment } from '../api/tasks'
import type { Task } from '../api/types'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Copy } from '../parts/Copy'
import { Loading, Notice } from '../parts/Notice'
import css from './UsageView.module.css'

/** The exact packages that a step ran with, to read, to copy and to save as a list that pip takes. */
export function EnvironmentView({ task }: { task: Task }) {
  const { data, error } = useTaskEnvironment(task)
  const [part, setPart] = useState('')
  if (error) {
    return (
      <Notice tone="danger" title="The environment could not be read">
        {error.message}
      </Notice>
    )
  }
  if (!data) return <Loading what="the environment" />
  const shown = data.packages.filter((p) => p.toLowerCase().includes(part.toLowerCase()))
  const text = lockText(data.packages)
  return (
    <div className={css.view}>
      {data.digest && (
        <div className={css.row}>
          <span>
            {task.cached ? 'The result was reused; it was made with the same environment. ' : ''}Digest <code>{data.digest.replace('sha256:', '').slice(0, 12)}</code>
          </span>
          <Copy text={data.digest} label="Copy the digest of the environment" />
        </div>
      )}
      {data.note && <p className={css.none}>The environment: {data.note}.</p>}
      {data.packages.length > 0 && (
        <>
          <div className={css.row}>
            <input className={css.select} type="search" aria-label="Package name contains" placeholder="Name contains…" value={part} onChange={(e) => setPart(e.target.value)} />
            <span className={css.none}>{part === '' ? count(data.packages.length - 1, 'package') : `${shown.length} shown`}</span>
            <span className={css.space} />
            <Copy text={text} label="Copy the list of packages" />
            <Button look="quiet" icon="download" aria-label="Save the list of packages" onClick={() => save(text, `${task.name}-requirements.txt`)} />
          </div>
          <ul className={css.packages} aria-label="Packages">
            {shown.map((p) => (
              <li key={p}>{p}</li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}

/** The packages as pip reads them; the version of Python is a comment. */
function lockText(packages: readonly string[]): string {
  return packages.map((p, i) => (i === 0 && p.startsWith('python==') ? `# ${p}` : p)).join('\n') + '\n'
}

function save(text: string, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  link.download = name.replaceAll(/[^\w.-]/g, '-')
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
