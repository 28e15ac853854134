// A pipeline of shell steps that has what a run's page shows: a nested group, a loop that runs two at a time, a step that is
// tried again, one that fails with an error, names that look like markup, and a result that can be reused.
import { hostile } from './seed.mjs'

const shell = (script) => ({ container: { image: 'alpine', command: ['sh', '-c', script] } })
const task = (component, name, more = {}) => ({ taskInfo: { name }, componentRef: { name: component }, cachingOptions: {}, ...more })

/** The last words of the step that fails. */
export const lastWords = 'ValueError: <b>42</b> is no number'

export function graphPipeline({ failing = true, iterations = 8 } = {}) {
  const body = { dag: { tasks: { score: task('step', 'score'), check: task('step', 'check', { dependentTasks: ['score'] }) } }, inputDefinitions: { parameters: { item: { parameterType: 'NUMBER_INTEGER' } } } }
  const tasks = {
    load: task('load', 'load', { cachingOptions: { enableCache: true } }),
    prepare: task('group', 'prepare', { dependentTasks: ['load'] }),
    flaky: task('flaky', 'flaky', { dependentTasks: ['load'], retryPolicy: { maxRetryCount: 3, backoffDuration: '0.5s' } }),
    sweep: task('body', 'sweep', {
      dependentTasks: ['prepare'],
      iteratorPolicy: { parallelismLimit: 2 },
      parameterIterator: { items: { raw: JSON.stringify(Array.from({ length: iterations }, (_, i) => i)) }, itemInput: 'item' },
    }),
    hostile: task('step', hostile, { dependentTasks: ['prepare'] }),
    report: task('step', 'report', { dependentTasks: ['sweep', 'flaky', 'hostile'] }),
  }
  if (failing) {
    tasks.train = task('fail', 'train', { dependentTasks: ['sweep'] })
    tasks.publish = task('step', 'publish', { dependentTasks: ['train'] })
  }
  return JSON.stringify({
    schemaVersion: '2.1.0',
    sdkVersion: 'kfp-2.17.0',
    pipelineInfo: { name: 'graph-page' },
    deploymentSpec: {
      executors: {
        load: shell('sleep 0.3; echo loaded'),
        step: shell('sleep 0.2'),
        // The first attempt fails; the place is that of the run, so the next one finds the file.
        flaky: shell('f=/var/tmp/levada-flaky-{{$.pipeline_job_uuid}}; if [ -e "$f" ]; then rm "$f"; sleep 0.3; else touch "$f"; sleep 0.3; echo not yet >&2; exit 3; fi'),
        fail: shell(`echo working; echo 'Traceback (most recent call last):' >&2; printf '\\033[31m%s\\033[0m\\n' '${lastWords}' >&2; exit 1`),
      },
    },
    components: {
      load: { executorLabel: 'load' },
      step: { executorLabel: 'step' },
      flaky: { executorLabel: 'flaky' },
      fail: { executorLabel: 'fail' },
      group: { dag: { tasks: { split: task('step', 'split'), scale: task('step', 'scale', { dependentTasks: ['split'] }) } } },
      body,
    },
    root: { dag: { tasks } },
  })
}
