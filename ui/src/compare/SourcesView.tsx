import { useMemo } from 'react'
import { useSources } from '../api/tracking'
import type { RunSource, RunSources, TrackedRun } from '../api/types'
import { own } from '../experiments/fields'
import { count } from '../format/value'
import { useAddress } from '../parts/address'
import { Loading, Notice } from '../parts/Notice'
import { RunHead, type ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { type DiffGroup, DiffTable, useAlsoEqual } from './DiffTable'
import { around, sideBySide } from './lines'

/** The code that runs executed and the environments they did it in: facts of all in a table, texts of two side by side. */
export function SourcesView({ runs }: ViewProps) {
  const ids = useMemo(() => runs.map((r) => r.id), [runs])
  const sources = useSources(ids)
  if (sources.error) return <Notice tone="danger" title="Code and environments could not be read">{sources.error.message}</Notice>
  if (!sources.data) return <Loading what="code and environments" />
  return <Sources runs={runs} sources={sources.data} />
}

function Sources({ runs, sources }: { runs: readonly TrackedRun[]; sources: RunSources }) {
  const [all, box] = useAlsoEqual()
  const byRun = useMemo(() => new Map(sources.runs.map((s) => [s.run_id, s])), [sources])
  const list = useMemo(() => runs.map((run) => byRun.get(run.id)), [runs, byRun])
  const groups = useMemo(() => sourceGroups(list, all), [list, all])
  const notes = useMemo(() => notesOf(runs, byRun), [runs, byRun])
  return (
    <div className={css.sources}>
      <div className={css.tools}>{box}</div>
      {groups.length === 0 && <p className={css.note}>{list.some((s) => s && known(s)) ? 'Code and environments do not differ.' : 'Nothing is known of the code and environments of these runs.'}</p>}
      {groups.length > 0 && <DiffTable label="Code and environment" heads={runs.map((run, i) => ({ id: run.id, head: <RunHead run={run} look={i} /> }))} groups={groups} />}
      {notes.length > 0 && (
        <ul className={css.notes} aria-label="What is not known">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      <Texts runs={runs} sources={sources} />
    </div>
  )
}

const known = (s: RunSource) => Object.keys(s.code).length + Object.keys(s.environment).length + s.texts.length > 0

const from = { lock: 'the task as installed', requirements: 'what the model asks for' } as const

/** The rows of the table: facts of the code, where packages are known from, packages, and which texts are equal. */
export function sourceGroups(list: readonly (RunSource | undefined)[], all: boolean): DiffGroup[] {
  const rows = (values: (s: RunSource) => Record<string, string>) => {
    const keys = [...new Set(list.flatMap((s) => (s ? Object.keys(values(s)) : [])))].toSorted((a, b) => (a < b ? -1 : 1))
    return keys.map((key) => ({ key, values: list.map((s) => (s ? own(values(s), key) : undefined)) })).filter((row) => all || row.values.some((v) => v !== row.values[0]))
  }
  const groups = [
    { title: 'Code', rows: rows((s) => s.code) },
    { title: 'Texts, by digest', rows: rows((s) => Object.fromEntries(s.texts.map((t) => [t.name, t.digest]))) },
    { title: 'Environment', rows: rows((s) => ({ ...(s.environment_of ? { 'known from': from[s.environment_of] } : {}), ...(s.environment_digest ? { digest: s.environment_digest } : {}) })) },
    { title: 'Packages', rows: rows((s) => s.environment) },
  ]
  return groups.filter((g) => g.rows.length > 0)
}

/** What is not known, each thing said once with the runs that it is said of. */
function notesOf(runs: readonly TrackedRun[], byRun: ReadonlyMap<string, RunSource>): string[] {
  const of = new Map<string, string[]>()
  for (const run of runs) for (const note of byRun.get(run.id)?.notes ?? []) of.set(note, [...(of.get(note) ?? []), run.name || '(no name)'])
  return [...of].map(([note, names]) => `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}: ${note}`)
}

/** One text of two runs, side by side. The address holds which. */
function Texts({ runs, sources }: { runs: readonly TrackedRun[]; sources: RunSources }) {
  const [search, change] = useAddress()
  const names = useMemo(() => [...new Set(sources.runs.flatMap((s) => s.texts.map((t) => t.name)))].toSorted((a, b) => (a < b ? -1 : 1)), [sources])
  const textOf = (id: string, name: string) => sources.runs.find((s) => s.run_id === id)?.texts.find((t) => t.name === name)
  const differs = (name: string) => new Set(sources.runs.map((s) => s.texts.find((t) => t.name === name)?.digest)).size > 1
  const named = search.get('text') ?? ''
  const name = names.includes(named) ? named : (names.find(differs) ?? names[0])
  if (!name) return null
  const having = runs.filter((run) => textOf(run.id, name))
  const leftRun = having.find((run) => run.id === search.get('left')) ?? having[0]
  if (!leftRun) return null
  const leftText = textOf(leftRun.id, name)
  const rightRun = having.find((run) => run.id === search.get('right')) ?? having.find((run) => textOf(run.id, name)?.digest !== leftText?.digest) ?? having.find((run) => run !== leftRun) ?? leftRun
  const rightText = textOf(rightRun.id, name)
  const side = (key: string, label: string, value: string) => (
    <label>
      {label}
      <select value={value} onChange={(e) => change({ [key]: e.target.value })}>
        {having.map((run) => (
          <option key={run.id} value={run.id}>
            {run.name || '(no name)'}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <section aria-label="Texts side by side">
      <div className={css.tools}>
        <label>
          Text
          <select value={name} onChange={(e) => change({ text: e.target.value })}>
            {names.map((one) => (
              <option key={one} value={one}>
                {differs(one) ? one : `${one} (equal)`}
              </option>
            ))}
          </select>
        </label>
        {side('left', 'Left', leftRun.id)}
        {side('right', 'Right', rightRun.id)}
      </div>
      {(leftText?.cut || rightText?.cut) && <p className={css.note}>One of the texts is longer than what is compared here.</p>}
      <Sides before={sources.texts[leftText?.digest ?? ''] ?? ''} after={sources.texts[rightText?.digest ?? ''] ?? ''} label={`${name} of ${leftRun.name} and ${rightRun.name}`} />
    </section>
  )
}

/** As many rows as are shown at once. */
const mostRows = 3000

function Sides({ before, after, label }: { before: string; after: string; label: string }) {
  const [search] = useAddress()
  const all = search.get('all') === '1'
  const rows = useMemo(() => {
    const whole = sideBySide(before, after)
    return all ? whole : around(whole)
  }, [before, after, all])
  return (
    <>
      {before === after && <p className={css.note}>The two are equal.</p>}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={css.sides} tabIndex={0} role="region" aria-label={label}>
        {rows.slice(0, mostRows).map((row, i) =>
          typeof row === 'number' ? (
            // oxlint-disable-next-line react/no-array-index-key
            <span key={i} className={css.same}>
              {count(row, 'equal line')}
            </span>
          ) : (
            // oxlint-disable-next-line react/no-array-index-key
            <Line key={i} {...row} />
          ),
        )}
        {rows.length > mostRows && <span className={css.same}>and {count(rows.length - mostRows, 'more row')}</span>}
      </div>
    </>
  )
}

function Line({ kind, left, right, before, after }: { kind: 'same' | 'changed'; left?: number; right?: number; before?: string; after?: string }) {
  const look = (text: string | undefined, changed: string | undefined) => (text === undefined ? css.blank : kind === 'changed' ? changed : undefined)
  const sign = (text: string | undefined, one: string) => (kind === 'changed' && text !== undefined ? one : ' ')
  return (
    <>
      <span className={css.lineNumber}>{left}</span>
      <pre className={look(before, css.gone)}>{before === undefined ? '' : `${sign(before, '−')} ${before}`}</pre>
      <span className={css.lineNumber}>{right}</span>
      <pre className={look(after, css.come)}>{after === undefined ? '' : `${sign(after, '+')} ${after}`}</pre>
    </>
  )
}
