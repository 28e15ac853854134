import type { Deployment } from '../api/types'
import { Link } from '../parts/Link'
import { pageCss } from '../parts/Page'
import { deploymentWords } from './words'
import css from './ModelPage.module.css'

/** The endpoints at which versions are deployed, and what they get there. With several versions each is named. */
export function Deployed({ list, named = false }: { list: readonly Deployment[]; named?: boolean }) {
  if (list.length === 0) return <span className={pageCss.soft}>nowhere</span>
  return (
    <ul className={css.deployed}>
      {list.map((d) => (
        <li key={`${d.endpoint} ${d.version}`}>
          <Link href={`/endpoints/${encodeURIComponent(d.endpoint)}`}>{d.endpoint}</Link> <span className={pageCss.soft}>{deploymentWords(d, named)}</span>
        </li>
      ))}
    </ul>
  )
}
