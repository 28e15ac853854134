import { Copy } from './Copy'
import css from './Command.module.css'

/** Something to type or paste elsewhere. */
export function Command({ text }: { text: string }) {
  return (
    <div className={css.command}>
      <pre>{text}</pre>
      <Copy text={text} label="Copy the command" />
    </div>
  )
}
