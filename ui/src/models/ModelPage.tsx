import { lazy, Suspense, useMemo } from 'react'
import { Link } from 'wouter'
import { contentOf, type Place } from '../artifact/place'
import { useModel } from '../api/tracking'
import type { ModelDetail, ModelVersion, RegisteredModel } from '../api/types'
import { bytes, count, number, shortDigest } from '../format/value'
import { lineageOf } from '../lineage/graph'
import { useAddress } from '../parts/address'
import { ButtonLink } from '../parts/Button'
import { Card } from '../parts/Card'
import { Copy } from '../parts/Copy'
import { Icon } from '../parts/icons'
import { Loading, Notice } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { Pairs } from '../tracked/Pairs'
import { Aliases } from './Aliases'
import css from './ModelPage.module.css'

const FilePreview = lazy(async () => ({ default: (await import('../artifact/FilePreview')).FilePreview }))
const Markdown = lazy(async () => ({ default: (await import('../artifact/Markdown')).Markdown }))

/** A registered model: its versions side by side, and one of them in detail. */
export default function ModelPage({ id: name }: { id: string }) {
  const model = useModel(name)
  if (model.error && !model.data) return <Failed error={model.error} what="model" />
  if (!model.data) return <Loading what="the model" />
  return (
    <Clock ticking={false}>
      <Page title={name} crumbs={[<Link key="all" href="/models">Models</Link>]}>
        {model.error && (
          <Notice tone="danger" title="The model could not be brought up to date">
            {model.error.message}
          </Notice>
        )}
        <Detail detail={model.data} />
      </Page>
    </Clock>
  )
}

function Detail({ detail: { model, versions, total } }: { detail: ModelDetail }) {
  const [search, change] = useAddress()
  const chosen = versions.find((v) => v.version === search.get('version')) ?? versions[0]
  return (
    <>
      <Facts>
        <Fact name="Versions">{number(total)}</Fact>
        <Fact name="Created">
          <Ago time={model.created_at} />
        </Fact>
        <Fact name="Changed">
          <Ago time={model.updated_at} />
        </Fact>
      </Facts>
      {model.description && <Described text={model.description} />}
      {versions.length === 0 && <p className={css.none}>The model has no versions.</p>}
      {chosen && (
        <>
          <Versions versions={versions} chosen={chosen} onChoose={(version) => change({ version, file: undefined })} />
          {versions.length < total && <p className={pageCss.soft}>{`The newest ${versions.length} of ${count(total, 'version')}.`}</p>}
          <Version key={chosen.version} model={model} version={chosen} />
        </>
      )}
    </>
  )
}

function Described({ text }: { text: string }) {
  return (
    <Card title="Description">
      <Suspense fallback={<Loading what="the description" />}>
        <Markdown text={text} />
      </Suspense>
    </Card>
  )
}

interface VersionsProps {
  versions: readonly ModelVersion[]
  chosen: ModelVersion
  onChoose: (version: string) => void
}

/** The versions side by side, with what was measured of each. */
function Versions({ versions, chosen, onChoose }: VersionsProps) {
  const metrics = useMemo(() => [...new Set(versions.flatMap((v) => v.metrics.map((m) => m.key)))].toSorted(), [versions])
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.scroll} tabIndex={0} role="region" aria-label="Versions">
      <table className={css.versions}>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Aliases</th>
            <th scope="col">Stage</th>
            <th scope="col">Registered</th>
            <th scope="col">Made by</th>
            {metrics.map((key) => (
              <th key={key} scope="col" className={css.right}>
                {key}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {versions.map((v) => (
            <tr key={v.version} data-version={v.version} className={v === chosen ? css.chosen : undefined}>
              <th scope="row">
                <button type="button" aria-pressed={v === chosen} onClick={() => onChoose(v.version)}>
                  Version {v.version}
                </button>
              </th>
              <td>
                <span className={css.badges}>
                  {v.aliases.map((a) => (
                    <span key={a} className={css.alias}>
                      @{a}
                    </span>
                  ))}
                </span>
              </td>
              <td>{v.stage === 'None' ? <span className={pageCss.soft}>none</span> : <span className={css.badge}>{v.stage}</span>}</td>
              <td>
                <Ago time={v.created_at} />
              </td>
              <td>
                <Maker version={v} />
              </td>
              {metrics.map((key) => {
                const value = v.metrics.find((m) => m.key === key)
                return (
                  <td key={key} className={css.right}>
                    {value ? (value.value === undefined ? 'NaN' : number(value.value)) : '–'}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The run that made a version, and the pipeline's task that this was. */
function Maker({ version: { run } }: { version: ModelVersion }) {
  if (!run) return <span className={pageCss.soft}>unknown</span>
  return (
    <span className={css.maker}>
      <Link href={`/tracked-runs/${run.id}`} title={run.name}>
        {run.name || run.id.slice(0, 8)}
      </Link>
      {run.pipeline?.task_id && (
        <Link href={`/runs/${run.pipeline.run_id}/tasks/${run.pipeline.task_id}`} className={css.task} title={`The task ${run.pipeline.path} of a pipeline`}>
          task
        </Link>
      )}
    </span>
  )
}

function Version({ model, version }: { model: RegisteredModel; version: ModelVersion }) {
  return (
    <section className={css.version} aria-label={`Version ${version.version}`}>
      <div className={css.head}>
        <h2>Version {version.version}</h2>
        <Link href={lineageOf(`model:${model.name}/${version.version}`)}>Lineage</Link>
        <Aliases model={model.name} version={version} />
      </div>
      {version.description && <Described text={version.description} />}
      <div className={css.cards}>
        <Files model={model.name} version={version} />
        <Card title="From where">
          <Pairs
            values={{
              Source: version.source,
              ...(version.model_id ? { 'Logged model': version.model_id } : {}),
              ...(version.metrics_of ? { Metrics: version.metrics_of === 'model' ? 'of the logged model' : 'of the run' } : {}),
            }}
            empty=""
          />
        </Card>
        {version.run && Object.keys(version.run.params).length > 0 && (
          <Card title="Parameters of the run">
            <Pairs values={version.run.params} empty="" />
          </Card>
        )}
        {Object.keys(version.tags).length > 0 && (
          <Card title="Tags">
            <Pairs values={version.tags} empty="" />
          </Card>
        )}
        {Object.keys(model.tags).length > 0 && (
          <Card title="Tags of the model">
            <Pairs values={model.tags} empty="" />
          </Card>
        )}
      </div>
    </section>
  )
}

const manyFiles = 200

function Files({ model, version }: { model: string; version: ModelVersion }) {
  const [search, change] = useAddress()
  const open = search.get('file')
  const place: Place = { kind: 'version', model, version: version.version }
  const files = version.files.slice(0, manyFiles)
  return (
    <Card title={`Files (${version.files.length})`}>
      {files.length === 0 && <p className={css.none}>Levada does not keep the files of this version; they are at its source.</p>}
      <ul className={css.files}>
        {files.map((file) => (
          <li key={file.path}>
            <div>
              <Icon name="file" />
              <button type="button" aria-expanded={open === file.path} onClick={() => change({ file: open === file.path ? undefined : file.path })}>
                {file.path}
              </button>
              <span>{bytes(file.size)}</span>
              <code title={`sha256:${file.sha256}`} className={css.digest}>
                {shortDigest(`sha256:${file.sha256}`)}
              </code>
              <Copy text={`sha256:${file.sha256}`} label={`Copy the digest of ${file.path}`} />
              <ButtonLink icon="download" label={`Download ${file.path}`} href={contentOf(place, file.path, true)} download />
            </div>
            {open === file.path && (
              <Suspense fallback={<Loading what="the file" />}>
                <FilePreview place={place} path={file.path} size={file.size} />
              </Suspense>
            )}
          </li>
        ))}
      </ul>
      {version.files.length > manyFiles && <p className={css.none}>{`and ${version.files.length - manyFiles} more`}</p>}
    </Card>
  )
}
