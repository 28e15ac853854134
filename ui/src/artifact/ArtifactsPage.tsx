import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef } from 'react'
import { useArtifactList } from '../api/artifacts'
import type { Artifact } from '../api/types'
import { bytes, count } from '../format/value'
import { useAddress } from '../parts/address'
import { Link } from '../parts/Link'
import { Loading, Stale } from '../parts/Notice'
import { Empty, pageCss, SearchPage } from '../parts/Page'
import css from './ArtifactPage.module.css'

export default function ArtifactsPage() {
  return <SearchPage title="Artifacts">{(q) => <Artifacts q={q} />}</SearchPage>
}

/** The types of KFP; others are found by the address. */
const types = ['Artifact', 'ClassificationMetrics', 'Dataset', 'HTML', 'Markdown', 'Metrics', 'Model', 'SlicedClassificationMetrics'].map((t) => `system.${t}`)
const plainType = (type: string) => type.replace(/^system\./, '')

function Artifacts({ q }: { q: string }) {
  const [search, change] = useAddress()
  const type = search.get('type') ?? ''
  const list = useArtifactList(q, type)
  const items = list.data?.pages.flatMap((page) => page.artifacts) ?? []
  return (
    <>
      <div className={css.filters}>
        <label>
          <span className="visually-hidden">Type</span>
          <select value={type} onChange={(e) => change({ type: e.target.value })}>
            <option value="">All types</option>
            {[...new Set([...types, ...(type ? [type] : [])])].map((t) => (
              <option key={t} value={t}>
                {plainType(t)}
              </option>
            ))}
          </select>
        </label>
        {list.data && <span className={pageCss.soft}>{count(list.data.pages[0]?.total ?? 0, 'artifact')}</span>}
      </div>
      {list.isPending && <Loading what="artifacts" />}
      <Stale what="list" error={list.error} />
      {items.length > 0 && <Table items={items} more={list.hasNextPage && !list.isFetchingNextPage} onMore={() => void list.fetchNextPage()} />}
      {list.data && items.length === 0 && (
        <Empty title={q || type ? 'No artifact matches' : 'No artifacts yet'}>
          <p>{q || type ? 'Search for another name, or show all types.' : 'Steps of pipelines make them: an output of type Dataset, Model, Markdown and so on is one.'}</p>
        </Empty>
      )}
    </>
  )
}

const rowHeight = 40

/** The list; the next page is read before its end comes in sight. */
function Table({ items, more, onMore }: { items: readonly Artifact[]; more: boolean; onMore: () => void }) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: items.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const rows = virtual.getVirtualItems()
  const last = rows.at(-1)?.index ?? 0
  useEffect(() => {
    if (more && last >= items.length - 20) onMore()
  }, [more, last, items.length, onMore])
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={scroller} className={css.scroller} tabIndex={0} role="region" aria-label="Artifacts, newest first">
      <table className={css.table} aria-rowcount={items.length}>
        <thead>
          <tr>
            <th scope="col">Artifact</th>
            <th scope="col">Type</th>
            <th scope="col" className={css.right}>
              Size
            </th>
            <th scope="col" className={css.wide}>
              Made by
            </th>
            <th scope="col" className={css.wide}>
              Run
            </th>
          </tr>
        </thead>
        <tbody style={{ height: virtual.getTotalSize() }}>
          {rows.map((row) => {
            const artifact = items[row.index]
            return artifact && <Row key={artifact.id} artifact={artifact} top={row.start} />
          })}
        </tbody>
      </table>
    </div>
  )
}

function Row({ artifact, top }: { artifact: Artifact; top: number }) {
  return (
    <tr style={{ transform: `translateY(${top}px)` }} data-artifact={artifact.id}>
      <th scope="row">
        <Link href={`/artifacts/${artifact.id}`} title={artifact.name}>
          {artifact.name}
        </Link>
        {!artifact.digest && artifact.uri && <span className={css.soft}>{artifact.uri}</span>}
      </th>
      <td title={artifact.schema_title}>{plainType(artifact.schema_title)}</td>
      <td className={css.right}>{artifact.digest ? bytes(artifact.size) : 'elsewhere'}</td>
      <td className={css.wide}>{artifact.run_id && artifact.task_id && <Link href={`/runs/${artifact.run_id}/tasks/${artifact.task_id}`}>{artifact.task_name || 'a task'}</Link>}</td>
      <td className={css.wide}>{artifact.run_id && <Link href={`/runs/${artifact.run_id}`}>{artifact.run_id.slice(0, 8)}</Link>}</td>
    </tr>
  )
}
