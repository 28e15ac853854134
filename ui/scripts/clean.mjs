// Empties the folder that the Go program embeds, but for the placeholder page that is kept in the repository.
import { readdir, rm } from 'node:fs/promises'

const dist = new URL('../../internal/web/dist/', import.meta.url)
for (const name of await readdir(dist)) {
  if (name !== 'placeholder.html') await rm(new URL(name, dist), { recursive: true })
}
