import type { OutlineInput } from '../api/types'
import { typeWord } from '../form/fields'
import { valueLine, valueText } from '../format/value'
import { Nothing } from '../parts/Notice'
import { pageCss } from '../parts/Page'
import css from './Pipelines.module.css'

/** What a pipeline takes: each input with its type, default and description. */
export function InputsTable({ inputs }: { inputs: readonly OutlineInput[] }) {
  if (inputs.length === 0) return <Nothing>This pipeline takes none.</Nothing>
  return (
    <table className={`${pageCss.list} ${css.inner}`}>
      <caption className="visually-hidden">Inputs of the pipeline</caption>
      <thead>
        <tr>
          <th scope="col">Input</th>
          <th scope="col">Type</th>
          <th scope="col">Default</th>
          <th scope="col" className={pageCss.optional}>
            Description
          </th>
        </tr>
      </thead>
      <tbody>
        {inputs.map((input) => (
          <tr key={input.name}>
            <th scope="row">{input.name}</th>
            <td>
              {input.artifact ? `${input.type}${input.list ? ', a list' : ''}` : typeWord(input.type)}
              {input.literals && <div className={pageCss.soft}>one of {input.literals.map((l) => valueLine(l)).join(', ')}</div>}
            </td>
            <td>
              <Default input={input} />
            </td>
            <td className={pageCss.optional}>{input.description}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Default({ input }: { input: OutlineInput }) {
  if (input.default === undefined) return <span className={pageCss.soft}>{input.required ? 'needed' : 'may be left out'}</span>
  const text = valueText(input.default)
  if (text === '') return <span className={pageCss.soft}>empty</span>
  return <pre className={css.value}>{text}</pre>
}
