import { Command } from '../parts/Command'
import { Empty } from '../parts/Page'

const cli = 'levada run pipeline.yaml'

const sdk = `import kfp

client = kfp.Client(host="${window.location.origin}")
client.create_run_from_pipeline_package("pipeline.yaml")`

/** What the list shows before there is a run. */
export function FirstRun() {
  return (
    <Empty title="No runs yet">
      <p>Start one from a compiled Kubeflow pipeline, on the command line:</p>
      <Command text={cli} />
      <p>or with the kfp SDK, where you compile it:</p>
      <Command text={sdk} />
      <p>It shows up here by itself.</p>
    </Empty>
  )
}
