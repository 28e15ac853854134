import css from './Bars.module.css'

interface Props {
  counts: readonly number[]
  /** What the bars are of, in a sentence. */
  label: string
  width?: number
  height?: number
}

/** A small histogram. Its label says what it shows. */
export function Bars({ counts, label, width = 5, height = 24 }: Props) {
  const most = Math.max(1, ...counts)
  return (
    <svg className={css.bars} width={counts.length * width} height={height} role="img" aria-label={`${label}; the fullest bar is number ${counts.indexOf(Math.max(...counts)) + 1} of ${counts.length}`}>
      {counts.map((n, i) => {
        const size = n === 0 ? 0 : Math.max(1.5, ((height - 2) * n) / most)
        // oxlint-disable-next-line react/no-array-index-key
        return <rect key={i} x={i * width} y={height - size} width={width - 1} height={size} />
      })}
    </svg>
  )
}
