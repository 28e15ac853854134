import { useMemo, useState } from 'react'
import { isGoingOn, useComparison } from '../api/tracking'
import type { Comparison, TrackedRun } from '../api/types'
import { lookOf } from '../chart/curve'
import { count } from '../format/value'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Link } from '../parts/Link'
import { Loading, Notice, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { Empty, Failed, Page } from '../parts/Page'
import { Tabs } from '../parts/Tabs'
import { Status } from '../tracked/status'
import css from './ComparePage.module.css'
import { ContourView } from './ContourView'
import { CurvesView } from './CurvesView'
import { DiffView } from './DiffView'
import { ParallelView } from './ParallelView'
import { ScatterView } from './ScatterView'
import { SourcesView } from './SourcesView'

/** As many runs as the server gives at once. */
const mostRuns = 100

/** Runs side by side. The address holds the runs, the view and all that is chosen in it. */
export default function ComparePage() {
  const [search] = useAddress()
  const named = useMemo(() => [...new Set(search.getAll('run'))], [search])
  const ids = useMemo(() => named.slice(0, mostRuns), [named])
  const runs = useComparison(ids)
  if (ids.length === 0) {
    return (
      <Page title="Compare runs">
        <Empty title="No runs are chosen">
          <p>
            Open an <Link href="/experiments">experiment</Link>, tick runs, and choose Compare.
          </p>
        </Empty>
      </Page>
    )
  }
  if (runs.error && !runs.data) return <Failed error={runs.error} what="comparison" />
  if (!runs.data) return <Loading what="runs" />
  const experiments = Object.entries(runs.data.experiments)
  return (
    <Page
      title={`Compare ${count(runs.data.runs.length, 'run')}`}
      wide
      crumbs={[
        <Link key="all" href="/experiments">
          Experiments
        </Link>,
        ...experiments.slice(0, 3).map(([id, name]) => (
          <Link key={id} href={`/experiments/${id}`}>
            {name}
          </Link>
        )),
      ]}
    >
      {named.length > mostRuns && <Notice tone="warning">{`The first ${mostRuns} of the ${named.length} runs of this address: no more are compared at once.`}</Notice>}
      {runs.data.missing.length > 0 && (
        <Notice tone="warning" title={`${count(runs.data.missing.length, 'run')} of this address ${runs.data.missing.length === 1 ? 'is' : 'are'} not there any more`}>
          {runs.data.missing.slice(0, 5).join(', ')}
        </Notice>
      )}
      <Stale what="runs" error={runs.error} />
      <Clock ticking={runs.data.runs.some(isGoingOn)}>
        <Views comparison={runs.data} />
      </Clock>
    </Page>
  )
}

/** What every view gets. */
export interface ViewProps {
  runs: readonly TrackedRun[]
  /** The run that is pointed at. */
  focus: string | undefined
  setFocus: (id: string | undefined) => void
}

function Views({ comparison: { runs } }: { comparison: Comparison }) {
  const [search, change] = useAddress()
  const [focus, setFocus] = useState<string>()
  const props = { runs, focus, setFocus }
  const tabs = [
    { id: 'curves', label: 'Curves', content: <CurvesView {...props} /> },
    { id: 'parallel', label: 'Parallel coordinates', content: <ParallelView {...props} /> },
    { id: 'scatter', label: 'Scatter', content: <ScatterView {...props} /> },
    { id: 'contour', label: 'Contour', content: <ContourView {...props} /> },
    { id: 'diff', label: 'Differences', content: <DiffView {...props} /> },
    { id: 'sources', label: 'Code and environment', content: <SourcesView {...props} /> },
  ]
  const view = search.get('view') ?? ''
  return (
    <div className={css.layout}>
      <Legend {...props} onRemove={(id) => change({ run: runs.filter((r) => r.id !== id).map((r) => r.id) })} />
      <div className={css.view}>
        <Tabs label="Ways to compare" value={tabs.some((t) => t.id === view) ? view : 'curves'} onChange={(id) => change({ view: id })} tabs={tabs} />
      </div>
    </div>
  )
}

/** A piece of the line that stands for a run. */
export function Swatch({ look }: { look: number }) {
  const { token, dash } = lookOf(look)
  return (
    <svg width="22" height="10" viewBox="0 0 22 10" aria-hidden="true" className={css.swatch}>
      <path d="M1 5h20" style={{ stroke: token }} strokeWidth="2.5" strokeDasharray={dash.join(' ')} />
    </svg>
  )
}

/** The head of a run's column. */
export function RunHead({ run, look }: { run: TrackedRun; look: number }) {
  return (
    <span className={css.headRun}>
      <Swatch look={look} />
      <Link href={`/tracked-runs/${run.id}`} title={run.name}>
        {run.name || '(no name)'}
      </Link>
    </span>
  )
}

/** The runs with their lines; pointing at one shows it everywhere. */
function Legend({ runs, focus, setFocus, onRemove }: ViewProps & { onRemove: (id: string) => void }) {
  return (
    <section className={css.legend} aria-label="Runs">
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <ul tabIndex={0} aria-label="Compared runs">
        {runs.map((run, i) => (
          // Pointing is a convenience: the link inside does the same for the keyboard.
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
          <li key={run.id} className={focus === run.id ? css.focused : undefined} onMouseEnter={() => setFocus(run.id)} onMouseLeave={() => setFocus(undefined)}>
            <Swatch look={i} />
            <span className={css.names}>
              <Link href={`/tracked-runs/${run.id}`} title={run.name} onFocus={() => setFocus(run.id)} onBlur={() => setFocus(undefined)}>
                {run.name || '(no name)'}
              </Link>
              <Status status={run.status} />
            </span>
            {runs.length > 1 && <Button look="quiet" icon="close" aria-label={`Leave ${run.name} out`} onClick={() => onRemove(run.id)} />}
          </li>
        ))}
      </ul>
    </section>
  )
}
