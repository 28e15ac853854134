import { useEffect, useId, useRef } from 'react'
import type { LoggedRequest, NamedValue } from '../api/types'
import { exact } from '../format/time'
import { count, valueLine } from '../format/value'
import { Button } from '../parts/Button'
import { Link } from '../parts/Link'
import { Fact, Facts } from '../parts/Page'
import { State } from '../parts/State'
import css from './Endpoints.module.css'
import { milliseconds, requestSign, truthWords } from './words'

interface Props {
  request: LoggedRequest
  model: string | undefined
  /** Versions that other servers serve, which have no page here. */
  remotes: readonly string[]
  onClose: () => void
}

/** One logged request: what it asked, what was answered, and what became of it. */
export function RequestDetail({ request: r, model, remotes, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const truth = truthWords(r)
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={id} onClose={onClose}>
      <div className={css.stack}>
        <h2 id={id} className={css.anywhere}>
          Request {r.request_id}
          {r.row > 0 && `, row ${r.row}`}
        </h2>
        <Facts>
          <Fact name="Time">
            <time dateTime={r.time}>{exact(r.time)}</time>
          </Fact>
          <Fact name="Status">
            <State {...requestSign(r.status)} />
          </Fact>
          <Fact name="Version">
            {model && !remotes.includes(r.version) ? <Link href={`/models/${encodeURIComponent(model)}/versions/${r.version}`}>{r.version}</Link> : r.version}
            {r.role === 'shadow' && ' saw a copy; its answer went to nobody'}
          </Fact>
          <Fact name="Latency">{milliseconds(r.latency_ms)}</Fact>
        </Facts>
        <Values title="Inputs" list={r.inputs} none="None is kept." />
        <Values title="Outputs" list={r.outputs} none="It got no prediction." />
        <section>
          <h3>Truth</h3>
          <p>
            {truth ?? <span className={css.soft}>Nobody has said yet what became of it.</span>}
            {r.truth?.time && (
              <span className={css.second}>
                happened <time dateTime={r.truth.time}>{exact(r.truth.time)}</time>
              </span>
            )}
          </p>
        </section>
        <div className={css.buttons}>
          <Button onClick={() => dialog.current?.close()}>Close</Button>
        </div>
      </div>
    </dialog>
  )
}

function Values({ title, list, none }: { title: string; list: readonly NamedValue[]; none: string }) {
  return (
    <section>
      <h3>{title}</h3>
      {list.length === 0 && <p className={css.soft}>{none}</p>}
      {list.length > 0 && (
        <table className={css.pairs}>
          <caption className="visually-hidden">{title}</caption>
          <tbody>
            {list.map((v) => (
              <tr key={v.name}>
                <th scope="row">{v.name}</th>
                <td>
                  {valueLine(v.value)}
                  {v.more !== undefined && <span className={css.second}>{count(v.more, 'more byte')}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
