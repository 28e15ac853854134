// The keys that open the command palette.
import { useEffect } from 'react'
import { keep, kept } from '../shell/kept'

const slashKey = 'levada.slash'

/** Says whether "/" opens the palette. A key without a modifier can be in the way of those who dictate, so it can be switched off. */
export function slashOpens(): boolean {
  return kept(slashKey) !== 'off'
}

export function setSlashOpens(on: boolean): void {
  keep(slashKey, on ? undefined : 'off')
}

/** Says whether what has the focus takes letters itself. */
function takesText(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=checkbox],[type=radio],[type=button]), textarea, select'))
}

/** Calls open for Ctrl+K, Cmd+K and, where nothing takes letters, "/". */
export function usePaletteKeys(open: () => void): void {
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const command = (e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey && e.key.toLowerCase() === 'k'
      const slash = e.key === '/' && !e.ctrlKey && !e.metaKey && !e.altKey && !takesText(e.target) && slashOpens()
      // A dialog that is open asks for an answer first.
      if ((!command && !slash) || e.defaultPrevented || document.querySelector('dialog[open]')) return
      e.preventDefault()
      open()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [open])
}
