import { useState } from 'react'
import { useFreeUnused, useMeasureDisk } from '../api/system'
import type { SystemStatus } from '../api/types'
import { bytes, count } from '../format/value'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Confirm } from '../parts/Confirm'
import { Notice } from '../parts/Notice'
import { Ago } from '../parts/now'
import { areaWord, share } from './areas'
import css from './SystemPage.module.css'

type DiskStatus = SystemStatus['disk']

/** What takes room on the disk, how old that knowledge is, and what can be freed. */
export function Disk({ disk }: { disk: DiskStatus }) {
  const measure = useMeasureDisk()
  return (
    <Card
      title="Disk"
      extra={
        <span className={css.age}>
          {disk.measured_at && (
            <>
              Measured <Ago time={disk.measured_at} />
            </>
          )}
          <Button look="quiet" icon="loop" busy={disk.measuring || measure.isPending} onClick={() => measure.mutate()}>
            {disk.measuring ? 'Measuring…' : 'Measure again'}
          </Button>
        </span>
      }
    >
      <div className={css.disk}>
        {measure.error && (
          <Notice tone="danger" title="The disk was not measured">
            {measure.error.message}
          </Notice>
        )}
        {disk.problem && (
          <Notice tone="warning" title="Not everything could be measured">
            {disk.problem}
          </Notice>
        )}
        <Room disk={disk} />
        <Freeable disk={disk} />
        {disk.areas.length > 0 && <Areas disk={disk} />}
      </div>
    </Card>
  )
}

function Room({ disk }: { disk: DiskStatus }) {
  const total = disk.total_bytes ?? 0
  const free = disk.free_bytes ?? 0
  const own = disk.areas.reduce((sum, a) => sum + a.bytes, 0)
  if (total === 0) return null
  const text = `${bytes(free)} free of ${bytes(total)}${disk.measured_at ? `, ${bytes(own)} of it in the data directory` : ''}`
  return (
    <div className={css.room}>
      <span className={css.meter} role="img" aria-label={text}>
        <span className={css.own} style={{ width: `${share(own, total)}%` }} />
        <span className={css.other} style={{ width: `${share(Math.max(0, total - free - own), total)}%` }} />
      </span>
      <p className={css.soft}>
        <span className={`${css.key} ${css.own}`} /> data directory {disk.measured_at ? bytes(own) : '…'}
        <span className={`${css.key} ${css.other}`} /> all else {bytes(Math.max(0, total - free - own))}
        <span className={css.key} /> free {bytes(free)} of {bytes(total)}
      </p>
    </div>
  )
}

/** What can be removed: content that nothing needs, here and now; the cache by a command, because that makes steps run again. */
function Freeable({ disk: { unused, cache } }: { disk: DiskStatus }) {
  const [asking, setAsking] = useState(false)
  const free = useFreeUnused()
  if (!unused) return null
  return (
    <div className={css.free}>
      {free.error && (
        <Notice tone="danger" title="Unused content was not removed">
          {free.error.message}
        </Notice>
      )}
      {free.data && (
        <p role="status" className={css.done}>
          {free.data.files > 0 ? `Removed ${count(free.data.files, 'file')}, ${bytes(free.data.bytes)}.` : 'There was nothing to remove.'}
        </p>
      )}
      <div className={css.freeLine}>
        <p>
          {unused.files > 0 ? (
            <>
              <strong>{bytes(unused.bytes)}</strong> in {count(unused.files, 'file')} can be freed: content that no run, model or tracked run refers to.
            </>
          ) : (
            'Nothing can be freed: all stored content is needed.'
          )}
          {unused.young_files > 0 && <span className={css.soft}> {count(unused.young_files, 'file')} ({bytes(unused.young_bytes)}) may follow when an hour old.</span>}
        </p>
        <Button busy={free.isPending || unused.files === 0} onClick={() => setAsking(true)}>
          {free.isPending ? 'Removing…' : 'Remove unused content'}
        </Button>
      </div>
      {cache && (
        <p className={css.soft}>
          {count(cache.entries, 'result')} of {bytes(cache.bytes)} can be reused. <code>levada cache prune</code> forgets some of them; their steps run again then.
        </p>
      )}
      {asking && (
        <Confirm
          title="Remove unused content?"
          text={`${bytes(unused.bytes)} that no run, model or tracked run refers to are removed from the disk. Runs, artifacts and results that can be reused stay.`}
          action="Remove"
          onConfirm={() => free.mutate()}
          onClose={() => setAsking(false)}
        />
      )}
    </div>
  )
}

function Areas({ disk }: { disk: DiskStatus }) {
  const areas = disk.areas.filter((a) => a.bytes > 0)
  const largest = areas[0]?.bytes ?? 0
  return (
    <table className={css.areas}>
      <caption className="visually-hidden">The data directory by folder, the largest first</caption>
      <thead>
        <tr>
          <th scope="col">In the data directory</th>
          <td aria-hidden="true" className={css.barCell} />
          <th scope="col" className={css.right}>
            Size
          </th>
          <th scope="col" className={css.right}>
            Files
          </th>
        </tr>
      </thead>
      <tbody>
        {areas.map((a) => (
          <tr key={a.name}>
            <th scope="row">
              <code>{a.name}</code> <span className={css.soft}>{areaWord(a.name)}</span>
            </th>
            <td aria-hidden="true" className={css.barCell}>
              <span className={css.bar} style={{ width: `${share(a.bytes, largest)}%` }} />
            </td>
            <td className={css.right}>{bytes(a.bytes)}</td>
            <td className={css.right}>{a.files.toLocaleString('en-GB')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
