import { useEffect, useState } from 'react'
import { Link, useSearchParams } from 'wouter'
import { ApiError } from '../api/client'
import { type RunFilter, useExperiments, useRuns } from '../api/queries'
import { useRecurringRun } from '../api/recurring'
import { isFinal, type State, states } from '../api/types'
import { Button } from '../parts/Button'
import { More } from '../parts/More'
import { Loading, Notice } from '../parts/Notice'
import { Clock } from '../parts/now'
import { stateWord } from '../parts/State'
import { FirstRun } from './FirstRun'
import { RunTable } from './RunTable'
import css from './RunsPage.module.css'

export function RunsPage() {
  const [search, setSearch] = useSearchParams()
  const filter: RunFilter = {
    q: search.get('q') ?? '',
    state: search.get('state') ?? '',
    experiment: search.get('experiment') ?? '',
    recurring: search.get('recurring') ?? '',
  }
  const set = (key: keyof RunFilter, value: string) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old)
        if (value) next.set(key, value)
        else next.delete(key)
        return next
      },
      { replace: true },
    )
  useEffect(() => {
    document.title = 'Runs – Levada'
  }, [])
  return (
    <section className={css.page}>
      <div className={css.head}>
        <h1>Runs</h1>
        <Filters filter={filter} set={set} />
      </div>
      {filter.recurring && <RecurringScope id={filter.recurring} onLeave={() => set('recurring', '')} />}
      <Runs filter={filter} reset={() => setSearch({}, { replace: true })} />
    </section>
  )
}

function Filters({ filter, set }: { filter: RunFilter; set: (key: keyof RunFilter, value: string) => void }) {
  const experiments = useExperiments()
  const [text, setText] = useState(filter.q)
  useEffect(() => {
    if (text === filter.q) return
    const timer = setTimeout(() => set('q', text), 250)
    return () => clearTimeout(timer)
  }, [text, filter.q, set])
  return (
    <search className={css.filters}>
      <input type="search" aria-label="Name contains" placeholder="Name contains…" value={text} onChange={(e) => setText(e.target.value)} />
      <select aria-label="State" value={filter.state} onChange={(e) => set('state', e.target.value)}>
        <option value="">Any state</option>
        <option value="PENDING,RUNNING,CANCELING">Active</option>
        {states.map((s: State) => (
          <option key={s} value={s}>
            {stateWord(s)}
          </option>
        ))}
      </select>
      <select aria-label="Experiment" value={filter.experiment} onChange={(e) => set('experiment', e.target.value)}>
        <option value="">Any experiment</option>
        {[...(experiments.data ?? [])].map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </search>
  )
}

/** Says that the list holds the runs of one recurring run only. */
function RecurringScope({ id, onLeave }: { id: string; onLeave: () => void }) {
  const recurring = useRecurringRun(id)
  const gone = recurring.error instanceof ApiError && recurring.error.status === 404
  return (
    <div className={css.scope}>
      <p>
        {gone ? 'Runs of a recurring run that was deleted' : 'Runs of the recurring run '}
        {!gone && <Link href="/recurring-runs">{recurring.data?.display_name ?? id.slice(0, 8)}</Link>}
      </p>
      <Button look="quiet" icon="close" onClick={onLeave}>
        Show all runs
      </Button>
    </div>
  )
}

function Runs({ filter, reset }: { filter: RunFilter; reset: () => void }) {
  const runs = useRuns(filter)
  const experiments = useExperiments()
  const items = runs.data?.pages.flatMap((page) => page.runs) ?? []
  const total = runs.data?.pages[0]?.total ?? 0
  const filtered = Boolean(filter.q || filter.state || filter.experiment || filter.recurring)
  if (runs.isPending) return <Loading what="runs" />
  return (
    <Clock ticking={items.some((r) => !isFinal(r.state))}>
      {runs.error && (
        <Notice tone="danger" title="The list could not be brought up to date">
          {runs.error.message}
        </Notice>
      )}
      {items.length > 0 && <RunTable runs={items} experiments={experiments.data} />}
      {items.length === 0 && !runs.error && (filtered ? <NoMatch reset={reset} /> : <FirstRun />)}
      {items.length > 0 && <More shown={items.length} total={total} noun="run" pages={runs} />}
    </Clock>
  )
}

function NoMatch({ reset }: { reset: () => void }) {
  return (
    <div className={css.empty}>
      <p>No run matches.</p>
      <Button onClick={reset}>Show all runs</Button>
    </div>
  )
}
