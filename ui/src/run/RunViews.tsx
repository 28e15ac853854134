import { useSearchParams } from 'wouter'
import { runYamlUrl } from '../api/pipelines'
import { isFinal, type Run } from '../api/types'
import type { Choices, Tree } from '../graph/tree'
import { late } from '../parts/late'
import { Tabs } from '../parts/Tabs'
import { FindTask } from './FindTask'
import { Timeline } from './Timeline'
import css from './RunViews.module.css'

const RunGraph = late('the graph', () => import('../graph/RunGraph'))
// Beside the run, not after it: nearly always both are needed.
RunGraph.load().catch(() => undefined)
const YamlView = late('the YAML', () => import('../code/YamlView'))

export interface ViewProps {
  run: Run
  tree: Tree
  choices: Choices
  onChoose: (choices: Choices) => void
  selected: string | undefined
}

/** The tasks of a run, as a graph or along the time, and the specification they come from. */
export function RunViews(props: ViewProps) {
  const [search, setSearch] = useSearchParams()
  const asked = search.get('view') ?? ''
  const view = asked === 'timeline' || asked === 'yaml' ? asked : 'graph'
  const choose = (id: string) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old)
        if (id === 'graph') next.delete('view')
        else next.set('view', id)
        return next
      },
      { replace: true },
    )
  if (props.tree.byPath.size === 0) {
    return <p className={css.empty}>{isFinal(props.run.state) ? 'This run has no tasks.' : 'The first tasks are on the way.'}</p>
  }
  return (
    <div className={css.views}>
      <Tabs
        label="Views of the run"
        value={view}
        onChange={choose}
        extra={<FindTask tree={props.tree} />}
        tabs={[
          {
            id: 'graph',
            label: 'Graph',
            content: <RunGraph {...props} />,
          },
          { id: 'timeline', label: 'Timeline', content: <Timeline {...props} /> },
          {
            id: 'yaml',
            label: 'YAML',
            content: <YamlView url={runYamlUrl(props.run.id)} download={runYamlUrl(props.run.id, true)} />,
          },
        ]}
      />
    </div>
  )
}
