import { type ReactNode, useCallback, useEffect, useMemo, useState } from 'react'
import { ApiError } from '../api/client'
import { useExperiments } from '../api/queries'
import { useRecurringRun } from '../api/recurring'
import { type GroupBy, type RunFilter, type RunQuery, useFirstRuns } from '../api/runs'
import { isFinal, type Run, type RunList, type State, states } from '../api/types'
import { asAddress, fieldsIn, namesOf } from '../experiments/fields'
import { FilterBar } from '../experiments/FilterBar'
import { count } from '../format/value'
import { type Change, useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { Loading, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { stateWord } from '../parts/State'
import { BulkBar } from './BulkBar'
import { FirstRun } from './FirstRun'
import { GroupTable } from './GroupTable'
import { RunWindow } from './RunWindow'
import { pageSize } from './window'
import { example, runWords } from './words'
import css from './RunsPage.module.css'

// What opens over the page is not needed to show the list.
const ColumnPicker = late('the columns', async () => ({ default: (await import('../experiments/ColumnPicker')).ColumnPicker }))

const groupings: readonly GroupBy[] = ['state', 'pipeline', 'experiment']

/** The list of runs. The address holds filters, columns and grouping. */
export function RunsPage() {
  const [search, change] = useAddress()
  const text = search.toString()
  const filter = useMemo(() => filterIn(new URLSearchParams(text)), [text])
  const columns = useMemo(() => fieldsIn(new URLSearchParams(text), 'cols') ?? [], [text])
  const by = groupings.find((g) => g === search.get('group'))
  const experiments = useExperiments()
  const query = useMemo(() => ({ filter, columns, size: pageSize }), [filter, columns])
  const list = useFirstRuns(query, by === undefined)
  const [ticked, tick] = useTicked()
  const refused = list.error instanceof ApiError && list.error.status === 400 && filter.filter !== ''
  const fields = list.data?.fields
  const names = useMemo(() => namesOf(fields).filter((name) => !name.startsWith('metrics.')), [fields])
  useEffect(() => {
    document.title = 'Runs – Levada'
  }, [])
  const filtered = Boolean(filter.q || filter.state || filter.experiment || filter.recurring || filter.backfill || filter.filter || filter.archived)
  const reset = () => change({ q: '', state: '', experiment: '', recurring: '', backfill: '', filter: '', archived: '' })
  const empty = filtered ? <NoMatch reset={reset} /> : <FirstRun />
  return (
    <section className={css.page}>
      <div className={css.head}>
        <h1>Runs</h1>
        <QuickFilters filter={filter} by={by} experiments={experiments.data} change={change} />
      </div>
      <div className={css.tools}>
        <FilterBar
          value={filter.filter}
          names={names}
          words={runWords}
          example={example}
          error={refused ? list.error?.message : undefined}
          onChange={(value) => change({ filter: value })}
        />
        {!by && (
          <Columns fields={fields} chosen={columns} onChange={(next) => change({ cols: next && next.length > 0 ? asAddress(next) : undefined })} />
        )}
      </div>
      {filter.backfill && <Scope onLeave={() => change({ backfill: '' })}>Runs of the backfill {filter.backfill.slice(0, 8)}</Scope>}
      {filter.recurring && <RecurringScope id={filter.recurring} onLeave={() => change({ recurring: '' })} />}
      {by ? (
        <GroupTable filter={filter} by={by} experiments={experiments.data} hrefOf={(key) => groupAddress(search, by, key)} empty={empty} />
      ) : (
        <>
          <BulkBar ticked={ticked} archived={filter.archived} onTick={tick} />
          <Stale what="list" error={refused ? null : list.error} />
          {list.isPending && !list.error && <Loading what="runs" />}
          {list.data && !refused && (
            <Runs query={query} list={list.data} old={list.isPlaceholderData} columns={columns} experiments={experiments.data} ticked={ticked} onTick={tick} empty={empty} />
          )}
        </>
      )}
    </section>
  )
}

/** The choice of columns, which is loaded when it is first opened. */
function Columns(props: React.ComponentProps<typeof ColumnPicker>) {
  const [wanted, setWanted] = useState(false)
  const [there, setThere] = useState(false)
  if (there) return <ColumnPicker defaultOpen {...props} />
  const open = () => {
    setWanted(true)
    // Where it cannot be loaded it says so itself.
    const show = () => setThere(true)
    ColumnPicker.load().then(show, show)
  }
  return (
    <Button icon="columns" aria-haspopup="dialog" aria-expanded={false} busy={wanted} onClick={open}>
      Columns
    </Button>
  )
}

function filterIn(search: URLSearchParams): RunFilter {
  const of = (key: string) => search.get(key) ?? ''
  return { q: of('q'), state: of('state'), experiment: of('experiment'), recurring: of('recurring'), backfill: of('backfill'), filter: of('filter'), archived: search.get('archived') === '1' }
}

/** The address of the list of a group's runs: the group becomes a part of the filter. */
function groupAddress(search: URLSearchParams, by: GroupBy, key: string): string {
  const next = new URLSearchParams(search)
  next.delete('group')
  if (by === 'pipeline') {
    const more = `pipeline = ${key.includes("'") ? `"${key}"` : `'${key}'`}`
    const filter = next.get('filter')
    next.set('filter', filter ? `(${filter}) AND ${more}` : more)
  } else next.set(by, key)
  return `/runs?${next}`
}

/** The runs that are ticked. What is ticked stays so when it is scrolled out of sight, or changes. */
function useTicked(): [ReadonlyMap<string, Run>, (runs: readonly Run[], on: boolean) => void] {
  const [ticked, setTicked] = useState<ReadonlyMap<string, Run>>(new Map())
  const tick = useCallback(
    (runs: readonly Run[], on: boolean) =>
      setTicked((old) => {
        const next = new Map(old)
        for (const run of runs) {
          if (on) next.set(run.id, run)
          else next.delete(run.id)
        }
        return next
      }),
    [],
  )
  return [ticked, tick]
}

interface QuickProps {
  filter: RunFilter
  by: GroupBy | undefined
  experiments: ReadonlyMap<string, string> | undefined
  change: (keys: Change) => void
}

function QuickFilters({ filter, by, experiments, change }: QuickProps) {
  const [text, setText] = useState(filter.q)
  useEffect(() => {
    if (text === filter.q) return
    const timer = setTimeout(() => change({ q: text }), 250)
    return () => clearTimeout(timer)
  }, [text, filter.q, change])
  return (
    <search className={css.filters}>
      <input type="search" aria-label="Name contains" placeholder="Name contains…" value={text} onChange={(e) => setText(e.target.value)} />
      <select aria-label="State" value={filter.state} onChange={(e) => change({ state: e.target.value })}>
        <option value="">Any state</option>
        <option value="PENDING,RUNNING,CANCELING">Active</option>
        {states.map((s: State) => (
          <option key={s} value={s}>
            {stateWord(s)}
          </option>
        ))}
      </select>
      <select aria-label="Experiment" value={filter.experiment} onChange={(e) => change({ experiment: e.target.value })}>
        <option value="">Any experiment</option>
        {[...(experiments ?? [])].map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <select aria-label="Archived" value={filter.archived ? '1' : ''} onChange={(e) => change({ archived: e.target.value })}>
        <option value="">Not archived</option>
        <option value="1">Archived</option>
      </select>
      <select aria-label="Group" value={by ?? ''} onChange={(e) => change({ group: e.target.value })}>
        <option value="">Not grouped</option>
        <option value="state">By state</option>
        <option value="pipeline">By pipeline</option>
        <option value="experiment">By experiment</option>
      </select>
    </search>
  )
}

/** Says that the list holds the runs of one recurring run only. */
function RecurringScope({ id, onLeave }: { id: string; onLeave: () => void }) {
  const recurring = useRecurringRun(id)
  const gone = recurring.error instanceof ApiError && recurring.error.status === 404
  return (
    <Scope onLeave={onLeave}>
      {gone ? 'Runs of a recurring run that was deleted' : 'Runs of the recurring run '}
      {!gone && <Link href="/recurring-runs">{recurring.data?.display_name ?? id.slice(0, 8)}</Link>}
    </Scope>
  )
}

/** Says that the list holds some runs only. */
function Scope({ children, onLeave }: { children: ReactNode; onLeave: () => void }) {
  return (
    <div className={css.scope}>
      <p>{children}</p>
      <Button look="quiet" icon="close" onClick={onLeave}>
        Show all runs
      </Button>
    </div>
  )
}

interface RunsProps {
  query: RunQuery
  list: RunList
  /** The list is that of the filter before; the one that is wanted is on its way. */
  old: boolean
  columns: readonly string[]
  experiments: ReadonlyMap<string, string> | undefined
  ticked: ReadonlyMap<string, Run>
  onTick: (runs: readonly Run[], on: boolean) => void
  empty: React.ReactNode
}

function Runs({ query, list, old, columns, experiments, ticked, onTick, empty }: RunsProps) {
  // What is shown belongs to one filter, also while another one is on its way.
  const [settled, setSettled] = useState(query)
  if (!old && settled !== query) setSettled(query)
  const shown = old ? settled : query
  if (list.runs.length === 0) return empty
  return (
    <Clock ticking={list.runs.some((r) => !isFinal(r.state))}>
      <div className={old ? css.old : undefined} aria-busy={old}>
        <RunWindow key={JSON.stringify(shown.filter)} query={shown} first={list} columns={columns} experiments={experiments} ticked={ticked} onTick={onTick} />
      </div>
      <p className={css.foot} role="status">
        {list.more ? `more than ${list.total.toLocaleString('en-GB')} runs` : count(list.total, 'run')}
      </p>
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
