import { useEffect, useId, useRef, useState } from 'react'
import { type BulkChange, useChangeRuns } from '../api/tracking'
import type { TrackedRun } from '../api/types'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Confirm } from '../parts/Confirm'
import { Notice } from '../parts/Notice'
import css from './ExperimentPage.module.css'

interface Props {
  selected: readonly string[]
  /** The runs that are on the page, for their names. */
  runs: readonly TrackedRun[]
  /** The deleted runs are shown. */
  deleted: boolean
  /** Those that were changed are not selected any more. */
  onDone: (failed: string[]) => void
}

const past = { delete: 'deleted', restore: 'restored', 'set-tag': 'tagged' } as const

/** What is done to all runs that are ticked. It asks first, and says what failed. */
export function BulkActions({ selected, runs, deleted, onDone }: Props) {
  const change = useChangeRuns()
  const [asking, setAsking] = useState<'delete' | 'restore'>()
  const [tagging, setTagging] = useState(false)
  const [said, setSaid] = useState<{ action: keyof typeof past; done: number; failed: { run_id: string; error: string }[] }>()
  const n = count(selected.length, 'run')
  const run = (asked: BulkChange) =>
    change.mutate(asked, {
      onSuccess: ({ done, failed }) => {
        setSaid({ action: asked.action, done, failed })
        if (asked.action !== 'set-tag') onDone(failed.map((f) => f.run_id))
      },
    })
  const nameOf = (id: string) => runs.find((r) => r.id === id)?.name ?? id
  return (
    <>
      {selected.length > 0 && (
        <>
          <Button busy={change.isPending} onClick={() => setTagging(true)}>
            Set tag
          </Button>
          <Button busy={change.isPending} onClick={() => setAsking(deleted ? 'restore' : 'delete')}>
            {deleted ? `Restore ${selected.length}` : `Delete ${selected.length}`}
          </Button>
        </>
      )}
      {asking && (
        <Confirm
          title={asking === 'delete' ? `Delete ${n}?` : `Restore ${n}?`}
          text={
            asking === 'delete'
              ? 'They leave all tables and comparisons. They can be restored: tick “Deleted” to see them. What lies beneath them stays.'
              : 'They come back into the tables, with all that was logged.'
          }
          action={asking === 'delete' ? 'Delete' : 'Restore'}
          onConfirm={() => run({ action: asking, run_ids: selected })}
          onClose={() => setAsking(undefined)}
        />
      )}
      {tagging && <TagForm runs={n} onSet={(key, value) => run({ action: 'set-tag', run_ids: selected, key, value })} onClose={() => setTagging(false)} />}
      {(said || change.error) && (
        <div className={css.outcome}>
          {change.error && (
            <Notice tone="danger" title="Nothing was changed, or not all">
              {change.error.message}
            </Notice>
          )}
          {said && !change.error && (
            <Notice
              tone={said.failed.length > 0 ? 'warning' : 'neutral'}
              title={`${count(said.done, 'run')} ${past[said.action]}${said.failed.length > 0 ? `, ${count(said.failed.length, 'run')} not` : ''}`}
            >
              {said.failed.length > 0 && (
                <ul>
                  {said.failed.slice(0, 10).map((f) => (
                    <li key={f.run_id}>
                      {nameOf(f.run_id)}: {f.error}
                    </li>
                  ))}
                  {said.failed.length > 10 && <li>and {said.failed.length - 10} more</li>}
                </ul>
              )}
            </Notice>
          )}
          <Button
            look="quiet"
            icon="close"
            aria-label="Close this message"
            onClick={() => {
              setSaid(undefined)
              change.reset()
            }}
          />
        </div>
      )}
    </>
  )
}

/** Asks for a tag. The browser's own dialog keeps the focus inside. */
function TagForm({ runs, onSet, onClose }: { runs: string; onSet: (key: string, value: string) => void; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  const [key, setKey] = useState('')
  const [value, setValue] = useState('')
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={id} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          onSet(key.trim(), value)
          dialog.current?.close()
        }}
      >
        <h2 id={id}>Set a tag of {runs}</h2>
        <label>
          Name
          <input required maxLength={250} value={key} placeholder="team" onChange={(e) => setKey(e.target.value)} />
        </label>
        <label>
          Value
          <input maxLength={5000} value={value} onChange={(e) => setValue(e.target.value)} />
        </label>
        <p>A tag of this name that a run has already gets the new value.</p>
        <div className={css.dialogButtons}>
          <Button onClick={() => dialog.current?.close()}>Back</Button>
          <Button type="submit">Set tag</Button>
        </div>
      </form>
    </dialog>
  )
}
