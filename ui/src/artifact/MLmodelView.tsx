import type { ModelField } from '../api/types'
import { Loading, Notice } from '../parts/Notice'
import { CodeView } from './CodeView'
import css from './MLmodelView.module.css'
import { type Place, useMLmodel } from './place'

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
  const { flavors, inputs, outputs, params, facts = {}, metadata = {} } = model.data
  return (
    <div className={css.model}>
      <section>
        <h4>Signature</h4>
        {!inputs && !outputs && <p className={css.none}>The model was logged without a signature. Log it with an input example to have one.</p>}
        {inputs && <Fields title="Inputs" fields={inputs} />}
        {outputs && <Fields title="Outputs" fields={outputs} />}
        {params && <Fields title="Parameters" fields={params} />}
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

function Fields({ title, fields }: { title: string; fields: readonly ModelField[] }) {
  return (
    <div className={css.scroll}>
      <table className={css.fields}>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
            <th scope="col">Needed</th>
          </tr>
        </thead>
        <tbody>
          {fields.map((f, i) => (
            // oxlint-disable-next-line react/no-array-index-key
            <tr key={i}>
              <th scope="row">{f.name ? <bdi>{f.name}</bdi> : <span className={css.none}>without a name</span>}</th>
              <td>
                <code>{f.type}</code>
              </td>
              <td>{f.default !== undefined ? `else ${f.default}` : f.optional ? 'optional' : 'yes'}</td>
            </tr>
          ))}
        </tbody>
      </table>
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
