// The words of the API, generated from openapi.json. Nothing else reads the generated file.
import type { components } from './schema'

type Schemas = components['schemas']

export type Run = Schemas['Run']
export type RunList = Schemas['RunList']
export type RunGroup = Schemas['Group']
export type RunGroups = Schemas['RunGroups']
export type RunActionResult = Schemas['RunActionResult']
export type RecurringRun = Schemas['RecurringRun']
export type RecurringList = Schemas['RecurringList']
export type Trigger = Schemas['Trigger']
export type Task = Schemas['Task']
export type Values = Schemas['Values']
export type Artifact = Schemas['Artifact']
export type BlobFile = Schemas['BlobFile']
export type FileList = Schemas['FileList']
export type LogLine = Schemas['LogLine']
export type Experiment = Schemas['Experiment']
export type ExperimentList = Schemas['ExperimentList']
export type CacheExplanation = Schemas['CacheExplanation']
export type Info = Schemas['Info']
export type Failure = Schemas['Failure']
export type Problem = Schemas['ErrorModel']
export type TrackedRun = Schemas['TrackedRun']
export type TrackedMetric = Schemas['TrackedMetric']
export type TrackedDetail = Schemas['TrackedRunDetail']
export type TrackedFields = Schemas['TrackedFields']
export type TrackedFile = Schemas['TrackedFile']
export type TrackedFileList = Schemas['TrackedFileList']
export type TrackedDataset = Schemas['TrackedDataset']
export type TrackedModel = Schemas['TrackedModel']
export type RunTable = Schemas['RunTable']
export type Comparison = Schemas['Comparison']
export type Curve = Schemas['Curve']
export type CurveList = Schemas['CurveList']
export type RegisteredModel = Schemas['RegisteredModel']
export type ModelList = Schemas['ModelList']
export type ModelDetail = Schemas['ModelDetail']
export type ModelVersion = Schemas['VersionDetail']
export type TrackedStatus = TrackedRun['status']
export type State = Run['state']
export type Kind = Task['kind']

export const states: readonly State[] = ['PENDING', 'RUNNING', 'CANCELING', 'SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELED']

/** Says whether a state can no longer change. */
export function isFinal(state: State): boolean {
  return state === 'SUCCEEDED' || state === 'SKIPPED' || state === 'FAILED' || state === 'CANCELED'
}

/** Says whether a run can be asked to go on where it ended. */
export function canRetry(state: State): boolean {
  return state === 'FAILED' || state === 'CANCELED'
}

/** Says whether a task runs something itself; the other kinds hold tasks. */
export function isLeaf(kind: Kind): boolean {
  return kind === 'container' || kind === 'importer'
}
