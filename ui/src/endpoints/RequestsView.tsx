import { useEffect, useState } from 'react'
import { type RequestFilter, useLoggedRequests, useRequestLog } from '../api/requests'
import type { Endpoint, LoggedRequest, RequestLog } from '../api/types'
import { Field } from '../form/Field'
import { exact } from '../format/time'
import { bytes, count, number } from '../format/value'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Command } from '../parts/Command'
import { List } from '../parts/List'
import { Loading, Nothing, Stale } from '../parts/Notice'
import { Ago } from '../parts/now'
import { Fact, Facts } from '../parts/Page'
import { State } from '../parts/State'
import { type RowWiring, VirtualRows } from '../parts/VirtualRows'
import css from './Endpoints.module.css'
import { RequestDetail } from './RequestDetail'
import { milliseconds, requestSign, sentence, spans, truthWords, valuesLine } from './words'

/** What an endpoint logs of its requests, and the logged requests themselves. */
export default function RequestsView({ endpoint: e }: { endpoint: Endpoint }) {
  const log = useRequestLog(e.name)
  return (
    <div className={css.stack}>
      <Stale what="log" error={log.error} />
      {!log.data && !log.error && <Loading what="the log" />}
      {log.data && <Logging endpoint={e} log={log.data} />}
      {log.data && <Logged endpoint={e} log={log.data} changed={log.dataUpdatedAt} />}
    </div>
  )
}

/** What is logged, what is left out, how much there is. */
function Logging({ endpoint: e, log }: { endpoint: Endpoint; log: RequestLog }) {
  const settings = e.spec.settings.log
  const left = log.left_out ?? []
  return (
    <Card title="What is logged">
      <div className={css.body}>
        {settings ? (
          <p>{sentence(settings)}</p>
        ) : (
          <>
            <p>{log.oldest ? 'No request is logged at present. What was logged before is below.' : 'No request is logged. A share of them is, with their answers, after:'}</p>
            <Command text={`levada deploy models:/${e.spec.model ?? 'NAME'}@champion --endpoint ${e.name} --log-sample 0.1`} />
          </>
        )}
        <Facts>
          <Fact name="Kept">{`${count(log.files, 'file')}, ${bytes(log.bytes)}`}</Fact>
          {log.oldest && (
            <Fact name="Oldest">
              <time dateTime={log.oldest}>{exact(log.oldest)}</time>
            </Fact>
          )}
          {log.newest && (
            <Fact name="Newest">
              <Ago time={log.newest} />
            </Fact>
          )}
          <Fact name="Written since the start of the server">{number(log.logged)}</Fact>
          {log.lost > 0 && <Fact name="Lost: more came than could be written">{number(log.lost)}</Fact>}
          {log.failed > 0 && <Fact name="Could not be written">{number(log.failed)}</Fact>}
        </Facts>
        {left.length > 0 && (
          <details className={css.more}>
            <summary>{count(left.length, 'column')} left out, in whole or in part</summary>
            <ul aria-label="Columns left out">
              {left.map((l) => (
                <li key={l.column}>
                  <code>{l.column}</code> <span className={css.second}>{l.reason}</span>
                </li>
              ))}
            </ul>
          </details>
        )}
        <p className={css.soft}>
          Files of the server: <code>{log.directory}</code>
        </p>
      </div>
    </Card>
  )
}

const statuses = ['ok', 'rejected', 'failed', 'timeout', 'shed'] as const

/** A moment that an input of the browser gives, as the API takes it; empty for what is none. */
const moment = (local: string) => {
  const at = new Date(local)
  return local === '' || Number.isNaN(at.getTime()) ? '' : at.toISOString()
}

function Logged({ endpoint: e, log, changed }: { endpoint: Endpoint; log: RequestLog; changed: number }) {
  const [search, change] = useAddress()
  const of = (key: string) => search.get(key) ?? ''
  const span = spans.find((s) => s.id === of('span'))
  // When "the last hour" began is fixed with the choice: the list would be another one with each look.
  const [now, setNow] = useState(Date.now)
  const since = span ? new Date(now - span.ms).toISOString() : moment(of('from'))
  const filter: RequestFilter = { version: of('version'), role: of('role'), status: of('status'), since, until: moment(of('to')) }
  const list = useLoggedRequests(e.name, filter)
  const [shown, setShown] = useState<LoggedRequest>()
  const rows = list.data?.pages.flatMap((page) => page.requests) ?? []
  const pages = list.data?.pages.length ?? 0
  const { refetch } = list
  // The first page follows what is logged; who has gone on to older ones keeps the place.
  const following = pages <= 1
  useEffect(() => {
    if (following) void refetch({ cancelRefetch: false })
  }, [changed, following, refetch])
  const behind = !following && log.newest !== undefined && rows[0] !== undefined && Date.parse(log.newest) > Date.parse(rows[0].time) && filter.until === ''
  const back = list.data?.pages.at(-1)?.looked_back_to
  const versions = [...new Set([...e.versions.map((v) => v.version), ...(filter.version ? [filter.version] : [])])]
  const choose = (key: string) => (value: string) => {
    setNow(Date.now())
    change({ [key]: value })
  }
  return (
    <section className={css.stack} aria-label="Logged requests">
      <div className={css.filters}>
        <Choice label="Version" all="all versions" options={versions} value={filter.version} onChange={choose('version')} />
        <Choice label="Status" all="all" options={statuses} value={filter.status} onChange={choose('status')} />
        <Choice label="Role" all="answered and copies" options={['served', 'shadow']} value={filter.role} onChange={choose('role')} />
        <Field label="Time">
          {(wiring) => (
            <select {...wiring} value={span?.id ?? ''} onChange={(event) => (setNow(Date.now()), change({ span: event.target.value, from: undefined }))}>
              <option value="">from…</option>
              {spans.map((s) => (
                <option key={s.id} value={s.id}>
                  {s.words}
                </option>
              ))}
            </select>
          )}
        </Field>
        {!span && <Field label="From">{(wiring) => <input {...wiring} type="datetime-local" value={of('from')} onChange={(event) => change({ from: event.target.value })} />}</Field>}
        <Field label="To">{(wiring) => <input {...wiring} type="datetime-local" value={of('to')} onChange={(event) => change({ to: event.target.value })} />}</Field>
      </div>
      <Stale what="list" error={list.error} />
      {behind && (
        <p role="status">
          There are newer requests.{' '}
          <Button onClick={() => (window.scrollTo(0, 0), setNow(Date.now()), void list.refetch())} icon="up">
            Show them
          </Button>
        </p>
      )}
      {list.isPending && <Loading what="requests" />}
      {list.data && rows.length === 0 && !list.hasNextPage && <Nothing>{log.oldest || log.bytes > 0 ? 'No logged request is like this.' : 'No request is logged yet.'}</Nothing>}
      {rows.length > 0 && <Rows rows={rows} onOpen={setShown} />}
      {list.hasNextPage && (
        <p className={css.soft}>
          {count(rows.length, 'row')}
          {back && (
            <>
              , back to <time dateTime={back}>{exact(back)}</time>
            </>
          )}{' '}
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Load more
          </Button>
        </p>
      )}
      {list.data && !list.hasNextPage && rows.length > 0 && <p className={css.soft}>{count(rows.length, 'row')}: these are all.</p>}
      {shown && <RequestDetail request={shown} model={e.spec.model} remotes={Object.keys(e.spec.remotes ?? {})} onClose={() => setShown(undefined)} />}
    </section>
  )
}

function Choice({ label, all, options, value, onChange }: { label: string; all: string; options: readonly string[]; value: string; onChange: (value: string) => void }) {
  return (
    <Field label={label}>
      {(wiring) => (
        <select {...wiring} value={value} onChange={(e) => onChange(e.target.value)}>
          <option value="">{all}</option>
          {options.map((o) => (
            <option key={o}>{o}</option>
          ))}
        </select>
      )}
    </Field>
  )
}

const columns = ['Time', 'Request', 'Version', 'Status', 'Latency', 'Inputs', 'Outputs', 'Truth']

const keyOf = (r: LoggedRequest) => `${r.time} ${r.request_id} ${r.version} ${r.role} ${r.row}`

function Rows({ rows, onOpen }: { rows: readonly LoggedRequest[]; onOpen: (r: LoggedRequest) => void }) {
  return (
    <List caption="Logged requests, newest first" columns={columns} className={`${css.list} ${css.requests}`} aria-rowcount={rows.length + 1} stacked>
      <VirtualRows items={rows} height={45} columns={columns.length} row={(r, wiring) => requestRow(r, wiring, onOpen)} />
    </List>
  )
}

function requestRow(r: LoggedRequest, wiring: RowWiring, onOpen: (r: LoggedRequest) => void) {
  const truth = truthWords(r)
  return (
    <tr key={keyOf(r)} {...wiring} data-request={`${r.request_id}/${r.row}`}>
      <td data-column="Time">
        <time dateTime={r.time} title={exact(r.time)}>
          {new Date(r.time).toLocaleString('en-GB', { dateStyle: 'short', timeStyle: 'medium' })}
        </time>
      </td>
      <th scope="row" data-column="Request">
        <button type="button" className={css.open} onClick={() => onOpen(r)}>
          {r.request_id}
          {r.row > 0 && `, row ${r.row}`}
        </button>
      </th>
      <td data-column="Version">
        <span>
          {r.version}
          {r.role === 'shadow' && <span className={css.second}>copy</span>}
        </span>
      </td>
      <td data-column="Status">
        <State {...requestSign(r.status)} />
      </td>
      <td data-column="Latency">
        <span>{milliseconds(r.latency_ms)}</span>
      </td>
      <td data-column="Inputs">
        <span className={css.values}>{valuesLine(r.inputs)}</span>
      </td>
      <td data-column="Outputs">
        <span className={css.values}>{valuesLine(r.outputs)}</span>
      </td>
      <td data-column="Truth">
        <span>{truth ?? '–'}</span>
      </td>
    </tr>
  )
}

