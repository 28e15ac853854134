import { useMemo } from 'react'
import type { ModelVersion } from '../api/types'
import { DiffTable, useAlsoEqual } from '../compare/DiffTable'
import { Button } from '../parts/Button'
import { Link } from '../parts/Link'
import { Nothing } from '../parts/Notice'
import { versionPath } from './Maker'
import css from './ModelPage.module.css'
import { versionGroups } from './versions'

/** Versions side by side: a column for each, with what differs between them. */
export function VersionsCompare({ model, versions, onClear }: { model: string; versions: readonly ModelVersion[]; onClear: () => void }) {
  const [all, box] = useAlsoEqual()
  const groups = useMemo(() => versionGroups(versions, all), [versions, all])
  return (
    <section className={css.compare} aria-label="Compared versions">
      <div className={css.head}>
        <h2>{versions.length < 2 ? 'Compare versions' : `Compare ${versions.length} versions`}</h2>
        {box}
        <Button onClick={onClear}>Done</Button>
      </div>
      {versions.length < 2 && <Nothing>Tick another version above.</Nothing>}
      {versions.length > 1 && groups.length === 0 && <Nothing>The versions do not differ.</Nothing>}
      {versions.length > 1 && groups.length > 0 && (
        <DiffTable label="Compared versions" heads={versions.map((v) => ({ id: v.version, head: <Link href={versionPath(model, v.version)}>Version {v.version}</Link> }))} groups={groups} />
      )}
    </section>
  )
}
