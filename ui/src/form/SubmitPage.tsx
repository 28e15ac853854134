import { usePipeline } from '../api/pipelines'
import { useAddress } from '../parts/address'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { Loading } from '../parts/Notice'
import { Empty, Failed, Page } from '../parts/Page'
import { Field } from './Field'
import css from './Form.module.css'
import { RunForm } from './RunForm'

/** Starts a run of a version of a pipeline. The address names the version; without one it is the newest. */
export default function SubmitPage({ id }: { id: string }) {
  const [search, change] = useAddress()
  const { data, error } = usePipeline(id, search.get('version') ?? '')
  if (error) return <Failed error={error} what="pipeline" />
  if (!data) return <Loading what="the form" />
  const { pipeline, versions, version } = data
  const name = pipeline.display_name
  return (
    <Page title={`Run ${name}`} crumbs={[<Link key="all" href="/pipelines">Pipelines</Link>, <Link key="one" href={`/pipelines/${id}`}>{name}</Link>, 'Run']}>
      {version ? (
        <RunForm outline={version.outline} source={{ pipeline_id: id, version_id: version.id }}>
          <Field label="Version">
            {(wiring) => (
              <select {...wiring} className={css.control} value={version.id} onChange={(e) => change({ version: e.target.value })}>
                {!versions.versions.some((v) => v.id === version.id) && <option value={version.id}>{version.display_name}</option>}
                {versions.versions.map((v, i) => (
                  <option key={v.id} value={v.id}>
                    {v.display_name}
                    {i === 0 ? ' (newest)' : ''}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </RunForm>
      ) : (
        <Empty title="This pipeline has no version yet">
          <p>Upload a compiled pipeline first.</p>
          <LinkButton href={`/pipelines/${id}`}>Go to the pipeline</LinkButton>
        </Empty>
      )}
    </Page>
  )
}
