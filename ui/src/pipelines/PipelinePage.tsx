import { useMemo, useState } from 'react'
import { usePipeline, versionYamlUrl } from '../api/pipelines'
import type { PipelineDetail, VersionDetailed } from '../api/types'
import { count } from '../format/value'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Copy } from '../parts/Copy'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { Loading, Nothing, Notice } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Empty, Fact, Facts, Failed, Page } from '../parts/Page'
import { Tabs } from '../parts/Tabs'
import { ChangeList } from './ChangeList'
import { compare, findings, taskAt } from './diff'
import { InputsTable } from './InputsTable'
import { NodePanel } from './NodePanel'
import css from './Pipelines.module.css'
import { RecentRuns } from './RecentRuns'
import { UploadBox } from './UploadBox'
import { Versions } from './Versions'

const OutlineGraph = late('the graph', () => import('./OutlineGraph'))
const PartitionsView = late('the partitions', () => import('../partitions/PartitionsView'))
const YamlView = late('the YAML', () => import('../code/YamlView'))

/** A pipeline: a version of it, alone or compared with another, all its versions and its newest runs. The address says which. */
export default function PipelinePage({ id }: { id: string }) {
  const [search, change] = useAddress()
  const { data, error } = usePipeline(id, search.get('version') ?? '', search.get('against') ?? '')
  const [uploading, setUploading] = useState(false)
  if (error && !data) return <Failed error={error} what="pipeline" />
  if (!data) return <Loading what="the pipeline" />
  const { pipeline, version } = data
  const none = version === undefined
  return (
    <Clock ticking={false}>
      <Page
        title={pipeline.display_name}
        crumbs={[<Link key="all" href="/pipelines">Pipelines</Link>]}
        head={
          <>
            <span className={css.space} />
            <Button icon="plus" aria-expanded={uploading || none} onClick={() => setUploading(!uploading)}>
              Upload a version
            </Button>
            {version && (
              <>
                <LinkButton href={`/pipelines/${id}/run?version=${version.id}&when=schedule`} icon="loop">
                  Schedule
                </LinkButton>
                <LinkButton href={`/pipelines/${id}/run?version=${version.id}`} icon="play" primary>
                  Run
                </LinkButton>
              </>
            )}
          </>
        }
      >
        {error && (
          <Notice tone="danger" title="What is shown is not what was asked for">
            {error.message}
          </Notice>
        )}
        {pipeline.description && <p className={css.description}>{pipeline.description}</p>}
        {(uploading || none) && (
          <UploadBox
            pipeline={{ id, name: pipeline.display_name }}
            onDone={(v) => {
              setUploading(false)
              change({ version: v.id, against: version?.id, view: '', task: '' })
            }}
          />
        )}
        {version ? <Loaded data={data} version={version} /> : <Empty title="This pipeline has no version yet" />}
      </Page>
    </Clock>
  )
}

const views = ['graph', 'inputs', 'yaml', 'versions', 'runs', 'partitions']

function Loaded({ data, version }: { data: PipelineDetail; version: VersionDetailed }) {
  const [search, change] = useAddress()
  const { pipeline, versions, against, runs } = data
  const view = views.find((v) => v === search.get('view')) ?? 'graph'
  return (
    <>
      <Facts>
        <Fact name="Version">
          <VersionSelect label="Version" data={data} value={version} onChange={(v) => change({ version: v, task: '' })} />
        </Fact>
        <Fact name="Compare with">
          <VersionSelect label="Compare with" none="nothing" data={data} value={against} onChange={(v) => change({ against: v, task: '' })} />
        </Fact>
        <Fact name="Uploaded">
          <Ago time={version.created_at} />
        </Fact>
        {version.outline.sdk && <Fact name="Compiled by">{version.outline.sdk}</Fact>}
        {version.code_source_url && /^https?:/.test(version.code_source_url) && (
          <Fact name="Source">
            <a href={version.code_source_url} rel="noreferrer">
              {version.code_source_url}
            </a>
          </Fact>
        )}
        <Fact name="Digest">
          <code>{version.spec_digest.replace('sha256:', '').slice(0, 12)}</code>
          <Copy text={version.spec_digest} label="Copy the digest" />
        </Fact>
      </Facts>
      {version.description && version.description !== pipeline.description && <p className={css.description}>{version.description}</p>}
      <div className={css.views}>
        <Tabs
          label="Views of the pipeline"
          value={view}
          onChange={(v) => change({ view: v === 'graph' ? '' : v })}
          tabs={[
            { id: 'graph', label: against ? 'Differences' : 'Graph', content: <GraphView version={version} against={against} /> },
            { id: 'inputs', label: 'Inputs', content: <InputsTable inputs={version.outline.root.inputs} /> },
            {
              id: 'yaml',
              label: 'YAML',
              content: <YamlView key={version.id} url={versionYamlUrl(pipeline.id, version.id)} download={versionYamlUrl(pipeline.id, version.id, true)} />,
            },
            { id: 'versions', label: `Versions (${versions.total.toLocaleString('en-GB')})`, content: <Versions data={data} shown={version.id} /> },
            { id: 'runs', label: `Runs (${runs.total.toLocaleString('en-GB')})`, content: <RecentRuns data={data} /> },
            {
              id: 'partitions',
              label: 'Partitions',
              content: <PartitionsView pipeline={pipeline.id} inputs={version.outline.root.inputs} />,
            },
          ]}
        />
      </div>
    </>
  )
}

/** The tasks; with a second version, what differs between the two and where. */
function GraphView({ version, against }: { version: VersionDetailed; against: VersionDetailed | undefined }) {
  const [search, change] = useAddress()
  const comparison = useMemo(() => compare((against ?? version).outline, version.outline), [version, against])
  const found = useMemo(() => findings(comparison), [comparison])
  const selected = search.get('task') ?? ''
  const node = selected === '' ? undefined : taskAt(comparison, selected)
  const select = useMemo(() => (path: string) => change({ task: path }), [change])
  return (
    <>
      {against && (
        <p className={css.legend}>
          From <strong>{against.display_name}</strong> to <strong>{version.display_name}</strong>:{' '}
          {found.length + comparison.root.length === 0 ? 'no difference in tasks or inputs.' : `${count(found.length, 'task')} differ${found.length === 1 ? 's' : ''}.`}
          <span className={css.signs}>+ added, − removed, ~ changed</span>
        </p>
      )}
      {comparison.level().nodes.length === 0 ? (
        <Nothing>This version has no tasks.</Nothing>
      ) : (
        <OutlineGraph comparison={comparison} selected={selected} onSelect={select} />
      )}
      {selected !== '' && (node ? <NodePanel key={selected} comparison={comparison} node={node} comparing={against !== undefined} onClose={() => change({ task: '' })} /> : <Nothing>There is no task {selected} in this version.</Nothing>)}
      {against && (found.length > 0 || comparison.root.length > 0) && (
        <Card title="What differs">
          <ChangeList comparison={comparison} found={found} onSelect={select} />
        </Card>
      )}
    </>
  )
}

interface SelectProps {
  label: string
  none?: string
  data: PipelineDetail
  value: { id: string; display_name: string } | undefined
  onChange: (id: string) => void
}

function VersionSelect({ label, none, data, value, onChange }: SelectProps) {
  const list = data.versions.versions
  return (
    <select className={css.select} aria-label={label} value={value?.id ?? ''} onChange={(e) => onChange(e.target.value)}>
      {none && <option value="">{none}</option>}
      {value && !list.some((v) => v.id === value.id) && <option value={value.id}>{value.display_name}</option>}
      {list.map((v, i) => (
        <option key={v.id} value={v.id}>
          {v.display_name}
          {i === 0 ? ' (newest)' : ''}
        </option>
      ))}
    </select>
  )
}
