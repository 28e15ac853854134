// Pipelines of any size whose tasks cost next to nothing: importers of an address that is only noted, not read.

const importer = { importer: { artifactUri: { constant: 'https://example.org/rows.csv' }, typeSchema: { schemaTitle: 'system.Dataset', schemaVersion: '0.0.1' } } }
const component = { executorLabel: 'e', outputDefinitions: { artifacts: { artifact: { artifactType: { schemaTitle: 'system.Dataset', schemaVersion: '0.0.1' } } } } }
const name = (i) => `task-${String(i).padStart(5, '0')}`

/** A pipeline of n tasks; before says which come before the i-th. */
function graphOf(title, n, before) {
  const tasks = {}
  for (let i = 0; i < n; i++) {
    const dependentTasks = before(i).map(name)
    tasks[name(i)] = { taskInfo: { name: name(i) }, componentRef: { name: 'c' }, ...(dependentTasks.length > 0 ? { dependentTasks } : {}) }
  }
  return specOf(title, { e: importer }, { c: component }, { dag: { tasks } })
}

function specOf(title, executors, components, root) {
  return JSON.stringify({ schemaVersion: '2.1.0', sdkVersion: 'kfp-2.17.0', pipelineInfo: { name: title }, deploymentSpec: { executors }, components, root })
}

/** The same sequence of numbers from 0 to 1 every time. */
function numbers(seed) {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** A single task. */
export const oneTask = (title) => graphOf(title, 1, () => [])

/** One task, n - 2 equal ones after it, and one after these. */
export const fanOut = (n) => graphOf('fan-out', n, (i) => (i === 0 ? [] : i < n - 1 ? [0] : Array.from({ length: n - 2 }, (_, k) => k + 1)))

export const chain = (n) => graphOf('chain', n, (i) => (i === 0 ? [] : [i - 1]))

/** Layers of up to 100 tasks, each after about two tasks of the layers just before. */
export function layered(n) {
  const random = numbers(7)
  const width = 100
  return graphOf('layered', n, (i) => {
    const layer = Math.floor(i / width)
    if (layer === 0) return []
    const wanted = 1 + Math.floor(random() * 3)
    const found = new Set()
    for (let k = 0; k < wanted; k++) {
      const from = Math.max(0, layer - (random() < 0.9 ? 1 : 3))
      found.add(Math.min(i - 1, from * width + Math.floor(random() * width)))
    }
    return [...found]
  })
}

/** n steps in a chain with nine beside each link. They run a shell for a moment; the first waits until a page may look on. */
export function graphOfSteps(n, { first = 5, each = 0.05 } = {}) {
  const shell = (seconds) => ({ container: { image: 'alpine', command: ['sh', '-c', `sleep ${seconds}`] } })
  const tasks = {}
  for (let i = 0; i < n; i++) {
    const before = i === 0 ? [] : [name(i % 10 === 0 ? i - 10 : i - (i % 10))]
    tasks[name(i)] = { taskInfo: { name: name(i) }, componentRef: { name: i === 0 ? 'first' : 'step' }, cachingOptions: {}, ...(i > 0 ? { dependentTasks: before } : {}) }
  }
  return specOf('steps', { first: shell(first), each: shell(each) }, { first: { executorLabel: 'first' }, step: { executorLabel: 'each' } }, { dag: { tasks } })
}
