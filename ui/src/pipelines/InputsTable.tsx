import type { OutlineInput } from '../api/types'
import { typeWord } from '../form/fields'
import { valueLine, valueText } from '../format/value'
import { List } from '../parts/List'
import { Nothing } from '../parts/Notice'
import { pageCss } from '../parts/Page'
import css from './Pipelines.module.css'

/** What a pipeline takes: each input with its type, default and description. */
export function InputsTable({ inputs }: { inputs: readonly OutlineInput[] }) {
  if (inputs.length === 0) return <Nothing>This pipeline takes none.</Nothing>
  return (
    <List caption="Inputs of the pipeline" columns={['Input', 'Type', 'Default', { name: 'Description', optional: true }]} className={css.inner}>
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
    </List>
  )
}

function Default({ input }: { input: OutlineInput }) {
  if (input.default === undefined) return <span className={pageCss.soft}>{input.required ? 'needed' : 'may be left out'}</span>
  const text = valueText(input.default)
  if (text === '') return <span className={pageCss.soft}>empty</span>
  return <pre className={css.value}>{text}</pre>
}
