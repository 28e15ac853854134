import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The server that `npm run dev` talks to: a Levada server, or the fixture server of dev/fixture.mjs.
const server = process.env.LEVADA_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
  build: {
    // The Go package that embeds the application. scripts/clean.mjs empties it, but for the placeholder page.
    outDir: '../internal/web/dist',
    emptyOutDir: false,
    target: 'es2022',
    // The page's policy allows no data: scripts or styles, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': { target: server, changeOrigin: false } } },
})
