import './styles/tokens.css'
import './styles/base.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiError } from './api/client'
import { early } from './api/early'
import { startLive } from './api/live'
import { App } from './app'
import { fromKfpLink } from './kfpLinks'
import { Connection } from './parts/Connection'
import { followLinks } from './parts/Link'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // What the server refuses it refuses again; a server that is being restarted is worth a few tries.
      retry: (failures, error) => failures < 3 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
})

startLive(client)
followLinks()

const address = fromKfpLink(location.hash)
if (address) history.replaceState(null, '', address)

const root = document.getElementById('root')
if (root) {
  // Not awaited here: a module that waits makes the build cut the first page into many more files.
  void early().then(() =>
    createRoot(root).render(
      <StrictMode>
        <QueryClientProvider client={client}>
          <App />
          <Connection />
        </QueryClientProvider>
      </StrictMode>,
    ),
  )
}
