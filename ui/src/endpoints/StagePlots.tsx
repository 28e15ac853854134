import { useMemo } from 'react'
import type { RolloutReport, RolloutTrail, StageReport } from '../api/types'
import { Plot, type PlotLine, type PlotMark } from '../chart/Plot'
import { Nothing } from '../parts/Notice'
import css from './Endpoints.module.css'
import { noHarm, testWords, unitWords } from './words'

/** What a stage saw, drawn: distributions of both versions, each metric with its interval, the harm and the p-value as they went. */
export function StagePlots({ report: r, stage }: { report: RolloutReport; stage: StageReport }) {
  const several = r.arms.length > 2
  if (stage.arms.length === 0) return <Nothing>Nothing has been observed yet.</Nothing>
  return (
    <div className={css.plots}>
      {stage.latency && <Distribution title="Latency, ms" shape={stage.latency} arms={r.arms} log />}
      {stage.predictions && <Distribution title="Predictions" shape={stage.predictions} arms={r.arms} />}
      {stage.trails.map((t) => (
        <Trail key={`${t.label} ${t.arm}`} trail={t} from={stage.from} baseline={r.arms[0] ?? ''} look={r.arms.indexOf(t.arm)} several={several} />
      ))}
      {stage.shares && <Shares stage={stage} arms={r.arms} />}
    </div>
  )
}

const armLabel = (version: string, i: number) => `version ${version}${i === 0 ? ', baseline' : ''}`

function Distribution({ title, shape, arms, log = false }: { title: string; shape: NonNullable<StageReport['latency']>; arms: readonly string[]; log?: boolean }) {
  const { xs, lines } = useMemo(() => {
    const labels = shape.labels ?? []
    const edges = shape.edges ?? labels.map((_, i) => i).concat(labels.length)
    return {
      xs: edges,
      lines: shape.counts.flatMap((counts, i): PlotLine[] => {
        const total = counts.reduce((a, b) => a + b, 0)
        if (total === 0) return []
        const ys = counts.map((n) => n / total)
        return [{ label: armLabel(arms[i] ?? '', i), look: i, ys: [...ys, ys.at(-1) ?? 0] }]
      }),
    }
  }, [shape, arms])
  const note = shape.labels ? `from left to right: ${shape.labels.join(', ')}` : 'share of the requests'
  return <Plot title={title} note={note} xs={xs} x="values" lines={lines} logX={log && (xs[0] ?? 0) > 0} steps />
}

interface TrailProps {
  trail: RolloutTrail
  from: string
  baseline: string
  look: number
  several: boolean
}

type Spanned = 'baseline' | 'candidate' | 'effect'

function Trail({ trail: t, from, baseline, look, several }: TrailProps) {
  const shown = useMemo(() => {
    const seconds = t.points.map((p) => (Date.parse(p.at) - Date.parse(from)) / 1000)
    const line = (of: Spanned, label: string, lookOf: number): PlotLine[] => {
      if (!t.points.some((p) => p[of]?.value !== undefined)) return []
      const values = (end: 'value' | 'low' | 'high') => t.points.map((p) => p[of]?.[end] ?? null)
      const wide = t.points.some((p) => p[of]?.low !== undefined && p[of]?.high !== undefined)
      return [{ label, look: lookOf, ys: values('value'), ...(wide ? { low: values('low'), high: values('high') } : {}) }]
    }
    const simple = (of: 'p' | 'chance', label: string): PlotLine[] =>
      t.points.some((p) => p[of] !== undefined) ? [{ label, look, ys: t.points.map((p) => (of === 'p' && p.p !== undefined ? Math.max(p.p, 1e-12) : (p[of] ?? null))) }] : []
    return {
      seconds,
      values: [...line('baseline', armLabel(baseline, 0), 0), ...line('candidate', `version ${t.arm}`, look)],
      effect: line('effect', `version ${t.arm}`, look),
      p: simple('p', 'lowest so far'),
      chance: simple('chance', `version ${t.arm}`),
    }
  }, [t, from, baseline, look])
  const marks = useMemo<PlotMark[]>(() => [{ y: noHarm(t.unit), label: 'no harm' }, ...(t.tolerance === undefined ? [] : [{ y: t.tolerance, label: 'tolerance' }])], [t])
  const level = useMemo<PlotMark[]>(() => (t.level === undefined ? [] : [{ y: t.level, label: 'decided below' }]), [t])
  const name = several ? `${t.label}, version ${t.arm}` : t.label
  const test = t.p_test === 'guard' ? 'of the guard, which looks after each window' : testWords(t.p_test ?? '')
  return (
    <>
      {shown.values.length > 0 && <Plot title={name} note={`${shown.values.some((l) => l.low) ? 'with intervals, ' : ''}of all requests of the stage until then`} xs={shown.seconds} x="seconds" lines={shown.values} />}
      {shown.effect.length > 0 && <Plot title={`harm by ${name}`} note={`above 0 is worse; ${unitWords(t.unit)}`} xs={shown.seconds} x="seconds" lines={shown.effect} marks={marks} />}
      {shown.p.length > 0 && <Plot title={`p-value of ${name}`} note={test} xs={shown.seconds} x="seconds" lines={shown.p} marks={level} logY />}
      {shown.chance.length > 0 && <Plot title={`chance to be the best by ${name}`} xs={shown.seconds} x="seconds" lines={shown.chance} />}
    </>
  )
}

function Shares({ stage, arms }: { stage: StageReport; arms: readonly string[] }) {
  const { xs, lines } = useMemo(() => {
    const shares = stage.shares ?? []
    return {
      xs: shares.map((s) => (Date.parse(s.at) - Date.parse(stage.from)) / 1000),
      lines: arms.map((arm, i): PlotLine => ({ label: armLabel(arm, i), look: i, ys: shares.map((s) => s.shares[i] ?? null) })),
    }
  }, [stage, arms])
  return <Plot title="Traffic" note="percent of the requests" xs={xs} x="seconds" lines={lines} steps />
}
