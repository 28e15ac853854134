import css from './RunGraph.module.css'

/** Says what the marks mean that stand for boxes too small for words. */
export function MarksLegend() {
  return (
    <p className={css.legend}>
      <span className={css.done}>Succeeded</span>
      <span className={css.failed}>Failed</span>
      <span className={css.running}>Running</span>
      <span className={css.pending}>Pending</span>
      <span className={css.skipped}>Skipped or canceled</span>
      <span className={css.hint}>Point at a box for its name</span>
    </p>
  )
}
