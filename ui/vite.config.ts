import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

// The server that `npm run dev` talks to: a Levada server, or the fixture server of dev/fixture.mjs.
const server = process.env.LEVADA_URL ?? 'http://127.0.0.1:8080'

/** The file of what every page needs: the libraries that draw it, and parts. */
const every = 'every'

/**
 * V8 compiles all functions of a file that begins so while it loads, beside the page's own thread (https://v8.dev/blog/explicit-compile-hints).
 * Otherwise it compiles each when it is first called, which on the first page is most of them. Other browsers see a comment.
 */
const compiledWhileLoading: Plugin = {
  name: 'compiled-while-loading',
  enforce: 'post',
  apply: 'build',
  generateBundle: {
    order: 'post',
    handler(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk' && (file.isEntry || file.name === every)) file.code = `//# allFunctionsCalledOnLoad\n${file.code}`
      }
    },
  },
}

export default defineConfig({
  plugins: [react(), compiledWhileLoading],
  build: {
    // The Go package that embeds the application. scripts/clean.mjs empties it, but for the placeholder page.
    outDir: '../internal/web/dist',
    emptyOutDir: false,
    target: 'es2022',
    // The page's policy allows no data: scripts or styles, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // The first page is two files, not a dozen: what every page needs, and the application itself. A request costs a slow machine more
        // than the bytes do.
        codeSplitting: {
          groups: [
            { name: every, test: /node_modules\/(react|react-dom|scheduler|use-sync-external-store|wouter|regexparam|@tanstack)\/|src\/(api|format|parts\/(Button|Link|Notice|icons|address|late|now|State))/ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': { target: server, changeOrigin: false } } },
})
