import { Copy } from './Copy'
import css from './Command.module.css'

/** Something to type or paste elsewhere. */
export function Command({ text }: { text: string }) {
  return (
    <div className={css.command}>
      {/* A long line is scrolled, with the keyboard too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0}>{text}</pre>
      <Copy text={text} label="Copy the command" />
    </div>
  )
}
