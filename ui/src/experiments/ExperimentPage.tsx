import { useMemo } from 'react'
import { ApiError } from '../api/client'
import { isGoingOn, type TableQuery, useRunTable } from '../api/tracking'
import type { TrackedFields } from '../api/types'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Link } from '../parts/Link'
import { Loading, Notice, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { Empty, Failed, Page } from '../parts/Page'
import { BulkActions } from './BulkActions'
import { ColumnPicker } from './ColumnPicker'
import { LogHere } from './ExperimentsPage'
import css from './ExperimentPage.module.css'
import { asAddress, defaultColumns, fieldsIn, namesOf, nextSort, orderOf, parseSort } from './fields'
import { FilterBar } from './FilterBar'
import { byWords, groupName, groupValue } from './groups'
import { GroupsTable } from './GroupsTable'
import { RunsTable } from './RunsTable'
import { runsOf } from './rows'

/** As many runs as can be compared. */
const mostSelected = 100

/** The table of an experiment's runs. The address holds filter, order, columns, nesting, groups, which are open, and selection. */
export default function ExperimentPage({ id }: { id: string }) {
  const [search, change] = useAddress()
  const filter = search.get('filter') ?? ''
  const flat = search.get('flat') === '1'
  const sort = parseSort(search.get('sort') ?? '')
  const explicit = useMemo(() => fieldsIn(search, 'cols'), [search])
  const selected = useMemo(() => search.getAll('run'), [search])
  const deleted = search.get('deleted') === '1'
  const by = search.get('group') ?? ''
  const only = groupValue(search.get('only') ?? '')
  const grouped = by !== '' && only === null
  const query: TableQuery = { experiment: id, filter, order: orderOf(sort), columns: explicit, nested: !flat, deleted, ...(by && only !== null ? { group: { by, value: only } } : {}) }
  const table = useRunTable(query)
  const answered = table.data?.pages[0]
  const refused = table.error instanceof ApiError && table.error.status === 400 && (filter !== '' || sort !== undefined)
  // What a filter that is wrong keeps the server from telling: the experiment's name, and names to complete.
  const plain = useRunTable({ ...query, filter: '', order: '' }, refused)
  const first = answered ?? plain.data?.pages[0]
  const fields = first?.fields
  const names = useMemo(() => namesOf(fields), [fields])
  const columns = useMemo(() => explicit ?? defaultColumns(fields), [explicit, fields])
  const runs = useMemo(() => runsOf(table.data?.pages ?? []), [table.data])
  if (table.error && !refused && !first) return <Failed error={table.error} what="experiment" />
  const total = answered?.total ?? 0
  return (
    <Page title={first?.experiment.name ?? 'Experiment'} wide crumbs={[<Link key="all" href="/experiments">Experiments</Link>]}>
      <div className={css.tools}>
        <FilterBar value={filter} names={names} error={refused ? table.error?.message : undefined} onChange={(text) => change({ filter: text })} />
        <div className={css.buttons}>
          {!by && !deleted && (
            <Button
              aria-pressed={!flat}
              icon="group"
              title="Show runs beneath the run that started them. With a filter, a run is shown when it or one beneath it matches."
              onClick={() => change({ flat: flat ? undefined : '1' })}
            >
              Nested
            </Button>
          )}
          <GroupSelect by={by} fields={fields} onChange={(next) => change({ group: next, open: undefined, only: undefined })} />
          <label className={css.check} title="The deleted runs instead of the others">
            <input type="checkbox" checked={deleted} onChange={(e) => change({ deleted: e.target.checked ? '1' : undefined, run: undefined })} />
            Deleted
          </label>
          <ColumnPicker fields={fields} chosen={columns} onChange={(next) => change({ cols: next && asAddress(next) })} />
          <CompareLink selected={selected} onClear={() => change({ run: undefined })} />
          <BulkActions selected={selected} runs={runs} deleted={deleted} onDone={(failed) => change({ run: failed })} />
        </div>
      </div>
      <Stale what="table" error={refused ? null : table.error} />
      {first?.experiment.deleted && <Notice tone="warning">This experiment is deleted, and its runs with it. MLflow’s client can restore it.</Notice>}
      {by && only !== null && (
        <p className={css.only}>
          Only runs whose {byWords(by)} is {only === undefined ? 'not set' : <strong>{only || '(empty)'}</strong>}
          <Button onClick={() => change({ only: undefined })}>All groups</Button>
        </p>
      )}
      {table.isPending && !table.error && <Loading what="runs" />}
      <Clock ticking={runs.some(isGoingOn)}>
        {grouped && first && !refused && (
          <GroupsTable
            query={query}
            by={by}
            open={search.getAll('open')}
            columns={columns}
            sort={sort}
            selected={selected}
            onSort={(name) => change({ sort: nextSort(name, sort) })}
            onSelect={(next) => change({ run: next.slice(0, mostSelected) })}
            onOpen={(open) => change({ open })}
            onOnly={(value) => change({ only: groupName(value) })}
          />
        )}
        {runs.length > 0 && !refused && !grouped && (
          <RunsTable
            query={query}
            runs={runs}
            total={total}
            columns={columns}
            sort={sort}
            selected={selected}
            more={table}
            onSort={(name) => change({ sort: nextSort(name, sort) })}
            onSelect={(next) => change({ run: next.slice(0, mostSelected) })}
          />
        )}
      </Clock>
      {answered && !answered.experiment.deleted && runs.length === 0 && !table.error && (deleted && !filter ? <NoDeleted onClear={() => change({ deleted: undefined })} /> : filter ? <NoMatch onClear={() => change({ filter: undefined })} /> : <NoRuns experiment={answered.experiment.name} />)}
    </Page>
  )
}

function CompareLink({ selected, onClear }: { selected: readonly string[]; onClear: () => void }) {
  if (selected.length === 0) return null
  const query = new URLSearchParams(selected.map((id) => ['run', id]))
  return (
    <>
      <Link href={`/compare?${query}`} className={css.compare}>
        Compare {selected.length}
      </Link>
      <Button look="quiet" icon="close" aria-label="Select none" onClick={onClear} />
    </>
  )
}

/** Chooses what runs are grouped by. */
function GroupSelect({ by, fields, onChange }: { by: string; fields: TrackedFields | undefined; onChange: (by: string | undefined) => void }) {
  const names = namesOf(fields).filter((name) => !name.startsWith('metrics.'))
  const of = (kind: string) => names.filter((name) => name.startsWith(kind)).slice(0, 500)
  const options = (list: readonly string[]) =>
    list.map((name) => (
      <option key={name} value={name}>
        By {byWords(name)}
      </option>
    ))
  return (
    <select aria-label="Group by" value={by} onChange={(e) => onChange(e.target.value || undefined)}>
      <option value="">No groups</option>
      <option value="status">By status</option>
      <option value="pipeline">By pipeline</option>
      {by && !['status', 'pipeline'].includes(by) && !names.includes(by) && <option value={by}>By {byWords(by)}</option>}
      <optgroup label="Parameters">{options(of('params.'))}</optgroup>
      <optgroup label="Tags">{options(of('tags.'))}</optgroup>
    </select>
  )
}

function NoDeleted({ onClear }: { onClear: () => void }) {
  return (
    <Empty title="No run is deleted">
      <Button onClick={onClear}>Show the other runs</Button>
    </Empty>
  )
}

function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Empty title="No run matches">
      <Button onClick={onClear}>Show all runs</Button>
    </Empty>
  )
}

function NoRuns({ experiment }: { experiment: string }) {
  return (
    <Empty title="No runs yet">
      <p>Log one with MLflow, or run a pipeline in this experiment:</p>
      <LogHere experiment={experiment} />
    </Empty>
  )
}
