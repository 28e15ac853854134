import { Tabs as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import css from './Tabs.module.css'

export interface Tab {
  id: string
  label: ReactNode
  content: ReactNode
}

interface Props {
  label: string
  tabs: Tab[]
  value: string
  onChange: (id: string) => void
  /** Stands at the end of the row of tabs. */
  extra?: ReactNode
}

export function Tabs({ label, tabs, value, onChange, extra }: Props) {
  return (
    <Radix.Root className={css.root} value={value} onValueChange={onChange}>
      <div className={css.head}>
        <Radix.List className={css.list} aria-label={label}>
          {tabs.map((tab) => (
            <Radix.Trigger key={tab.id} value={tab.id} className={css.tab}>
              {tab.label}
            </Radix.Trigger>
          ))}
        </Radix.List>
        {extra}
      </div>
      {tabs.map((tab) => (
        <Radix.Content key={tab.id} value={tab.id} className={css.content}>
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  )
}
