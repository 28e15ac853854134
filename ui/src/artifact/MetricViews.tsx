import { number, valueLine } from '../format/value'
import { late } from '../parts/late'
import css from './MetricViews.module.css'
import type { Classification, ScalarMetric } from './metrics'

const ClassificationView = late('the curve', () => import('./ClassificationView'))

export function Scalars({ metrics, className }: { metrics: ScalarMetric[]; className: string | undefined }) {
  return (
    <table className={`${css.metrics} ${className}`}>
      <tbody>
        {metrics.map((m) => (
          <tr key={m.name}>
            <th scope="row">{m.name}</th>
            <td>{typeof m.value === 'number' ? number(m.value) : valueLine(m.value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function Classifications({ list }: { list: Classification[] }) {
  return list.map((c) => <ClassificationView key={c.slice ?? ''} classification={c} />)
}
