import { useState } from 'react'
import { contentUrl, useFiles } from '../api/queries'
import type { Artifact, BlobFile } from '../api/types'
import { bytes } from '../format/value'
import { ButtonLink } from '../parts/Button'
import { Loading, Notice } from '../parts/Notice'
import css from './ArtifactPreview.module.css'
import { HeldFile } from './HeldFile'

/** What is in an artifact: the file, or the list of a directory's files. */
export default function ArtifactPreview({ artifact }: { artifact: Artifact }) {
  return artifact.digest?.startsWith('dir-') ? <Directory artifact={artifact} /> : <File artifact={artifact} path="" size={artifact.size} />
}

const manyFiles = 200

function Directory({ artifact }: { artifact: Artifact }) {
  const files = useFiles(artifact.id, true)
  const [open, setOpen] = useState<BlobFile>()
  if (files.isPending) return <Loading what="the files" />
  if (files.error) return <Notice tone="danger">{files.error.message}</Notice>
  const shown = files.data.files.slice(0, manyFiles)
  return (
    <div className={css.preview} data-preview="directory">
      <ul className={css.files}>
        {shown.map((file) => (
          <li key={file.path}>
            <button type="button" aria-expanded={open === file} onClick={() => setOpen(open === file ? undefined : file)}>
              {file.path}
            </button>
            <span className={css.size}>{bytes(file.size)}</span>
            <ButtonLink icon="download" label={`Download ${file.path}`} href={contentUrl(artifact.id, file.path, true)} download />
          </li>
        ))}
      </ul>
      {files.data.files.length > manyFiles && (
        <p className={css.note}>{`and ${files.data.files.length - manyFiles} more: download the artifact to have them all`}</p>
      )}
      {open && <File key={open.path} artifact={artifact} path={open.path} size={open.size} />}
    </div>
  )
}

function File({ artifact, path, size }: { artifact: Artifact; path: string; size: number }) {
  return <HeldFile url={contentUrl(artifact.id, path)} path={path || artifact.custom_path || ''} size={size} title={path || artifact.name} schemaTitle={artifact.schema_title} fixed />
}
