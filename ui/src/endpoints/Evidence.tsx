import type { RolloutEvidence } from '../api/types'
import { number } from '../format/value'
import { List } from '../parts/List'
import { State } from '../parts/State'
import css from './Endpoints.module.css'
import { effectWords, noHarm, testWords, unitWords, verdictSign } from './words'

/** Comparisons with their effects as intervals, and why in words. */
export function EvidenceTable({ list }: { list: readonly RolloutEvidence[] }) {
  return (
    <List caption="Evidence" columns={['Metric', 'Verdict', 'Harm', 'Why']} className={`${css.list} ${css.evidence}`} stacked>
      <tbody>
        {list.map((e, i) => (
          // oxlint-disable-next-line react/no-array-index-key
          <tr key={i} data-metric={e.metric}>
            <th scope="row">
              {e.metric}
              <span className={css.second}>
                version {e.arm}
                {e.critical && ', critical'}
              </span>
            </th>
            <td data-column="Verdict">
              <span>
                <State {...verdictSign(e.verdict)} />
                <span className={css.second}>{testWords(e.test)}</span>
                {e.p !== undefined && <span className={css.second}>p {number(Number(e.p.toPrecision(3)))}</span>}
                {e.chance !== undefined && <span className={css.second}>best with chance {number(Number(e.chance.toPrecision(3)))}</span>}
              </span>
            </td>
            <td data-column="Harm">
              <span>
                <Interval evidence={e} />
                {e.estimate !== undefined && e.test !== 'thompson' && (
                  <span className={css.second}>
                    {effectWords(e)}, {unitWords(e.unit)}
                  </span>
                )}
              </span>
            </td>
            <td data-column="Why">
              <span>{e.reason}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </List>
  )
}

/** An effect with its interval, beside no harm and the tolerance. */
function Interval({ evidence: e }: { evidence: RolloutEvidence }) {
  if (e.estimate === undefined || e.test === 'thompson') return null
  const none = noHarm(e.unit)
  // A limit that the candidate itself keeps to is not in the unit of the effect.
  const limit = e.baseline && e.unit !== 'ratio' && e.unit !== 'windows' ? e.tolerance : undefined
  const known = [none, e.estimate, e.low ?? e.estimate, e.high ?? e.estimate, ...(limit === undefined ? [] : [limit])]
  const [least, most] = [Math.min(...known), Math.max(...known)]
  const room = (most - least || 1) * 0.06
  const at = (v: number) => (100 * (v - least + room)) / (most - least + 2 * room)
  const tone = e.verdict === 'fail' ? css.bad : e.verdict === 'pass' ? css.good : css.open
  return (
    <svg className={`${css.interval} ${tone}`} role="img" aria-label={`harm ${effectWords(e)}${limit === undefined ? '' : `, tolerance ${limit}`}`}>
      <line className={css.none} x1={`${at(none)}%`} x2={`${at(none)}%`} y1="0" y2="18" />
      {limit !== undefined && <line className={css.limit} x1={`${at(limit)}%`} x2={`${at(limit)}%`} y1="0" y2="18" />}
      <line x1={`${e.low === undefined ? 0 : at(e.low)}%`} x2={`${e.high === undefined ? 100 : at(e.high)}%`} y1="9" y2="9" />
      <circle cx={`${at(e.estimate)}%`} cy="9" r="3" />
    </svg>
  )
}
