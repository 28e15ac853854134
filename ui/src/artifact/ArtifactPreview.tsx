import { useMemo, useState } from 'react'
import type { Artifact } from '../api/types'
import css from './FilePreview.module.css'
import { FilePreview } from './FilePreview'
import { FileTree } from './FileTree'
import type { Place } from './place'

interface Props {
  artifact: Artifact
  /** The file of a directory that is open, and who keeps it; without them the preview keeps it. */
  path?: string
  onPath?: (path: string) => void
}

/** What is in an artifact: the file, or the tree of a directory's files. */
export default function ArtifactPreview({ artifact, path, onPath }: Props) {
  const [own, setOwn] = useState('')
  const place = useMemo((): Place => ({ kind: 'artifact', id: artifact.id }), [artifact.id])
  if (!artifact.digest?.startsWith('dir-')) {
    return <FilePreview place={place} path="" name={artifact.custom_path ?? ''} size={artifact.size} title={artifact.name} schemaTitle={artifact.schema_title} />
  }
  return (
    <div className={css.preview} data-preview="directory">
      <FileTree place={place} label={`Files of ${artifact.name}`} open={path ?? own} onOpen={onPath ?? setOwn} empty="The directory is empty." />
    </div>
  )
}
