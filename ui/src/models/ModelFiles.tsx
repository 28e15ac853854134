import type { ModelVersion } from '../api/types'
import { contentOf, type Place } from '../artifact/place'
import { bytes, shortDigest } from '../format/value'
import { useAddress } from '../parts/address'
import { ButtonLink } from '../parts/Button'
import { Card } from '../parts/Card'
import { Copy } from '../parts/Copy'
import { Icon } from '../parts/icons'
import { late } from '../parts/late'
import { Nothing } from '../parts/Notice'
import css from './ModelPage.module.css'

const FilePreview = late('the file', async () => ({ default: (await import('../artifact/FilePreview')).FilePreview }))

const manyFiles = 200

/** The files of a version with their sizes and digests; the address holds the one that is open. */
export function ModelFiles({ model, version }: { model: string; version: ModelVersion }) {
  const [search, change] = useAddress()
  const open = search.get('file')
  const place: Place = { kind: 'version', model, version: version.version }
  const files = version.files.slice(0, manyFiles)
  return (
    <Card title={`Files (${version.files.length})`}>
      {files.length === 0 && <Nothing>Levada does not keep the files of this version; they are at its source.</Nothing>}
      <ul className={css.files}>
        {files.map((file) => (
          <li key={file.path}>
            <div>
              <Icon name="file" />
              <button type="button" aria-expanded={open === file.path} onClick={() => change({ file: open === file.path ? undefined : file.path })}>
                {file.path}
              </button>
              <span>{bytes(file.size)}</span>
              <code title={`sha256:${file.sha256}`} className={css.digest}>
                {shortDigest(`sha256:${file.sha256}`)}
              </code>
              <Copy text={`sha256:${file.sha256}`} label={`Copy the digest of ${file.path}`} />
              <ButtonLink icon="download" label={`Download ${file.path}`} href={contentOf(place, file.path, true)} download />
            </div>
            {open === file.path && (
              <FilePreview place={place} path={file.path} size={file.size} />
            )}
          </li>
        ))}
      </ul>
      {version.files.length > manyFiles && <Nothing>{`and ${version.files.length - manyFiles} more`}</Nothing>}
    </Card>
  )
}
