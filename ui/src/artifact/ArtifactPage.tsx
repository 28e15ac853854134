import { useArtifact } from '../api/artifacts'
import type { Artifact } from '../api/types'
import { bytes, count, shortDigest } from '../format/value'
import { useAddress } from '../parts/address'
import { ButtonLink } from '../parts/Button'
import { Card } from '../parts/Card'
import { Copy } from '../parts/Copy'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { Loading, Notice } from '../parts/Notice'
import { Fact, Facts, Failed, Page } from '../parts/Page'
import { Parameters } from '../parts/Parameters'
import { Tabs } from '../parts/Tabs'
import css from './ArtifactPage.module.css'
import { classifications, scalarMetrics } from './metrics'
import { Classifications, Scalars } from './MetricViews'
import { contentOf } from './place'

const ArtifactPreview = late('the artifact', () => import('./ArtifactPreview'))
const ProfileTab = late('the profile', () => import('../profile/ProfileTab'))
const LineageView = late('the lineage', async () => ({ default: (await import('../lineage/LineageView')).LineageView }))

/** One artifact: what is in it, what its step noted about it, and where it came from and went. */
export default function ArtifactPage({ id }: { id: string }) {
  const artifact = useArtifact(id)
  if (artifact.error && !artifact.data) return <Failed error={artifact.error} what="artifact" />
  if (!artifact.data) return <Loading what="the artifact" />
  return (
    <Page title={artifact.data.name || artifact.data.id} crumbs={[<Link key="all" href="/artifacts">Artifacts</Link>]} wide>
      <Origin artifact={artifact.data} />
      <Parts artifact={artifact.data} />
    </Page>
  )
}

function Origin({ artifact }: { artifact: Artifact }) {
  const held = Boolean(artifact.digest)
  return (
    <Facts>
      <Fact name="Type">{artifact.schema_title.replace(/^system\./, '')}</Fact>
      {held && (
        <Fact name="Size">
          {bytes(artifact.size)}
          {artifact.digest?.startsWith('dir-') ? ` in ${count(artifact.files ?? 0, 'file')}` : ''}
          {artifact.size > 0 && <ButtonLink icon="download" label="Download the artifact" href={contentOf({ kind: 'artifact', id: artifact.id }, '', true)} download />}
        </Fact>
      )}
      {artifact.run_id && artifact.task_id && (
        <Fact name="Made by">
          <Link href={`/runs/${artifact.run_id}/tasks/${artifact.task_id}`}>{artifact.task_name || 'a task'}</Link>
          {'in run '}
          <Link href={`/runs/${artifact.run_id}`}>{artifact.run_id.slice(0, 8)}</Link>
        </Fact>
      )}
      {artifact.digest ? (
        <Fact name="Digest">
          <code title={artifact.digest}>{shortDigest(artifact.digest)}</code>
          <Copy text={artifact.digest} label="Copy the digest" />
        </Fact>
      ) : (
        artifact.uri && (
          <Fact name="Address">
            <code>{artifact.uri}</code>
            <Copy text={artifact.uri} label="Copy the address" />
          </Fact>
        )
      )}
    </Facts>
  )
}

/** Types of artifacts that are no tables, whatever they hold. */
const noTables = ['system.Model', 'system.Metrics', 'system.ClassificationMetrics', 'system.SlicedClassificationMetrics', 'system.HTML', 'system.Markdown']

const mayBeTable = (artifact: Artifact) => Boolean(artifact.digest) && artifact.size > 0 && !noTables.includes(artifact.schema_title)

function Parts({ artifact }: { artifact: Artifact }) {
  const [search, change] = useAddress()
  const tabs = [
    { id: 'preview', label: 'Preview', content: <Preview artifact={artifact} path={search.get('file') ?? ''} onPath={(file) => change({ file })} /> },
    ...(mayBeTable(artifact)
      ? [
          {
            id: 'profile',
            label: 'Profile',
            content: <ProfileTab artifact={artifact} />,
          },
        ]
      : []),
    {
      id: 'lineage',
      label: 'Lineage',
      content: <LineageView node={`artifact:${artifact.id}`} />,
    },
  ]
  const tab = search.get('tab') ?? ''
  return <Tabs label="About the artifact" value={tabs.some((t) => t.id === tab) ? tab : 'preview'} onChange={(id) => change({ tab: id === 'preview' ? undefined : id })} tabs={tabs} />
}

function Preview({ artifact, path, onPath }: { artifact: Artifact; path: string; onPath: (path: string) => void }) {
  const metrics = scalarMetrics(artifact)
  const curves = classifications(artifact)
  const notes = metrics.length === 0 && curves.length === 0 ? (artifact.metadata ?? {}) : {}
  const held = Boolean(artifact.digest) && artifact.size > 0
  return (
    <div className={css.parts}>
      {metrics.length > 0 && (
        <Card title="Metrics">
          <Scalars metrics={metrics} className={css.metrics} />
        </Card>
      )}
      {curves.length > 0 && (
        <Card title="Classification">
          <Classifications list={curves} />
        </Card>
      )}
      {held && (
        <div className={css.content}>
          <ArtifactPreview artifact={artifact} path={path} onPath={onPath} />
        </div>
      )}
      {!artifact.digest && (
        <Notice tone="neutral" title="Levada does not hold the content">
          It is at the address above; an importer named it.
        </Notice>
      )}
      {artifact.digest && artifact.size === 0 && metrics.length === 0 && curves.length === 0 && <p className={css.none}>The artifact is empty.</p>}
      {Object.keys(notes).length > 0 && (
        <Card title="Metadata">
          <Parameters values={notes} />
        </Card>
      )}
    </div>
  )
}
