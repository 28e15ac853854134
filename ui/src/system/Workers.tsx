import type { ModelWorkers } from '../api/types'
import { versionName, versionSign } from '../endpoints/words'
import { bytes, count, number } from '../format/value'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Nothing } from '../parts/Notice'
import { State } from '../parts/State'
import css from './SystemPage.module.css'

/** The processes that serve models: of which endpoint and version, how they are, and what they take. */
export function Workers({ list }: { list: readonly ModelWorkers[] }) {
  const memory = list.reduce((n, w) => n + w.memory_bytes, 0)
  return (
    <Card title="Workers of endpoints" extra={list.length > 0 && <span className={css.age}>{`${count(list.reduce((n, w) => n + (w.model ? w.workers : 0), 0), 'worker')}, ${bytes(memory)}`}</span>}>
      {list.length === 0 && <Nothing>No model is served.</Nothing>}
      {list.length > 0 && (
        <List caption="Workers of endpoints" columns={['Endpoint', 'Version', 'State', 'Runtime', 'Workers', 'Memory', 'Waiting', 'Restarts']} className={css.workers} stacked>
          <tbody>
            {list.map((w) => (
              <tr key={`${w.endpoint} ${w.version}`} data-workers={`${w.endpoint} ${w.version}`}>
                <th scope="row">
                  <Link href={`/endpoints/${encodeURIComponent(w.endpoint)}`}>{w.endpoint}</Link>
                  {w.error && <span className={css.wrong}>{w.error}</span>}
                </th>
                <td data-column="Version">
                  {w.model ? (
                    <span>
                      <Link href={`/models/${encodeURIComponent(w.model)}/versions/${w.version}`}>{`${w.model}, ${versionName(w.version, 'version ')}`}</Link>
                    </span>
                  ) : (
                    <span>{w.version}, on another server</span>
                  )}
                </td>
                <td data-column="State">
                  <State {...versionSign(w.state)} />
                </td>
                <td data-column="Runtime">
                  <span>{w.runtime ?? '–'}</span>
                </td>
                <td data-column="Workers">
                  <span>{number(w.workers)}</span>
                </td>
                <td data-column="Memory">
                  <span>{w.memory_bytes > 0 ? bytes(w.memory_bytes) : '–'}</span>
                </td>
                <td data-column="Waiting">
                  <span>{number(w.waiting)}</span>
                </td>
                <td data-column="Restarts">
                  <span>{number(w.restarts)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </List>
      )}
    </Card>
  )
}
