// Runs before the first paint, so that a chosen theme does not flash. src/shell/theme.ts writes the choice.
try {
  const theme = localStorage.getItem('levada.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be switched off; the system's preference stands.
}
