import { useId, useState } from 'react'
import { Link } from 'wouter'
import { useArtifactComparison, useVersions } from '../api/data'
import type { Artifact, ArtifactComparison, ArtifactVersion } from '../api/types'
import { exact } from '../format/time'
import { count, number } from '../format/value'
import type { Change } from '../parts/address'
import { Button } from '../parts/Button'
import { Loading, Notice } from '../parts/Notice'
import { Findings } from './Findings'
import css from './Profile.module.css'

interface Props {
  artifact: Artifact
  /** Id of the artifact that is compared with; empty for none. */
  earlier: string
  /** Columns that tell rows apart, separated by commas. */
  byKey: string
  onChange: (change: Change) => void
}

/** Chooses an earlier version of a table, and says how this one differs from it. */
export function CompareView({ artifact, earlier, byKey, onChange }: Props) {
  const versions = useVersions(artifact.id)
  const others = (versions.data?.versions ?? []).filter((v) => v.artifact_id !== artifact.id)
  const id = useId()
  if (others.length === 0 && earlier === '') return null
  return (
    <section className={css.box} aria-label="Compare with another version">
      <div className={css.bar}>
        <label htmlFor={id}>
          Compare with
          <select id={id} value={earlier} onChange={(e) => onChange({ with: e.target.value, key: '' })}>
            <option value="">nothing</option>
            {others.map((v) => (
              <option key={v.artifact_id} value={v.artifact_id}>
                {nameOf(v, artifact)}
              </option>
            ))}
            {earlier !== '' && !others.some((v) => v.artifact_id === earlier) && <option value={earlier}>{earlier}</option>}
          </select>
        </label>
        {earlier !== '' && <Key value={byKey} onChange={(key) => onChange({ key })} />}
      </div>
      {earlier !== '' && <Differences id={artifact.id} earlier={earlier} byKey={byKey} />}
    </section>
  )
}

const nameOf = (v: ArtifactVersion, than: Artifact) => `${exact(v.at)} · ${v.run_name}${v.digest === than.digest ? ' · same content' : ''}`

/** Asks by which columns rows are told apart. */
function Key({ value, onChange }: { value: string; onChange: (key: string) => void }) {
  const [text, setText] = useState(value)
  return (
    <form
      className={css.list}
      onSubmit={(e) => {
        e.preventDefault()
        onChange(text.trim())
      }}
    >
      <label>
        Columns that tell rows apart
        <input value={text} placeholder="id" onChange={(e) => setText(e.target.value)} />
      </label>
      <Button type="submit">Compare rows</Button>
    </form>
  )
}

function Differences({ id, earlier, byKey }: { id: string; earlier: string; byKey: string }) {
  const { data, error, isFetching } = useArtifactComparison(id, earlier, byKey)
  if (error) return <Notice tone="danger">{error.message}</Notice>
  if (!data) return <Loading what={isFetching && byKey ? 'the rows' : 'what differs'} />
  const changes = [...(data.types ?? []).map((t) => ({ ...t, what: 'type' })), ...(data.figures ?? [])]
  return (
    <div className={css.profile} data-comparison={data.same ? 'same' : 'different'}>
      <p className={css.summary}>
        <span>
          <Link href={`/artifacts/${data.was.id}?tab=profile`}>The earlier one</Link>
          {` has ${count(data.rows[0] ?? 0, 'row')}, this one ${count(data.rows[1] ?? 0, 'row')}.`}
        </span>
        {data.same && <strong>Nothing differs.</strong>}
      </p>
      <Names title="New columns" names={data.columns_added} />
      <Names title="Columns that are gone" names={data.columns_removed} />
      {changes.length > 0 && (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className={css.scroll} tabIndex={0} role="region" aria-label="What differs">
          <table className={css.grid}>
            <thead>
              <tr>
                <th scope="col">Column</th>
                <th scope="col">Figure</th>
                <th scope="col">Was</th>
                <th scope="col">Is</th>
              </tr>
            </thead>
            <tbody>
              {changes.map((c) => (
                <tr key={`${c.column} ${c.what}`} data-change={`${c.column} ${c.what}`}>
                  <th scope="row">
                    <bdi>{c.column}</bdi>
                  </th>
                  <td>{c.what}</td>
                  <td title={c.was}>
                    <bdi>{c.was || '–'}</bdi>
                  </td>
                  <td title={c.is}>
                    <bdi>{c.is || '–'}</bdi>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <ByKey rows={data.by_key} />
      <Findings title="How the earlier one was read" findings={data.was_findings} />
      <Findings title="How this one was read" findings={data.is_findings} />
    </div>
  )
}

function Names({ title, names }: { title: string; names: readonly string[] | undefined }) {
  if (!names || names.length === 0) return null
  return (
    <p className={css.summary}>
      <span>{`${title}:`}</span>
      {names.slice(0, 100).map((n) => (
        <code key={n}>{n}</code>
      ))}
      {names.length > 100 && <span>{`and ${names.length - 100} more`}</span>}
    </p>
  )
}

function ByKey({ rows }: { rows: ArtifactComparison['by_key'] }) {
  if (!rows) return null
  const differing = Object.entries(rows.columns ?? {}).toSorted((a, b) => b[1] - a[1])
  const shown = (key: readonly string[]) => rows.key.map((name, i) => `${name} ${key[i] ?? ''}`).join(', ')
  return (
    <section aria-label="Rows">
      <p className={css.head}>{`Rows by ${rows.key.join(', ')}`}</p>
      <p>{`${number(rows.same)} the same, ${number(rows.changed)} changed, ${number(rows.added)} added, ${number(rows.removed)} removed.`}</p>
      {differing.length > 0 && <p>{`Columns that differ in ${count(rows.examined, 'changed row')}: ${differing.map(([name, n]) => `${name} ${number(n)}`).join(', ')}.`}</p>}
      <ul className={css.findings}>
        {(rows.changed_rows ?? []).map((r) => (
          <li key={`changed ${r.is_row}`}>
            <span>changed</span>
            <bdi className={css.name}>{shown(r.key)}</bdi>
            <bdi>{r.changes.map((c) => `${c.column} ${c.was} → ${c.is}`).join(', ')}</bdi>
          </li>
        ))}
        {(rows.added_rows ?? []).map((r) => (
          <li key={`added ${r.row}`}>
            <span>added</span>
            <bdi className={css.name}>{shown(r.key)}</bdi>
          </li>
        ))}
        {(rows.removed_rows ?? []).map((r) => (
          <li key={`removed ${r.row}`}>
            <span>removed</span>
            <bdi className={css.name}>{shown(r.key)}</bdi>
          </li>
        ))}
      </ul>
    </section>
  )
}
