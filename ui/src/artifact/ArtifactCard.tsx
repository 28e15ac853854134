import { useState } from 'react'
import type { Artifact } from '../api/types'
import { bytes, count, shortDigest } from '../format/value'
import type { Tree } from '../graph/tree'
import { Button, ButtonLink } from '../parts/Button'
import { Copy } from '../parts/Copy'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { Parameters } from '../parts/Parameters'
import css from './ArtifactCard.module.css'
import { classifications, scalarMetrics } from './metrics'
import { Classifications, Scalars } from './MetricViews'
import { contentOf } from './place'

const ArtifactPreview = late('the artifact', () => import('./ArtifactPreview'))

interface Props {
  /** Name of the input or output that holds it. */
  name: string
  artifact: Artifact
  /** The run on whose page this is. */
  runId: string
  tree: Tree
  /** Outputs show what they are at once, where that is small. */
  output?: boolean
}

export function ArtifactCard({ name, artifact, runId, tree, output = false }: Props) {
  const reports = artifact.schema_title === 'system.Markdown' || artifact.schema_title === 'system.HTML'
  const held = Boolean(artifact.digest) && artifact.size > 0
  const [open, setOpen] = useState(output && reports && held)
  const metrics = scalarMetrics(artifact)
  const curves = classifications(artifact)
  return (
    <article className={css.card} aria-label={`Artifact ${name}`}>
      <div className={css.head}>
        <Link className={css.name} href={`/artifacts/${artifact.id}`}>
          {name}
        </Link>
        <span className={css.type}>{artifact.schema_title.replace(/^system\./, '')}</span>
        <span className={css.space} />
        {held && (
          <>
            <Button aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? 'Close' : 'Show'}
            </Button>
            <ButtonLink icon="download" label={`Download ${name}`} href={contentOf({ kind: 'artifact', id: artifact.id }, '', true)} download />
          </>
        )}
      </div>
      <Origin artifact={artifact} runId={runId} tree={tree} output={output} />
      {metrics.length > 0 && <Scalars metrics={metrics} className={css.metrics} />}
      {curves.length > 0 && <Classifications list={curves} />}
      {metrics.length === 0 && curves.length === 0 && <Metadata artifact={artifact} />}
      {open && (
        <ArtifactPreview artifact={artifact} />
      )}
    </article>
  )
}

function Metadata({ artifact }: { artifact: Artifact }) {
  const entries = Object.keys(artifact.metadata ?? {}).length
  if (entries === 0) return null
  return (
    <details className={css.metadata}>
      <summary>{count(entries, 'metadata value')}</summary>
      <Parameters values={artifact.metadata ?? {}} />
    </details>
  )
}

/** Size, digest and producer; for what is kept elsewhere, its address. */
function Origin({ artifact, runId, tree, output }: { artifact: Artifact; runId: string; tree: Tree; output: boolean }) {
  const producer = artifact.task_id ? tree.byId.get(artifact.task_id) : undefined
  return (
    <div className={css.facts}>
      {artifact.digest ? (
        <>
          {(artifact.size > 0 || artifact.files) && (
            <span>
              {bytes(artifact.size)}
              {artifact.digest.startsWith('dir-') ? ` in ${count(artifact.files ?? 0, 'file')}` : ''}
            </span>
          )}
          <span className={css.copied}>
            <code title={artifact.digest}>{shortDigest(artifact.digest)}</code>
            <Copy text={artifact.digest} label="Copy the digest" />
          </span>
        </>
      ) : (
        artifact.uri && (
          <span className={css.copied}>
            <code className={css.uri}>{artifact.uri}</code>
            <Copy text={artifact.uri} label="Copy the address" />
          </span>
        )
      )}
      {!output && producer && (
        <span>
          made by <Link href={`/runs/${runId}/tasks/${producer.id}`}>{producer.display_name}</Link>
        </span>
      )}
      {artifact.run_id && artifact.run_id !== runId && artifact.task_id && (
        <span>
          made in run <Link href={`/runs/${artifact.run_id}/tasks/${artifact.task_id}`}>{artifact.run_id.slice(0, 8)}</Link>
        </span>
      )}
    </div>
  )
}
