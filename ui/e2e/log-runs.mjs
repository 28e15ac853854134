// Logs what seed.mjs makes into a server, for a look at the tracking screens: LEVADA_URL=… node e2e/log-runs.mjs
import { seed } from './seed.mjs'

const { experiment, model } = await seed(process.env.LEVADA_URL ?? 'http://127.0.0.1:8080', process.argv[2] ?? 'flight delays')
console.log(`/experiments/${experiment}\n/models/${encodeURIComponent(model)}`)
