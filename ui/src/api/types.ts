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
export type ArtifactList = Schemas['ArtifactList']
export type Table = Schemas['Table']
export type TableColumn = Schemas['TableColumn']
export type MLmodel = Schemas['Card']
export type ModelField = Schemas['Field']
export type LineageGraph = Schemas['LineageGraph']
export type LineageNode = Schemas['LineageNode']
export type LineageEdge = Schemas['LineageEdge']
export type LogLine = Schemas['LogLine']
export type LogList = Schemas['LogList']
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
export type Pipeline = Schemas['Pipeline']
export type PipelineList = Schemas['PipelineList']
export type PipelineDetail = Schemas['PipelineDetail']
export type PipelineVersion = Schemas['Version']
export type VersionList = Schemas['VersionList']
export type VersionDetailed = Schemas['VersionDetailed']
export type Outline = Schemas['Outline']
export type Component = Schemas['Component']
export type OutlineNode = Schemas['Node']
export type OutlineInput = Schemas['Input']
export type OutlineStep = Schemas['Step']
export type RunOutline = Schemas['RunOutline']
export type SubmitRun = Schemas['SubmitRun']
export type CreateRecurring = Schemas['CreateRecurring']
export type ScheduleTimes = Schemas['ScheduleTimes']
export type Usage = Schemas['Usage']
export type TaskEnvironment = Schemas['TaskEnvironment']
export type ModelVersion = Schemas['VersionDetail']
export type RunSources = Schemas['RunSources']
export type RunSource = Schemas['RunSource']
export type TrackedGroup = Schemas['TrackedGroup']
export type GroupMetric = Schemas['GroupMetric']
export type GroupList = Schemas['GroupList']
export type BulkOutcome = Schemas['BulkOutcome']
export type ModelCard = Schemas['ModelCard']
export type TrackedStatus = TrackedRun['status']
export type HomePage = Schemas['HomePage']
export type RunBrief = Schemas['Brief']
export type Cause = Schemas['Cause']
export type ModelChange = Schemas['ModelChange']
export type SystemStatus = Schemas['SystemStatus']
export type Swept = Schemas['Swept']
export type Environment = Schemas['Environment']
export type Found = Schemas['Found']
export type FoundList = Schemas['FoundList']
export type FoundKind = Found['kind']
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
