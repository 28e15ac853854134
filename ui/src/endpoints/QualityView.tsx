import { useMemo, useState } from 'react'
import { useQuality } from '../api/requests'
import type { Endpoint, Quality, QualityWindow } from '../api/types'
import { Plot, type PlotLine } from '../chart/Plot'
import { Field } from '../form/Field'
import { count, number } from '../format/value'
import { useAddress } from '../parts/address'
import { Card } from '../parts/Card'
import { Command } from '../parts/Command'
import { List } from '../parts/List'
import { Loading, Stale } from '../parts/Notice'
import { Empty } from '../parts/Page'
import css from './Endpoints.module.css'
import { measured, metricWords, qualitySpans, versionName } from './words'

/** How good the predictions of each version were over time, as far as the truth is known. */
export default function QualityView({ endpoint: e }: { endpoint: Endpoint }) {
  const [search, change] = useAddress()
  const span = qualitySpans.find((s) => s.id === search.get('since')) ?? qualitySpans[0]
  const window = span.windows.find((w) => w === search.get('window')) ?? span.windows[0]
  // From when on is fixed with the choice; the server looks until now each time it is asked.
  const [now] = useState(Date.now)
  const since = useMemo(() => new Date(Math.floor((now - span.ms) / 3_600_000) * 3_600_000).toISOString(), [now, span.ms])
  const { data, error } = useQuality(e.name, since, window)
  return (
    <div className={css.stack}>
      <div className={css.filters}>
        <Field label="Requests of">
          {(wiring) => (
            <select {...wiring} value={span.id} onChange={(event) => change({ since: event.target.value, window: undefined })}>
              {qualitySpans.map((s) => (
                <option key={s.id} value={s.id}>
                  {s.words}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="One measurement for each">
          {(wiring) => (
            <select {...wiring} value={window} onChange={(event) => change({ window: event.target.value })}>
              {span.windows.map((w) => (
                <option key={w}>{w}</option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <Stale what="quality" error={error} />
      {!data && !error && <Loading what="the quality" />}
      {data && data.windows.length === 0 && <None name={e.name} data={data} logs={e.spec.settings.log !== undefined} />}
      {data && data.windows.length > 0 && <Measured data={data} />}
      {data && <Known data={data} />}
    </div>
  )
}

function None({ name, data, logs }: { name: string; data: Quality; logs: boolean }) {
  return (
    <Empty title="No truth is known of the requests of this time">
      <p>
        {logs ? 'Say what became of requests by their ids, whenever it is known: ' : 'This endpoint logs no requests, so nothing can be compared with the truth. '}
        {data.waiting > 0 && `${count(data.waiting, 'truth')} came for requests that are not in the log.`}
      </p>
      <Command text={logs ? `levada truth ${name} labels.csv    # request_id,actual` : `levada deploy … --endpoint ${name} --log-sample 0.1`} />
    </Empty>
  )
}

/** The time that was asked about, as seconds since 1970. */
const rangeOf = (data: Quality) => [Date.parse(data.since) / 1000, Date.parse(data.until) / 1000] as const

const nameOf = (w: QualityWindow) => `${versionName(w.version, 'version ')}${w.role === 'shadow' ? ', shadow' : ''}`

function Measured({ data }: { data: Quality }) {
  const metrics = useMemo(() => [...new Set(data.windows.flatMap((w) => w.metrics.map((m) => m.name)))], [data.windows])
  const names = useMemo(() => [...new Set(data.windows.map(nameOf))].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })), [data.windows])
  return (
    <>
      <div className={css.plots2}>
        {metrics.map((metric) => (
          <Over key={metric} metric={metric} names={names} data={data} />
        ))}
        <Pairs names={names} data={data} />
      </div>
      <List caption="Measurements, newest first" columns={['From', 'Version', 'Pairs', ...metrics.map(metricWords)]} className={css.list} stacked>
        <tbody>
          {data.windows.toReversed().map((w) => (
            <tr key={`${w.from} ${nameOf(w)}`} data-window={`${w.version} ${w.role}`}>
              <td data-column="From">
                <time dateTime={w.from}>{new Date(w.from).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })}</time>
              </td>
              <th scope="row" data-column="Version">
                <span>{nameOf(w)}</span>
              </th>
              <td data-column="Pairs">
                <span>{number(w.n)}</span>
              </td>
              {metrics.map((metric) => (
                <td key={metric} data-column={metricWords(metric)}>
                  <span>{measured(w.metrics.find((m) => m.name === metric))}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </List>
    </>
  )
}

/** The beginnings of the windows, each once, as seconds since 1970. */
const timesOf = (data: Quality) => [...new Set(data.windows.map((w) => Date.parse(w.from) / 1000))].toSorted((a, b) => a - b)

/** A value of each window of a version, at its time; null where there is none. */
const along = (data: Quality, xs: readonly number[], name: string, of: (w: QualityWindow) => number | undefined) => {
  const at = new Map(data.windows.filter((w) => nameOf(w) === name).map((w) => [Date.parse(w.from) / 1000, of(w)]))
  return xs.map((x) => at.get(x) ?? null)
}

function Over({ metric, names, data }: { metric: string; names: readonly string[]; data: Quality }) {
  const { xs, lines, wide } = useMemo(() => {
    const times = timesOf(data)
    const of = (name: string, end: 'value' | 'low' | 'high') => along(data, times, name, (w) => w.metrics.find((m) => m.name === metric)?.[end])
    const made = names.map((name, look): PlotLine => {
      const [low, high] = [of(name, 'low'), of(name, 'high')]
      return { label: name, look, ys: of(name, 'value'), ...(low.some((v) => v !== null) ? { low, high } : {}) }
    })
    return { xs: times, lines: made, wide: made.some((l) => l.low) }
  }, [data, names, metric])
  return <Plot title={metricWords(metric)} note={wide ? `with intervals of ${number(data.confidence * 100)} %` : 'without an interval'} xs={xs} x="time" range={rangeOf(data)} lines={lines} />
}

function Pairs({ names, data }: { names: readonly string[]; data: Quality }) {
  const { xs, lines } = useMemo(() => {
    const times = timesOf(data)
    return { xs: times, lines: names.map((name, look): PlotLine => ({ label: name, look, ys: along(data, times, name, (w) => w.n) })) }
  }, [data, names])
  return <Plot title="pairs" note="predictions whose truth is known" xs={xs} x="time" range={rangeOf(data)} lines={lines} />
}

const ages: Record<string, string> = { '1h0m0s': 'of the last hour', '24h0m0s': 'before that, up to a day old', '168h0m0s': 'before that, up to 7 days old', '720h0m0s': 'before that, up to 30 days old', '': 'older' }

/** For how many predictions the truth is known. */
function Known({ data }: { data: Quality }) {
  return (
    <Card title="For how many the truth is known">
      <div className={css.body}>
        <ul>
          {data.coverage
            .filter((c) => c.requests > 0)
            .map((c) => (
              <li key={c.age ?? ''}>
                {number(c.with_truth)} of {count(c.requests, 'prediction')} {ages[c.age ?? ''] ?? `up to ${c.age ?? ''} old`}
              </li>
            ))}
          <li>
            {count(data.truths, 'truth')} in all; the requests of {number(data.waiting)} of them are not in the log.
          </li>
        </ul>
        <p className={css.soft}>Labels come late: the newest are the few whose truth came soon, and may not be like the others.</p>
      </div>
    </Card>
  )
}
