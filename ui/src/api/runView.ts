// The state of one run as its event stream tells it.
import { type Tree, TreeBuilder } from '../graph/tree'
import type { ServerEvent } from './sse'
import type { Run, Task } from './types'

export interface RunView {
  run: Run | undefined
  tree: Tree
  ended: boolean
}

/**
 * Gathers events. A task that was not named keeps its object, so what is drawn from it need not be drawn again. Events that
 * this version does not know are skipped.
 */
export class RunGatherer {
  #run: Run | undefined
  #tasks = new TreeBuilder()
  #ended = false
  /** Whether the whole state of the beginning is here: until then the run is not worth a look. */
  complete = false

  /** How many tasks have come. */
  get size(): number {
    return this.#tasks.size
  }

  add(events: readonly ServerEvent[]): void {
    for (const { event, data } of events) {
      if (event === 'run') this.#run = JSON.parse(data) as Run
      if (event === 'task') this.#tasks.put(JSON.parse(data) as Task)
      if (event === 'synced') this.complete = true
      if (event === 'end') this.#ended = this.complete = true
    }
  }

  view(): RunView {
    return { run: this.#run, tree: this.#tasks.tree(), ended: this.#ended }
  }
}

export const emptyView: RunView = new RunGatherer().view()
