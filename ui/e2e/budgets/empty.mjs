// A page of React that shows one link and nothing else: what a page costs on this machine before it does anything of its own.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const entry = 'virtual:empty'
const source = `
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
createRoot(document.getElementById('root')).render(createElement('a', { href: '/runs/0' }, 'a run'))
`

/** Serves the page; the answer is its address and what ends it. */
export async function emptyPage() {
  const { output } = await build({
    configFile: false,
    root: fileURLToPath(new URL('../../', import.meta.url)),
    logLevel: 'silent',
    publicDir: false,
    plugins: [{ name: 'empty', resolveId: (id) => (id === entry ? id : undefined), load: (id) => (id === entry ? source : undefined) }],
    build: { write: false, target: 'es2022', modulePreload: false, rolldownOptions: { input: entry } },
  })
  // Compiled while it loads, as the application is (vite.config.ts).
  const script = `//# allFunctionsCalledOnLoad\n${output[0].code}`
  const server = createServer((request, response) => {
    const isScript = request.url === '/empty.js'
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/empty.js"></script>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}
