import { lazy, Suspense } from 'react'
import { trackedFileUrl, useTrackedFiles } from '../api/tracking'
import type { TrackedFile, TrackedRun } from '../api/types'
import { bytes } from '../format/value'
import { useAddress } from '../parts/address'
import { ButtonLink } from '../parts/Button'
import { Icon } from '../parts/icons'
import { Loading, Notice } from '../parts/Notice'
import css from './TrackedPage.module.css'

const HeldFile = lazy(async () => ({ default: (await import('../artifact/HeldFile')).HeldFile }))

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

/** The files of a run, a directory at a time. The address holds the directory and the open file. */
export function Files({ run, location }: { run: TrackedRun; location: string }) {
  const [search, change] = useAddress()
  const dir = search.get('dir') ?? ''
  const open = search.get('file') ?? ''
  const files = useTrackedFiles(run.id, dir)
  const parts = dir.split('/').filter(Boolean)
  return (
    <div className={css.files}>
      {parts.length > 0 && (
        <nav aria-label="Directory" className={css.path}>
          <button type="button" onClick={() => change({ dir: undefined, file: undefined })}>
            all files
          </button>
          {parts.map((part, i) => (
            <span key={parts.slice(0, i + 1).join('/')}>
              /{' '}
              <button type="button" onClick={() => change({ dir: parts.slice(0, i + 1).join('/'), file: undefined })}>
                {part}
              </button>
            </span>
          ))}
        </nav>
      )}
      {files.isPending && <Loading what="the files" />}
      {files.error && (
        <Notice tone={location.startsWith('mlflow-artifacts:') ? 'danger' : 'neutral'} title="The files cannot be listed">
          {files.error.message}
        </Notice>
      )}
      {files.data?.files.length === 0 && <p className={css.none}>{dir ? 'The directory is empty.' : 'The run has no files.'}</p>}
      {files.data && files.data.files.length > 0 && (
        <ul className={css.fileList}>
          {files.data.files.map((file) => (
            <Entry
              key={file.path}
              run={run}
              file={file}
              open={file.path === open}
              onOpen={() => change(file.dir ? { dir: file.path, file: undefined } : { file: file.path === open ? undefined : file.path })}
            />
          ))}
        </ul>
      )}
    </div>
  )
}

function Entry({ run, file, open, onOpen }: { run: TrackedRun; file: TrackedFile; open: boolean; onOpen: () => void }) {
  return (
    <li>
      <div>
        <Icon name={file.dir ? 'folder' : 'file'} />
        <button type="button" aria-expanded={file.dir ? undefined : open} onClick={onOpen}>
          {nameOf(file.path)}
          {file.dir && '/'}
        </button>
        {!file.dir && (
          <>
            <span>{bytes(file.size)}</span>
            <ButtonLink icon="download" label={`Download ${nameOf(file.path)}`} href={trackedFileUrl(run.id, file.path, true)} download />
          </>
        )}
      </div>
      {open && (
        <div className={css.open}>
          <Suspense fallback={<Loading what="the file" />}>
            <HeldFile url={trackedFileUrl(run.id, file.path)} path={file.path} size={file.size} />
          </Suspense>
        </div>
      )}
    </li>
  )
}
