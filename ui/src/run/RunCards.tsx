import { useMemo, useState } from 'react'
import { ArtifactCard } from '../artifact/ArtifactCard'
import { runMetrics, type TaskMetric } from '../artifact/metrics'
import type { Run } from '../api/types'
import { number, valueLine } from '../format/value'
import { ancestors, type Tree } from '../graph/tree'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { Nothing } from '../parts/Notice'
import { Parameters } from '../parts/Parameters'
import css from './RunCards.module.css'

/** What went into the run and what came out of it. */
export function RunCards({ run, tree }: { run: Run; tree: Tree }) {
  const metrics = useMemo(() => runMetrics(tree.byPath.values()), [tree])
  const outputs = run.outputs.parameters ?? {}
  const artifacts = Object.entries(run.outputs.artifacts ?? {})
  return (
    <div className={css.cards}>
      {metrics.length > 0 && <Metrics run={run} tree={tree} metrics={metrics} />}
      <Card title="Parameters">
        {Object.keys(run.parameters).length > 0 ? <Parameters values={run.parameters} /> : <Nothing>This pipeline takes none.</Nothing>}
      </Card>
      {(Object.keys(outputs).length > 0 || artifacts.length > 0) && (
        <Card title="Outputs">
          <Parameters values={outputs} />
          {artifacts.flatMap(([name, list]) => list.map((a) => <ArtifactCard key={a.id} name={name} artifact={a} runId={run.id} tree={tree} />))}
        </Card>
      )}
    </div>
  )
}

const few = 12

function Metrics({ run, tree, metrics }: { run: Run; tree: Tree; metrics: TaskMetric[] }) {
  const [all, setAll] = useState(false)
  const shown = all ? metrics : metrics.slice(0, few)
  return (
    <Card title="Metrics">
      <div className={css.scroll}>
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col" className={css.right}>
                Value
              </th>
              <th scope="col">Task</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((m) => (
              <tr key={`${m.task.path} ${m.name}`}>
                <td>{m.name}</td>
                <td className={css.right}>{typeof m.value === 'number' ? number(m.value) : valueLine(m.value)}</td>
                <td>
                  <Link href={`/runs/${run.id}/tasks/${m.task.id}`}>{taskLabel(tree, m)}</Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {metrics.length > few && (
        <Button look="quiet" onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${metrics.length}`}
        </Button>
      )}
    </Card>
  )
}

/** The task's name with the groups around it: "tune / 3 / score". */
function taskLabel(tree: Tree, { task }: TaskMetric): string {
  return [...ancestors(tree, task.path), task].map((t) => t.display_name).join(' / ')
}
