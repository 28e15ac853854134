import { useState } from 'react'
import { usePartitioning } from '../api/backfills'
import type { OutlineInput, Partition } from '../api/types'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { Loading, Notice } from '../parts/Notice'
import { BackfillDialog } from './BackfillDialog'
import { BackfillTable } from './BackfillTable'
import css from './Partitions.module.css'
import { SelectedPartition } from './SelectedPartition'
import { signs, states } from './states'
import { Strip } from './Strip'

/** The partitions of a pipeline, and its backfills. */
export default function PartitionsView({ pipeline, inputs }: { pipeline: string; inputs: readonly OutlineInput[] }) {
  const { data, error } = usePartitioning(pipeline)
  const [open, setOpen] = useState(false)
  const [selected, setSelected] = useState<Partition & { page: number }>()
  if (error && !data) return <Notice tone="danger" title="The partitions cannot be read">{error.message}</Notice>
  if (!data) return <Loading what="the partitions" />
  const { definition, counts, total } = data
  return (
    <div className={css.view}>
      <div className={css.head}>
        {definition ? (
          <p>
            By <code>{definition.parameter}</code>
            {definition.every && `, ${definition.every}, from ${definition.start ?? ''}${definition.end ? ` to ${definition.end}` : ''} (${definition.time_zone || 'UTC'})`}
          </p>
        ) : (
          <p>
            This pipeline is not partitioned. A partition is the work of one run: a day, a month, a key. The first backfill says by which parameter.
          </p>
        )}
        <Button icon="plus" onClick={() => setOpen(true)}>
          Backfill
        </Button>
      </div>
      {definition && total > 0 && (
        <>
          <Strip pipeline={pipeline} total={total} parameter={definition.parameter} selected={selected?.key} onSelect={setSelected} />
          <ul className={css.counts} aria-label="Partitions by state">
            {states.map((state) => (
              <li key={state} data-count={state}>
                <span className={`${css.cell} ${css[state]}`}>
                  <Icon name={signs[state]} size={12} />
                </span>
                {(counts[state] ?? 0).toLocaleString('en-GB')} {state}
              </li>
            ))}
          </ul>
          {selected && <SelectedPartition pipeline={pipeline} partition={selected} />}
        </>
      )}
      {definition && total === 0 && <p className={css.soft}>There is none yet: the first one is not over.</p>}
      <BackfillTable pipeline={pipeline} />
      {open && <BackfillDialog pipeline={pipeline} inputs={inputs} definition={definition} first={selected?.key} onClose={() => setOpen(false)} />}
    </div>
  )
}
