import { useMemo } from 'react'
import { useModel } from '../api/tracking'
import type { Deployment, ModelDetail, ModelVersion, RegisteredModel } from '../api/types'
import { count, number } from '../format/value'
import { lineageOf } from '../lineage/graph'
import { useAddress } from '../parts/address'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { Loading, Nothing, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { Pairs } from '../tracked/Pairs'
import { Aliases } from './Aliases'
import { Deploy, Deployed } from './Deployed'
import { Describe } from './Describe'
import { Maker, versionPath } from './Maker'
import { ModelFiles } from './ModelFiles'
import css from './ModelPage.module.css'
import { TagEditor } from './TagEditor'
import { VersionsCompare } from './VersionsCompare'

/** A registered model: its versions side by side, and one of them in detail. */
export default function ModelPage({ id: name }: { id: string }) {
  const model = useModel(name)
  if (model.error && !model.data) return <Failed error={model.error} what="model" />
  if (!model.data) return <Loading what="the model" />
  return (
    <Clock ticking={false}>
      <Page title={name} crumbs={[<Link key="all" href="/models">Models</Link>]}>
        <Stale what="model" error={model.error} />
        <Detail detail={model.data} />
      </Page>
    </Clock>
  )
}

function Detail({ detail: { model, versions, total } }: { detail: ModelDetail }) {
  const [search, change] = useAddress()
  const chosen = versions.find((v) => v.version === search.get('version')) ?? versions[0]
  const named = search.getAll('compare')
  const compared = versions.filter((v) => named.includes(v.version))
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
      <Describe model={model.name} text={model.description} what="model" />
      {versions.length === 0 && <Nothing>The model has no versions.</Nothing>}
      {chosen && (
        <>
          <Versions
            versions={versions}
            deployed={model.deployed}
            chosen={chosen}
            compared={named}
            onChoose={(version) => change({ version, file: undefined })}
            onCompare={(version) => change({ compare: named.includes(version) ? named.filter((n) => n !== version) : [...named, version] })}
          />
          {named.length > 0 && <VersionsCompare model={model.name} versions={compared} onClear={() => change({ compare: undefined, all: undefined })} />}
          {versions.length < total && <p className={pageCss.soft}>{`The newest ${versions.length} of ${count(total, 'version')}.`}</p>}
          <Version key={chosen.version} model={model} version={chosen} />
        </>
      )}
    </>
  )
}

interface VersionsProps {
  versions: readonly ModelVersion[]
  deployed: readonly Deployment[]
  chosen: ModelVersion
  onChoose: (version: string) => void
  /** The numbers of those that are compared. */
  compared: readonly string[]
  onCompare: (version: string) => void
}

/** The versions side by side, with what was measured of each: the newest hundred. */
function Versions(props: VersionsProps) {
  const { versions } = props
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
            <th scope="col">Deployed</th>
            <th scope="col">Registered</th>
            <th scope="col">Made by</th>
            {metrics.map((key) => (
              <th key={key} scope="col" className={css.right}>
                {key}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{versions.map((version) => versionRow(props, metrics, version))}</tbody>
      </table>
    </div>
  )
}

function versionRow({ chosen, compared, deployed, onChoose, onCompare }: VersionsProps, metrics: readonly string[], v: ModelVersion) {
  return (
    <tr key={v.version} data-version={v.version} className={v === chosen ? css.chosen : undefined}>
      <th scope="row">
        <input type="checkbox" aria-label={`Compare version ${v.version}`} title="Compare" checked={compared.includes(v.version)} onChange={() => onCompare(v.version)} />
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
        <Deployed list={deployed.filter((d) => d.version === v.version)} />
      </td>
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
  )
}

function Version({ model, version }: { model: RegisteredModel; version: ModelVersion }) {
  return (
    <section className={css.version} aria-label={`Version ${version.version}`}>
      <div className={css.head}>
        <h2>Version {version.version}</h2>
        <Link href={lineageOf(`model:${model.name}/${version.version}`)}>Lineage</Link>
        <Aliases model={model.name} version={version} />
        <Deploy model={model.name} version={version.version} />
        <Link href={versionPath(model.name, version.version)} className={css.cardLink}>
          Open its card
        </Link>
      </div>
      <Describe model={model.name} version={version.version} text={version.description} what="version" />
      <div className={css.cards}>
        <ModelFiles model={model.name} version={version} />
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
        <TagEditor title="Tags" model={model.name} version={version.version} tags={version.tags} />
        <TagEditor title="Tags of the model" model={model.name} tags={model.tags} />
      </div>
    </section>
  )
}
