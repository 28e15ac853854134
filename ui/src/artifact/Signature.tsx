import type { MLmodel, ModelField } from '../api/types'
import css from './MLmodelView.module.css'

/** What goes into a model and what comes out. */
export function Signature({ model: { inputs, outputs, params } }: { model: MLmodel }) {
  return (
    <>
      {!inputs && !outputs && <p className={css.none}>The model was logged without a signature. Log it with an input example to have one.</p>}
      {inputs && <Fields title="Inputs" fields={inputs} />}
      {outputs && <Fields title="Outputs" fields={outputs} />}
      {params && <Fields title="Parameters" fields={params} />}
    </>
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
