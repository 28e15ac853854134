import { useModels } from '../api/tracking'
import { Button } from '../parts/Button'
import { Command } from '../parts/Command'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Loading, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Empty, pageCss as css, SearchPage } from '../parts/Page'
import { Deployed } from './Deployed'
import own from './ModelPage.module.css'

export default function ModelsPage() {
  return <SearchPage title="Models">{(q) => <Models q={q} />}</SearchPage>
}

/** The first sentence of a Markdown text that is no heading, without its marks. */
function plain(markdown: string): string {
  const line = markdown.split('\n').find((l) => l.trim() !== '' && !l.startsWith('#')) ?? markdown
  return line.replaceAll(/[*_`#]/g, '').trim()
}

function Models({ q }: { q: string }) {
  const list = useModels(q)
  const items = list.data?.pages.flatMap((page) => page.models) ?? []
  if (list.isPending) return <Loading what="models" />
  return (
    <Clock ticking={false}>
      <Stale what="list" error={list.error} />
      {items.length > 0 && (
        <List caption="Registered models" columns={['Model', 'Latest', 'Aliases', { name: 'Deployed', optional: true }, { name: 'Changed', optional: true }]}>
          <tbody>
            {items.map((m) => (
              <tr key={m.name}>
                <th scope="row">
                  <Link href={`/models/${encodeURIComponent(m.name)}`}>{m.name}</Link>
                  {m.description && <div className={`${css.soft} ${own.oneLine}`}>{plain(m.description)}</div>}
                </th>
                <td>
                  {m.latest.length === 0 && <span className={css.soft}>no version</span>}
                  {m.latest.map((v) => (
                    <div key={v.version} className={own.latest}>
                      {v.version}
                      {v.stage !== 'None' && <span className={own.badge}>{v.stage}</span>}
                    </div>
                  ))}
                </td>
                <td>
                  <span className={own.badges}>
                    {m.aliases.map((a) => (
                      <span key={a.name} className={own.alias}>
                        @{a.name}&nbsp;→&nbsp;{a.version}
                      </span>
                    ))}
                  </span>
                </td>
                <td className={css.optional}>
                  <Deployed list={m.deployed} named />
                </td>
                <td className={css.optional}>
                  <Ago time={m.updated_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </List>
      )}
      {list.hasNextPage && (
        <p>
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Load more
          </Button>
        </p>
      )}
      {items.length === 0 && !list.error && (q ? <Empty title="No model matches" /> : <FirstModel />)}
    </Clock>
  )
}

function FirstModel() {
  return (
    <Empty title="No models yet">
      <p>Register one with MLflow, in a step of a pipeline or anywhere else:</p>
      <Command
        text={`import mlflow

mlflow.set_tracking_uri("${window.location.origin}")
with mlflow.start_run():
    mlflow.sklearn.log_model(model, name="model", registered_model_name="delays")`}
      />
    </Empty>
  )
}
