import { useState } from 'react'
import type { Deployment } from '../api/types'
import { Button } from '../parts/Button'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { pageCss } from '../parts/Page'
import { deploymentWords } from './words'
import css from './ModelPage.module.css'

const DeployDialog = late(undefined, () => import('../endpoints/DeployDialog'))

/** Deploys a version with a form, to an endpoint that is there or to a new one. */
export function Deploy({ model, version }: { model: string; version: string }) {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button icon="plus" onClick={() => setAsking(true)}>
        Deploy
      </Button>
      {asking && <DeployDialog model={model} version={version} onClose={() => setAsking(false)} />}
    </>
  )
}

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
