import { useMemo } from 'react'
import { type Band, bands, places, type Site, triangles } from '../chart/contour'
import { latest, parseField } from '../experiments/fields'
import { count, number } from '../format/value'
import type { ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { usualMetrics } from './CurvesView'
import { differences } from './differences'
import { across, axisOf, FieldSelect, Plane, sentence, up, useField, useLogAxes } from './Plane'

/** The colour of a band, from the lowest to the highest. */
function colour(i: number, n: number): string {
  const at = n < 2 ? 100 : Math.round((200 * i) / (n - 1))
  return at <= 100 ? `color-mix(in oklab, var(--band-middle) ${at}%, var(--band-low))` : `color-mix(in oklab, var(--band-high) ${at - 100}%, var(--band-middle))`
}

const pathOf = (band: Band) => band.polygons.map((p) => `M${p.map((s) => `${across(s.x).toFixed(1)} ${up(s.y).toFixed(1)}`).join('L')}Z`).join('')

/** A metric as a surface over two parameters or metrics. It is drawn between the runs only: elsewhere there are no data. */
export function ContourView(props: ViewProps) {
  const { runs, focus } = props
  const numeric = useMemo(() => differences(runs, 'params').filter((d) => d.differs && axisOf(runs, d, false).scale.numeric), [runs])
  const usual = useMemo(() => usualMetrics(runs, 3), [runs])
  const [first, second] = [...numeric.map((d) => `params.${d.key}`), ...usual.slice(1).map((key) => `metrics.${key}`), `metrics.${usual[0] ?? ''}`]
  const xName = useField('cx', first ?? '')
  const yName = useField('cy', second ?? first ?? '')
  const zName = useField('cz', `metrics.${usual[0] ?? ''}`)
  const [log, boxes] = useLogAxes()
  const [xField, yField, zField] = [parseField(xName), parseField(yName), parseField(zName)]
  const made = useMemo(() => {
    const [fx, fy, fz] = [parseField(xName), parseField(yName), parseField(zName)]
    if (!fx || !fy || !fz) return undefined
    const x = axisOf(runs, fx, log.x)
    const y = axisOf(runs, fy, log.y)
    const heights = runs.map((run) => latest(run, fz.key))
    const sites = runs.flatMap((_, i): Site[] => {
      const [px, py, z] = [x.scale.place(x.values[i]), y.scale.place(y.values[i]), heights[i]]
      return px === undefined || py === undefined || z === undefined || !Number.isFinite(z) ? [] : [{ x: px, y: py, z }]
    })
    const spots = places(sites)
    const mesh = x.scale.numeric && y.scale.numeric ? triangles(spots) : []
    return { x, y, heights, sites, spots, list: mesh.length > 0 ? bands(spots, mesh) : [] }
  }, [runs, xName, yName, zName, log.x, log.y])
  if (!made || !xField || !yField || !zField) return <p className={css.note}>None of these runs has a metric.</p>
  const { x, y, heights, sites, spots, list } = made
  const pointed = runs.findIndex((run) => run.id === focus)
  const height = (i: number) => `, ${zField.key} ${heights[i] === undefined ? 'not logged' : number(heights[i])}`
  return (
    <>
      <div className={css.tools}>
        <FieldSelect runs={runs} name="cx" label="Across" value={xName} />
        <FieldSelect runs={runs} name="cy" label="Up" value={yName} />
        <FieldSelect runs={runs} name="cz" label="Colour" value={zName} onlyMetrics />
        {boxes}
      </div>
      <p className={css.reading}>{runs[pointed] ? sentence(runs[pointed], pointed, x, y) + height(pointed) : said(runs.length, sites.length, spots.length)}</p>
      {list.length === 0 && <p className={css.note}>{why(x.scale.numeric && y.scale.numeric, spots.length)}</p>}
      <div className={css.surface}>
        <Plane {...props} plain label="Contour" title={`${zField.key} over ${xField.key} and ${yField.key} of ${count(sites.length, 'run')}`} x={x} y={y} more={height}>
          {list.map((band, i) => (
            <path key={band.low} data-band={band.low} d={pathOf(band)} style={{ fill: colour(i, list.length), stroke: colour(i, list.length) }} strokeWidth={0.7}>
              <title>{`${zField.key} ${number(band.low)} to ${number(band.high)}`}</title>
            </path>
          ))}
        </Plane>
        {list.length > 0 && (
          <div className={css.bands}>
            <h3>{zField.key}</h3>
            <ol aria-label={`Colours of ${zField.key}, from the highest`}>
              {list.toReversed().map((band, i) => (
                <li key={band.low}>
                  <span style={{ background: colour(list.length - 1 - i, list.length) }} />
                  {number(band.low)} to {number(band.high)}
                </li>
              ))}
            </ol>
          </div>
        )}
      </div>
      {list.length > 0 && <p className={css.note}>Between neighbouring runs the colour is interpolated along straight lines. Where it is blank no run lies around the place, and nothing is known.</p>}
    </>
  )
}

/** How many runs are in the picture. */
function said(all: number, used: number, spots: number): string {
  const lack = used < all ? `${all - used} of ${count(all, 'run')} lack one of the three. ` : ''
  return spots < used ? `${lack}Runs at one place count with their mean.` : lack
}

function why(numeric: boolean, spots: number): string {
  if (!numeric) return 'No colours: one of the axes has texts, between which nothing can be interpolated.'
  return spots < 3 ? 'No colours: three runs at different places are needed.' : 'No colours: the runs lie on one line.'
}
