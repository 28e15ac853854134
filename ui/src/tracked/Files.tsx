import { useMemo } from 'react'
import { FileTree } from '../artifact/FileTree'
import type { Place } from '../artifact/place'
import type { TrackedRun } from '../api/types'
import { useAddress } from '../parts/address'
import { Notice } from '../parts/Notice'
import css from './TrackedPage.module.css'

/** The files of a run as a tree; a directory is read when it is opened. The address holds the open file. */
export function Files({ run, location }: { run: TrackedRun; location: string }) {
  const [search, change] = useAddress()
  const place = useMemo((): Place => ({ kind: 'run', id: run.id }), [run.id])
  if (!location.startsWith('mlflow-artifacts:')) {
    return (
      <Notice tone="neutral" title="The files are kept elsewhere">
        {`They are at ${location}. Read them with a client that has access to that place.`}
      </Notice>
    )
  }
  return (
    <div className={css.files}>
      <FileTree place={place} label="Files of the run" open={search.get('file') ?? ''} onOpen={(file) => change({ file })} empty="The run has no files." />
    </div>
  )
}
