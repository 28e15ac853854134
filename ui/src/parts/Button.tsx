import type { ButtonHTMLAttributes } from 'react'
import { Icon, type IconName } from './icons'
import css from './Button.module.css'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: 'plain' | 'primary' | 'danger' | 'quiet'
  icon?: IconName
  /** Off for a moment, while what it asked for is done. Unlike a disabled button it keeps the focus. */
  busy?: boolean
}

/** A button. Without children it needs an aria-label, which is shown on hover as well. */
export function Button({ look = 'plain', icon, busy = false, children, className = '', onClick, ...rest }: Props) {
  return (
    <button
      type="button"
      title={children === undefined ? rest['aria-label'] : undefined}
      {...rest}
      aria-disabled={busy || undefined}
      onClick={busy ? undefined : onClick}
      className={`${css.button} ${css[look]} ${children === undefined ? css.square : ''} ${className}`}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** A link that looks like a button; it leaves the application or saves a file. */
export function ButtonLink({ href, icon, label, download }: { href: string; icon: IconName; label: string; download?: boolean }) {
  return (
    <a className={`${css.button} ${css.quiet} ${css.square}`} href={href} download={download} aria-label={label} title={label}>
      <Icon name={icon} />
    </a>
  )
}
