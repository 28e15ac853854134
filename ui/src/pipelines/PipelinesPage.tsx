import { useState } from 'react'
import { useLocation } from 'wouter'
import { usePipelines } from '../api/pipelines'
import type { Pipeline } from '../api/types'
import { Button } from '../parts/Button'
import { Command } from '../parts/Command'
import { InSight } from '../parts/InSight'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { List } from '../parts/List'
import { More } from '../parts/More'
import { Loading, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Empty, pageCss as css, SearchPage } from '../parts/Page'
import { type RowWiring, VirtualRows } from '../parts/VirtualRows'
import own from './Pipelines.module.css'
import { UploadBox } from './UploadBox'

export default function PipelinesPage() {
  return <SearchPage title="Pipelines">{(q) => <Pipelines q={q} />}</SearchPage>
}

function Pipelines({ q }: { q: string }) {
  const list = usePipelines(q)
  const [, navigate] = useLocation()
  const [uploading, setUploading] = useState(false)
  const items = list.data?.pages.flatMap((page) => page.pipelines) ?? []
  if (list.isPending) return <Loading what="pipelines" />
  const none = items.length === 0 && !list.error && q === ''
  return (
    <Clock ticking={false}>
      <Stale what="list" error={list.error} />
      {!none && (
        <div>
          <Button icon="plus" aria-expanded={uploading} onClick={() => setUploading(!uploading)}>
            Upload a pipeline
          </Button>
        </div>
      )}
      {(uploading || none) && <UploadBox onDone={(v) => navigate(`/pipelines/${v.pipeline_id}`)} />}
      {none && <FirstPipeline />}
      {items.length > 0 && (
        <List caption="Uploaded pipelines, newest first" columns={['Pipeline', { name: 'Uploaded', optional: true }, { name: 'Actions', unseen: true }]} aria-rowcount={(list.data?.pages[0]?.total ?? 0) + 1}>
          <VirtualRows
            items={items}
            height={46}
            columns={3}
            row={pipelineRow}
          />
        </List>
      )}
      {items.length > 0 && (
        <>
          <More shown={items.length} total={list.data?.pages[0]?.total ?? 0} noun="pipeline" pages={list} />
          {list.hasNextPage && <InSight key={items.length} onSight={() => void list.fetchNextPage()} />}
        </>
      )}
      {items.length === 0 && !list.error && q !== '' && <Empty title="No pipeline matches" />}
    </Clock>
  )
}

function pipelineRow(p: Pipeline, wiring: RowWiring) {
  return (
    <tr key={p.id} {...wiring}>
      <th scope="row">
        <Link href={`/pipelines/${p.id}`}>{p.display_name}</Link>
        {p.description && <div className={`${css.soft} ${own.clamp}`}>{p.description}</div>}
      </th>
      <td className={css.optional}>
        <Ago time={p.created_at} />
      </td>
      <td className={own.end}>
        <LinkButton href={`/pipelines/${p.id}/run`} icon="play" label={`Run ${p.display_name}`}>
          Run
        </LinkButton>
      </td>
    </tr>
  )
}

function FirstPipeline() {
  return (
    <Empty title="No pipelines yet">
      <p>A pipeline that was uploaded can be run from here, again and again. Upload its compiled YAML above, or from Python:</p>
      <Command
        text={`import kfp

client = kfp.Client(host="${window.location.origin}")
client.upload_pipeline("pipeline.yaml", pipeline_name="delays")`}
      />
      <p>
        Runs that were started from a file need no upload: they are below <Link href="/runs">Runs</Link>.
      </p>
    </Empty>
  )
}
