// Runs before anything else of the page.

// A chosen theme is there before the first paint, so that it does not flash. src/shell/theme.ts writes the choice.
try {
  const theme = localStorage.getItem('levada.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be switched off; the system's preference stands.
}

// What the first pages ask is asked for now, while the application is loaded. src/api/early.ts takes the answers, where the application asks
// for exactly these addresses.
const experiments = 'experiments?page_size=200&archived=any'
const lists = location.search || location.hash ? {} : { '/': ['home'], '/runs': ['runs?page_size=100&fields=true', experiments] }
const run = /^\/runs\/([^/]+)(\/tasks\/[^/]+)?$/.exec(location.pathname)?.[1]

/** Asks, and keeps what read makes of the answer; nothing where it is not a success: then the application asks once more and says what is wrong. */
function ask(path, type, read) {
  const one = { answer: undefined }
  one.answered = fetch(`/api/v1/${path}`, { headers: { Accept: type } })
    .then((response) => (response.ok ? read(response) : undefined))
    .catch(() => undefined)
    .then((answer) => (one.answer = answer))
  return [`/api/v1/${path}`, one]
}

const paths = ['info', ...(run ? [experiments] : (lists[location.pathname] ?? []))]
window.levadaEarly = new Map(paths.map((path) => ask(path, 'application/json', (response) => response.json())))
if (run) window.levadaStreams = new Map([ask(`runs/${run}/events`, 'text/event-stream', (response) => response)])
