import { useState } from 'react'
import { rolloutFile, type RolloutCommand, useCommandRollout, useRolloutReport } from '../api/endpoints'
import type { RolloutReport, RolloutTold, StageReport } from '../api/types'
import { between, duration, exact } from '../format/time'
import { number } from '../format/value'
import { useAddress } from '../parts/address'
import { Button, ButtonLink } from '../parts/Button'
import { Card } from '../parts/Card'
import { Confirm } from '../parts/Confirm'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Loading, Notice, Stale } from '../parts/Notice'
import { Ago, Ahead, Clock, useNow } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { State } from '../parts/State'
import css from './Endpoints.module.css'
import { EvidenceTable } from './Evidence'
import { StagePlots } from './StagePlots'
import { milliseconds, percent, planSteps, progressOf, rolloutSign, verdictSign, verdictWords, versionName } from './words'

/** A rollout: its plan and how far it is, what each stage saw, and every decision with its evidence. */
export default function RolloutPage({ name, id }: { name: string; id: string }) {
  const { data, error } = useRolloutReport(id)
  if (error && !data) return <Failed error={error} what="rollout" />
  if (!data) return <Loading what="the rollout" />
  return (
    <Clock ticking={!data.outcome}>
      <Stale what="rollout" error={error} />
      <Loaded report={data} name={name} />
    </Clock>
  )
}

/** Whether it is paused: the last that was said of that. */
function pausedBy(r: RolloutReport): RolloutTold | undefined {
  const last = r.told.findLast((e) => ['rollout_paused', 'rollout_resumed', 'rollout_promoted', 'rollout_finished'].includes(e.type))
  return last?.type === 'rollout_paused' ? last : undefined
}

const commands = {
  pause: { name: 'Pause', title: 'Pause the rollout?', text: 'Traffic stays as it is, and nothing is decided until someone resumes. Harm still ends the rollout.' },
  resume: { name: 'Resume', title: 'Resume the rollout?', text: 'The stage takes its time once more.' },
  promote: { name: 'Promote', title: 'Promote the candidate now?', text: 'It gets all requests, without waiting for what is still to be compared.' },
  abort: { name: 'Roll back', title: 'Roll back now?', text: 'The baseline gets all requests again, and the rollout ends.' },
} as const

function Loaded({ report: r, name }: { report: RolloutReport; name: string }) {
  const paused = pausedBy(r)
  const [asking, setAsking] = useState<RolloutCommand>()
  const command = useCommandRollout(name)
  const asked = commands[asking ?? 'pause']
  const possible: RolloutCommand[] = r.outcome ? [] : [paused ? 'resume' : 'pause', ...(r.arms.length === 2 && !r.told.some((e) => e.type === 'rollout_promoted') ? (['promote'] as const) : []), 'abort']
  return (
    <Page
      title={`Rollout of ${r.candidates.map((c) => versionName(c, 'version ')).join(', ')}`}
      crumbs={[<Link key="all" href="/endpoints">Endpoints</Link>, <Link key="one" href={`/endpoints/${encodeURIComponent(name)}`}>{name}</Link>]}
      head={
        <>
          <State {...rolloutSign(r, paused !== undefined)} large />
          <span className={pageCss.space} />
          {possible.map((c) => (
            <Button key={c} look={c === 'abort' ? 'danger' : 'plain'} busy={command.isPending} onClick={() => setAsking(c)}>
              {commands[c].name}
            </Button>
          ))}
          <a className={css.save} href={rolloutFile(r.id, 'html')} download>
            Save as a page
          </a>
          <ButtonLink href={rolloutFile(r.id, 'json')} icon="download" label="Save as JSON, with all that was observed" download />
        </>
      }
    >
      {r.outcome && (
        <p className={css.verdict} data-bad={r.outcome !== 'promoted' && r.outcome !== 'kept'} data-outcome={r.outcome}>
          {verdictWords(r)}
        </p>
      )}
      {paused && (
        <Notice tone="warning" title="It is paused">
          {paused.reason}
        </Notice>
      )}
      {command.error && command.variables && (
        <Notice tone="danger" title={`“${commands[command.variables.command].name}” was not done`}>
          {command.error.message}
        </Notice>
      )}
      <About report={r} />
      <Steps report={r} />
      <Stages report={r} />
      <Card title="Decisions">
        <ol className={css.told} aria-label="Decisions, newest first">
          {r.told.toReversed().map((e, i) => (
            <Decision key={r.told.length - i} event={e} />
          ))}
        </ol>
      </Card>
      {asking && (
        <Confirm title={asked.title} text={asked.text} action={asked.name} onConfirm={() => command.mutate({ command: asking, reason: 'asked for on the web page' })} onClose={() => setAsking(undefined)} />
      )}
    </Page>
  )
}

/** A version by its name; those of the registry lead to their pages. */
function VersionLink({ model, version }: { model: string; version: string }) {
  const name = versionName(version, 'version ')
  return name === version ? <span>{name}</span> : <Link href={`/models/${encodeURIComponent(model)}/versions/${version}`}>{name}</Link>
}

function About({ report: r }: { report: RolloutReport }) {
  const now = useNow()
  const took = between(r.started_at, r.finished_at, now)
  return (
    <Facts>
      <Fact name="Candidate">
        {r.candidates.map((c) => (
          <VersionLink key={c} model={r.model} version={c} />
        ))}
      </Fact>
      <Fact name="Baseline">
        <VersionLink model={r.model} version={r.baseline} />
      </Fact>
      <Fact name="Began">
        <Ago time={r.started_at} />
      </Fact>
      {took !== undefined && <Fact name={r.finished_at ? 'Took' : 'For'}>{duration(took)}</Fact>}
      {r.alias && <Fact name="Alias">@{r.alias}</Fact>}
      {r.by && <Fact name="Asked for by">{r.by}</Fact>}
      {r.plan.manual && <Fact name="Promotion">by a person</Fact>}
    </Facts>
  )
}

const progressWords = { done: 'passed', now: 'goes on', failed: 'ended here', coming: 'to come' } as const

function Steps({ report: r }: { report: RolloutReport }) {
  const until = r.outcome ? undefined : r.told.findLast((e) => e.until !== undefined)?.until
  return (
    <ol className={css.steps} aria-label="Plan">
      {planSteps(r.plan).map((step) => {
        const progress = progressOf(step, r)
        return (
          <li key={`${step.phase} ${step.step}`} className={css.step} data-progress={progress} aria-current={progress === 'now' ? 'step' : undefined}>
            <strong>{step.name}</strong>
            <span className={css.second}>{step.detail}</span>
            <span className={css.second}>
              {progressWords[progress]}
              {progress === 'now' && until && step.phase !== 'experiment' && (
                <>
                  , looked at <Ahead time={until} />
                </>
              )}
            </span>
          </li>
        )
      })}
    </ol>
  )
}

/** One of the stages, the last unless the address says another. */
function Stages({ report: r }: { report: RolloutReport }) {
  const [search, change] = useAddress()
  const wanted = Number(search.get('stage') ?? Number.NaN)
  const at = Number.isInteger(wanted) && r.stages[wanted - 1] ? wanted - 1 : r.stages.length - 1
  const stage = r.stages[at]
  if (!stage) return null
  return (
    <Card
      title={stage.name}
      extra={
        r.stages.length > 1 && (
          <select aria-label="Stage" className={css.select} value={at} onChange={(e) => change({ stage: Number(e.target.value) === r.stages.length - 1 ? undefined : String(Number(e.target.value) + 1) })}>
            {r.stages.map((s, i) => (
              <option key={s.from} value={i}>
                {s.name}
              </option>
            ))}
          </select>
        )
      }
    >
      <div className={css.body}>
        <p>
          {stage.traffic}. {exact(stage.from)}, for {duration(Date.parse(stage.to) - Date.parse(stage.from))}. {stage.verdict && <State {...verdictSign(stage.verdict)} />}
        </p>
      </div>
      <Arms stage={stage} />
      <StagePlots report={r} stage={stage} />
    </Card>
  )
}

function Arms({ stage }: { stage: StageReport }) {
  if (stage.arms.length === 0) return null
  return (
    <List caption="What the versions did" columns={['Version', 'Requests', 'Errors', 'p50', 'p95', 'p99']} className={`${css.list} ${css.inside}`} stacked>
      <tbody>
        {stage.arms.map((a, i) => (
          <tr key={a.version}>
            <th scope="row">
              {versionName(a.version)}
              <span className={css.second}>{i === 0 ? 'baseline' : 'candidate'}</span>
            </th>
            <td data-column="Requests">
              <span>{number(a.requests)}</span>
            </td>
            <td data-column="Errors">
              <span>
                {number(a.errors)}
                {a.rate?.value !== undefined && <span className={css.second}>{`${percent(a.rate.value)} (${percent(a.rate.low ?? 0)} to ${percent(a.rate.high ?? 1)})`}</span>}
              </span>
            </td>
            <td data-column="p50">
              <span>{milliseconds(a.p50 ?? 0)}</span>
            </td>
            <td data-column="p95">
              <span>{milliseconds(a.p95 ?? 0)}</span>
            </td>
            <td data-column="p99">
              <span>{milliseconds(a.p99 ?? 0)}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </List>
  )
}

function Decision({ event: e }: { event: RolloutTold }) {
  return (
    <li data-event={e.type}>
      <span>
        <span className={css.when}>
          <time dateTime={e.at}>{exact(e.at)}</time>
          {e.by && ` · asked for by ${e.by}`}
        </span>
        <br />
        {e.words}
      </span>
      {e.evidence && e.evidence.length > 0 && <EvidenceTable list={e.evidence} />}
    </li>
  )
}
