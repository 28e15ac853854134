import { useModelCard } from '../api/tracking'
import type { ModelCard } from '../api/types'
import { Signature } from '../artifact/Signature'
import { bytes, number } from '../format/value'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { Loading, Nothing, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Fact, Facts, Failed, Page } from '../parts/Page'
import { Dataset } from '../tracked/Dataset'
import { Pairs } from '../tracked/Pairs'
import { Aliases } from './Aliases'
import { Deploy, Deployed } from './Deployed'
import { Describe } from './Describe'
import { Maker } from './Maker'
import { ModelFiles } from './ModelFiles'
import css from './ModelPage.module.css'
import { TagEditor } from './TagEditor'

/** The card of a model's version: all that is known of it, on one page to read. */
export default function VersionPage({ id: name, version }: { id: string; version: string }) {
  const card = useModelCard(name, version)
  if (card.error && !card.data) return <Failed error={card.error} what="version" />
  if (!card.data) return <Loading what="the version" />
  const { model, version: v, newest } = card.data
  const here = `/models/${encodeURIComponent(name)}`
  return (
    <Clock ticking={false}>
      <Page
        title={`${name}, version ${v.version}`}
        crumbs={[
          <Link key="all" href="/models">
            Models
          </Link>,
          <Link key="model" href={`${here}?version=${v.version}`}>
            {name}
          </Link>,
        ]}
        head={v.stage !== 'None' && <span className={css.badge}>{v.stage}</span>}
      >
        <Stale what="card" error={card.error} />
        <div className={css.head}>
          <Aliases model={name} version={v} />
          <Deploy model={name} version={v.version} />
          <Link href={`/lineage?node=${encodeURIComponent(`model:${name}/${v.version}`)}`} className={css.cardLink}>
            Lineage
          </Link>
          {newest !== v.version && (
            <Link href={`${here}?compare=${v.version}&compare=${newest}`} className={css.cardLink}>
              Compare with version {newest}
            </Link>
          )}
        </div>
        <CardFacts card={card.data} />
        <Describe model={name} version={v.version} text={v.description} what="version" />
        <div className={css.cards2}>
          <CardMetrics card={card.data} />
          <Card title="Signature">
            {card.data.signature ? (
              <div className={css.inset}>
                <Signature model={card.data.signature} />
              </div>
            ) : (
              <Nothing>{card.data.signature_note}</Nothing>
            )}
          </Card>
          {v.run && (
            <Card title={`Parameters of the run (${Object.keys(v.run.params).length})`}>
              <Pairs values={v.run.params} empty="None were logged." />
            </Card>
          )}
          <Card title={`Data that the run read (${card.data.datasets.length})`}>
            {card.data.datasets.length === 0 && <Nothing>{v.run ? 'The run logged none.' : 'The run is not known.'}</Nothing>}
            <ul>
              {card.data.datasets.map((d) => (
                <Dataset key={`${d.name} ${d.digest} ${d.context ?? ''}`} dataset={d} />
              ))}
            </ul>
          </Card>
          <TagEditor title="Tags" model={name} version={v.version} tags={v.tags} />
          <Card title="From where">
            <Pairs
              values={{
                Source: v.source,
                ...(card.data.logged ? { 'Logged model': `${card.data.logged.name} (${card.data.logged.id})`, Status: card.data.logged.status.toLowerCase().replaceAll('_', ' ') } : {}),
                ...(card.data.logged?.type ? { Type: card.data.logged.type } : {}),
              }}
              empty=""
            />
          </Card>
          {card.data.logged && Object.keys(card.data.logged.params).length > 0 && (
            <Card title="Parameters of the logged model">
              <Pairs values={card.data.logged.params} empty="" />
            </Card>
          )}
        </div>
        <ModelFiles model={name} version={v} />
        {model.description && <Describe model={name} text={model.description} what="model" />}
      </Page>
    </Clock>
  )
}

function CardFacts({ card: { version: v, experiment_name, signature, deployed } }: { card: ModelCard }) {
  const size = v.files.reduce((sum, f) => sum + f.size, 0)
  const mlflow = signature?.facts?.mlflow_version
  const python = signature?.flavors.find((f) => f.name === 'python_function')?.facts?.python_version
  return (
    <Facts>
      <Fact name="Registered">
        <Ago time={v.created_at} />
      </Fact>
      <Fact name="Made by">
        <Maker version={v} />
      </Fact>
      {v.run && (
        <Fact name="Experiment">
          <Link href={`/experiments/${v.run.experiment_id}`}>{experiment_name}</Link>
        </Fact>
      )}
      <Fact name="Deployed at">
        <Deployed list={deployed} />
      </Fact>
      <Fact name="Files">{v.files.length > 0 ? `${number(v.files.length)}, ${bytes(size)}` : 'kept elsewhere'}</Fact>
      {signature && <Fact name="Loaded with">{signature.flavors.map((f) => f.name).join(', ')}</Fact>}
      {mlflow && <Fact name="Written by">MLflow {mlflow}</Fact>}
      {python && <Fact name="Python">{python}</Fact>}
    </Facts>
  )
}

function CardMetrics({ card: { version: v } }: { card: ModelCard }) {
  return (
    <Card title={`Metrics${v.metrics_of ? ` of the ${v.metrics_of === 'model' ? 'logged model' : 'run'}` : ''} (${v.metrics.length})`}>
      {v.metrics.length === 0 && <Nothing>None were logged.</Nothing>}
      {v.metrics.length > 0 && (
        <table className={css.plain}>
          <tbody>
            {v.metrics.map((m) => (
              <tr key={m.key}>
                <th scope="row">{m.key}</th>
                <td title={String(m.value ?? 'NaN')}>{m.value === undefined ? 'NaN' : number(m.value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  )
}
