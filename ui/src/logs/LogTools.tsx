import type { LogLine, Task } from '../api/types'
import { Button } from '../parts/Button'
import { Copy } from '../parts/Copy'
import { plainText } from './buffer'
import type { LogOptions } from './LogView'
import css from './LogView.module.css'

interface Props {
  task: Task
  attempt: number
  lines: readonly LogLine[]
  found: readonly number[]
  ended: boolean
  options: LogOptions
  change: (some: Partial<LogOptions>) => void
}

export function LogTools({ task, attempt, lines, found, ended, options, change }: Props) {
  return (
    <div className={css.tools} role="toolbar" aria-label="Log">
      {task.attempts > 1 && (
        <select aria-label="Attempt" value={attempt} onChange={(e) => change({ attempt: Number(e.target.value) })}>
          {Array.from({ length: task.attempts }, (_, i) => (
            <option key={i} value={i + 1}>
              Attempt {i + 1}
            </option>
          ))}
        </select>
      )}
      <Search found={found} options={options} change={change} />
      <span className={css.space} />
      {!ended && (
        <Button aria-pressed={options.follow} onClick={() => change({ follow: !options.follow })}>
          Follow
        </Button>
      )}
      <Button aria-pressed={options.times} onClick={() => change({ times: !options.times })}>
        Times
      </Button>
      <Button aria-pressed={options.wrap} onClick={() => change({ wrap: !options.wrap })}>
        Wrap
      </Button>
      <Copy text={plainText(lines, options.times)} label="Copy the log" />
      <Button look="quiet" icon="download" aria-label="Save the log" onClick={() => save(lines, `${task.name}-${attempt}.log`)} />
    </div>
  )
}

function Search({ found, options, change }: Pick<Props, 'found' | 'options' | 'change'>) {
  const step = (by: number) => {
    if (found.length > 0) change({ at: (options.at + by + found.length) % found.length, follow: false })
  }
  return (
    <>
      <input
        type="search"
        aria-label="Find in the log"
        placeholder="Find…"
        value={options.search}
        onChange={(e) => change({ search: e.target.value, at: 0, follow: false })}
        onKeyDown={(e) => {
          if (e.key === 'Enter') step(e.shiftKey ? -1 : 1)
        }}
      />
      {options.search && (
        <>
          <span role="status" className={css.found}>
            {found.length === 0 ? 'none' : `${options.at + 1}/${found.length}`}
          </span>
          <Button look="quiet" icon="up" aria-label="Previous match" onClick={() => step(-1)} />
          <Button look="quiet" icon="down" aria-label="Next match" onClick={() => step(1)} />
        </>
      )}
    </>
  )
}

/** Saves what is here; the exact times and streams are kept. */
function save(lines: readonly LogLine[], name: string): void {
  const url = URL.createObjectURL(new Blob([plainText(lines, true)], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
