import { Button } from '../parts/Button'
import type { IconName } from '../parts/icons'
import { setTheme, type Theme, useTheme } from './theme'

const next: Record<Theme, { theme: Theme; icon: IconName; label: string }> = {
  system: { theme: 'light', icon: 'auto', label: 'Theme: as the system. Switch to light' },
  light: { theme: 'dark', icon: 'sun', label: 'Theme: light. Switch to dark' },
  dark: { theme: 'system', icon: 'moon', label: 'Theme: dark. Switch to the system’s' },
}

export function ThemeButton() {
  const { theme, icon, label } = next[useTheme()]
  return <Button look="quiet" icon={icon} aria-label={label} onClick={() => setTheme(theme)} />
}
