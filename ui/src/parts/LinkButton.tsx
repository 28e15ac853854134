import type { ReactNode } from 'react'
import { Icon, type IconName } from './icons'
import css from './Button.module.css'
import { Link } from './Link'

/** A link to another page of the application that looks like a button. */
export function LinkButton({ href, icon, primary = false, label, children }: { href: string; icon?: IconName; primary?: boolean; label?: string; children: ReactNode }) {
  return (
    <Link href={href} className={`${css.button} ${primary ? css.primary : css.plain}`} aria-label={label}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  )
}
