// The words of the home page: reasons of failures, and changes of models, as people say them.
import type { Cause, ModelChange } from '../api/types'
import type { IconName } from '../parts/icons'

const reasons: Record<string, string> = {
  ExitError: 'The step ended with an error',
  Killed: 'The step was killed',
  OutOfMemory: 'Out of memory',
  Timeout: 'Took too long',
  EnvironmentError: 'The environment could not be built',
  OutputError: 'Outputs are missing or malformed',
  InputError: 'An input could not be resolved',
  Unsupported: 'This server cannot run the step',
  SystemError: 'The server or the machine failed',
  Lost: 'The result of the step is not known',
  UpstreamFailed: 'A task before it failed',
}

export function reasonWord(reason: string): string {
  return reasons[reason] ?? reason
}

/** What failed: the task and the pipeline it is in, or for a cause outside of pipelines what that is. */
export function causeTitle(cause: Pick<Cause, 'task' | 'pipeline' | 'reason'>): string {
  if (!cause.task) return cause.pipeline ? `${cause.pipeline}: ${reasonWord(cause.reason)}` : reasonWord(cause.reason)
  return cause.pipeline ? `${cause.task} in ${cause.pipeline}` : cause.task
}

/** The beginning of an error that stands for it. What "the step ended with exit code 1: " says is said beside it. */
export function errorLines(message: string, most = 6): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '')
  return lines.length > most ? `${lines.slice(0, most).join('\n')}\n…` : lines.join('\n')
}

export interface Change {
  icon: IconName
  /** What happened, to be read after the name of the model. */
  text: string
}

/** A change of a registered model as half a sentence. */
export function changeWords(c: ModelChange): Change {
  switch (c.kind) {
    case 'model_created':
      return { icon: 'plus', text: 'was registered' }
    case 'model_renamed':
      return { icon: 'turn', text: `is the new name of ${c.from ?? 'another model'}` }
    case 'model_deleted':
      return { icon: 'close', text: 'was deleted' }
    case 'version_created':
      return { icon: 'plus', text: `has version ${c.version}` }
    case 'version_deleted':
      return { icon: 'close', text: `lost version ${c.version}` }
    case 'alias_set':
      return { icon: 'tag', text: `@${c.alias} is version ${c.version}${c.before ? `, was ${c.before}` : ''}` }
    case 'alias_removed':
      return { icon: 'close', text: `@${c.alias} was removed${c.before ? ` from version ${c.before}` : ''}` }
    case 'stage_changed':
      return { icon: 'turn', text: `version ${c.version} went from ${c.from} to ${c.to}` }
  }
}
