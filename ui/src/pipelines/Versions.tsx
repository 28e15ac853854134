import { useMoreVersions } from '../api/pipelines'
import type { PipelineDetail } from '../api/types'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { LinkButton } from '../parts/LinkButton'
import { List } from '../parts/List'
import { More } from '../parts/More'
import { Ago } from '../parts/now'
import { pageCss } from '../parts/Page'
import css from './Pipelines.module.css'

/** All versions of a pipeline, newest first; each can be looked at, compared with the one that is shown, and run. */
export function Versions({ data, shown }: { data: PipelineDetail; shown: string }) {
  const { pipeline, versions } = data
  const [, change] = useAddress()
  const more = useMoreVersions(pipeline.id, versions.next_page_token ?? '')
  const list = [...versions.versions, ...(more.data?.pages.flatMap((page) => page.versions) ?? [])]
  const hasNextPage = versions.next_page_token !== undefined && (more.data === undefined || more.hasNextPage)
  // The first page of the rest is asked for by refetching: until then there is none.
  const fetchNextPage = () => (more.data === undefined ? more.refetch() : more.fetchNextPage())
  return (
    <>
      <List caption="Versions, newest first" columns={['Version', { name: 'Uploaded', optional: true }, { name: 'Actions', unseen: true }]} className={css.inner}>
        <tbody>
          {list.map((v) => (
            <tr key={v.id} data-version={v.id}>
              <th scope="row">
                {v.display_name} {v.id === shown && <span className={pageCss.soft}>(shown)</span>}
                {v.description && <div className={`${pageCss.soft} ${css.clamp}`}>{v.description}</div>}
              </th>
              <td className={pageCss.optional}>
                <Ago time={v.created_at} />
              </td>
              <td>
                <div className={css.buttons}>
                  {v.id !== shown && (
                    <>
                      <Button aria-label={`Show ${v.display_name}`} onClick={() => change({ version: v.id, against: '', view: '', task: '' })}>
                        Show
                      </Button>
                      <Button aria-label={`Compare with ${v.display_name}`} onClick={() => change({ version: shown, against: v.id, view: '', task: '' })}>
                        Compare
                      </Button>
                    </>
                  )}
                  <LinkButton href={`/pipelines/${pipeline.id}/run?version=${v.id}`} icon="play" label={`Run ${v.display_name}`}>
                    Run
                  </LinkButton>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </List>
      {versions.total > versions.versions.length && (
        <More shown={list.length} total={versions.total} noun="version" pages={{ hasNextPage, isFetchingNextPage: more.isFetching, fetchNextPage }} />
      )}
    </>
  )
}
