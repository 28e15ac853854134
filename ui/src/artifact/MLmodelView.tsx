import { Loading, Notice } from '../parts/Notice'
import { CodeView } from './CodeView'
import css from './MLmodelView.module.css'
import { type Place, useMLmodel } from './place'
import { Signature } from './Signature'

/** What a model says about itself: in which forms it can be loaded, what goes in and what comes out. */
export function MLmodelView({ place, path, text }: { place: Place; path: string; text: string }) {
  const model = useMLmodel(place, path)
  if (model.isPending) return <Loading what="the model’s signature" />
  if (model.error) {
    return (
      <>
        <Notice tone="neutral" title="The model’s description cannot be read">
          {model.error.message}
        </Notice>
        <CodeView text={text} language="yaml" title={path} />
      </>
    )
  }
  const { flavors, facts = {}, metadata = {} } = model.data
  return (
    <div className={css.model}>
      <section>
        <h4>Signature</h4>
        <Signature model={model.data} />
      </section>
      <section>
        <h4>Flavours</h4>
        <ul className={css.flavors}>
          {flavors.map((f) => (
            <li key={f.name}>
              <strong>{f.name}</strong>
              <Facts facts={f.facts ?? {}} />
            </li>
          ))}
        </ul>
      </section>
      <section>
        <h4>About</h4>
        <Facts facts={{ ...facts, ...metadata }} />
      </section>
    </div>
  )
}

function Facts({ facts }: { facts: Record<string, string> }) {
  const entries = Object.entries(facts).toSorted(([a], [b]) => a.localeCompare(b))
  return (
    <dl className={css.facts}>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  )
}
