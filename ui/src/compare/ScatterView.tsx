import { useMemo } from 'react'
import { parseField } from '../experiments/fields'
import type { ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { usualMetrics } from './CurvesView'
import { differences } from './differences'
import { axisOf, FieldSelect, Plane, sentence, useField, useLogAxes } from './Plane'

/** A point for each run: a parameter or metric against another. */
export function ScatterView(props: ViewProps) {
  const { runs, focus } = props
  const params = useMemo(() => differences(runs, 'params'), [runs])
  const firstParam = params.find((d) => d.differs) ?? params[0]
  const usual = useMemo(() => usualMetrics(runs, 2), [runs])
  const xName = useField('sx', firstParam ? `params.${firstParam.key}` : `metrics.${usual[1] ?? usual[0] ?? ''}`)
  const yName = useField('sy', `metrics.${usual[0] ?? ''}`)
  const [log, boxes] = useLogAxes()
  const xField = parseField(xName)
  const yField = parseField(yName)
  if (!xField || !yField) return <p className={css.note}>None of these runs has a metric.</p>
  const x = axisOf(runs, xField, log.x)
  const y = axisOf(runs, yField, log.y)
  const there = runs.filter((_, i) => x.scale.place(x.values[i]) !== undefined && y.scale.place(y.values[i]) !== undefined).length
  const pointed = runs.findIndex((run) => run.id === focus)
  return (
    <>
      <div className={css.tools}>
        <FieldSelect runs={runs} name="sx" label="Across" value={xName} />
        <FieldSelect runs={runs} name="sy" label="Up" value={yName} />
        {boxes}
        <span className={css.reading}>
          {runs[pointed] ? sentence(runs[pointed], pointed, x, y) : there < runs.length ? `${runs.length - there} of ${runs.length} runs lack one of the two` : ''}
        </span>
      </div>
      <Plane {...props} label="Scatter" title={`${yField.key} against ${xField.key} of ${there} runs`} x={x} y={y} />
    </>
  )
}
