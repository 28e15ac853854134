// Light, dark, or what the system says. public/start.js applies the choice before the first paint.
import { useSyncExternalStore } from 'react'
import { keep } from './kept'

export type Theme = 'system' | 'light' | 'dark'

const key = 'levada.theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

function chosen(): Theme {
  const theme = document.documentElement.dataset.theme
  return theme === 'light' || theme === 'dark' ? theme : 'system'
}

export function setTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  keep(key, theme === 'system' ? undefined : theme)
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  dark.addEventListener('change', listener)
  return () => {
    listeners.delete(listener)
    dark.removeEventListener('change', listener)
  }
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, chosen)
}

/** What is on the screen. Things drawn on a canvas are drawn again when it changes. */
export function useShownTheme(): 'light' | 'dark' {
  return useSyncExternalStore(subscribe, () => {
    const theme = chosen()
    if (theme !== 'system') return theme
    return dark.matches ? 'dark' : 'light'
  })
}
