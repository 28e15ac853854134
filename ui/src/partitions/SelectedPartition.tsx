import { usePartitions } from '../api/backfills'
import type { Partition } from '../api/types'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { Ago } from '../parts/now'
import css from './Partitions.module.css'
import { signs } from './states'

/** What is known about a partition, as it is now where the strip shows it. */
export function SelectedPartition({ pipeline, partition }: { pipeline: string; partition: Partition & { page: number } }) {
  const pages = usePartitions(pipeline, [partition.page])
  const now = [...pages.values()].flat().find((p) => p.key === partition.key) ?? partition
  return (
    <p className={css.selected} aria-live="polite" data-selected={now.key}>
      <span className={`${css.cell} ${css[now.state]}`}>
        <Icon name={signs[now.state]} size={12} />
      </span>
      <strong>{now.key}</strong> is {now.state}
      {now.why && <>: {now.why}</>}
      {now.run_id && (
        <>
          {' '}
          <Link href={`/runs/${now.run_id}`}>its run</Link>
          {now.at && (
            <>
              , <Ago time={now.at} />
            </>
          )}
        </>
      )}
    </p>
  )
}
