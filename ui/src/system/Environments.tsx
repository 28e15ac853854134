import type { Environment } from '../api/types'
import { bytes, count } from '../format/value'
import { Card } from '../parts/Card'
import { Nothing } from '../parts/Notice'
import { Ago } from '../parts/now'
import css from './SystemPage.module.css'

/** The Python environments that steps run in, the largest first. */
export function Environments({ list }: { list: readonly Environment[] }) {
  const all = list.toSorted((a, b) => b.size_bytes - a.size_bytes)
  return (
    <Card title="Python environments" extra={all.length > 0 && <span className={css.age}>{`${count(all.length, 'environment')}, ${bytes(all.reduce((n, e) => n + e.size_bytes, 0))}`}</span>}>
      {all.length === 0 && <Nothing>There are none yet. The first step that needs packages has one made.</Nothing>}
      {all.length > 0 && (
        <table className={`${css.areas} ${css.first}`}>
          <caption className="visually-hidden">Python environments</caption>
          <thead>
            <tr>
              <th scope="col">Made of</th>
              <th scope="col" className={css.whole}>
                Python
              </th>
              <th scope="col" className={css.right}>
                Size
              </th>
              <th scope="col" className={css.right}>
                Last used
              </th>
            </tr>
          </thead>
          <tbody>
            {all.map((e) => (
              <tr key={e.key}>
                <th scope="row">
                  <code>{e.requirements.length > 0 ? e.requirements.join(', ') : 'no packages'}</code>
                  {e.state !== 'READY' && <span className={css.soft}> is being made</span>}
                </th>
                <td className={css.whole}>{e.python}</td>
                <td className={css.right}>{bytes(e.size_bytes)}</td>
                <td className={css.right}>{e.last_used_at ? <Ago time={e.last_used_at} /> : 'never'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  )
}
