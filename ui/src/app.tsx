import { Route, Switch } from 'wouter'
import { HomePage } from './home/HomePage'
import { late } from './parts/late'
import { RecurringPage } from './recurring/RecurringPage'
import { RunsPage } from './runs/RunsPage'
import { NotFound } from './shell/NotFound'
import { Shell } from './shell/Shell'

// Pages that are not the first are loaded when they are opened. The key of a page makes the one before it end at once.
const RunPage = late('the page', async () => ({ default: (await import('./run/RunPage')).RunPage }))
const ExperimentsPage = late('the page', () => import('./experiments/ExperimentsPage'))
const ExperimentPage = late('the page', () => import('./experiments/ExperimentPage'))
const TrackedPage = late('the page', () => import('./tracked/TrackedPage'))
const ComparePage = late('the page', () => import('./compare/ComparePage'))
const ArtifactsPage = late('the page', () => import('./artifact/ArtifactsPage'))
const ArtifactPage = late('the page', () => import('./artifact/ArtifactPage'))
const EndpointsPage = late('the page', () => import('./endpoints/EndpointsPage'))
const EndpointPage = late('the page', () => import('./endpoints/EndpointPage'))
const RolloutPage = late('the page', () => import('./endpoints/RolloutPage'))
const GraphEditor = late('the page', () => import('./endpoints/GraphEditor'))
const GraphPage = late('the page', () => import('./endpoints/GraphPage'))
const DataPage = late('the page', () => import('./data/DataPage'))
const HistoryPage = late('the page', () => import('./data/HistoryPages'))
const DeclarePage = late('the page', () => import('./declare/DeclarePage'))
const LineagePage = late('the page', () => import('./lineage/LineagePage'))
const ModelsPage = late('the page', () => import('./models/ModelsPage'))
const ModelPage = late('the page', () => import('./models/ModelPage'))
const PipelinesPage = late('the page', () => import('./pipelines/PipelinesPage'))
const PipelinePage = late('the page', () => import('./pipelines/PipelinePage'))
const SubmitPage = late('the page', () => import('./form/SubmitPage'))
const ClonePage = late('the page', () => import('./form/ClonePage'))
const SystemPage = late('the page', () => import('./system/SystemPage'))
const TriggersPage = late('the page', () => import('./triggers/TriggersPage'))
const TriggerPage = late('the page', () => import('./triggers/TriggerPage'))
const VersionPage = late('the page', () => import('./models/VersionPage'))

// A run is loaded as soon as it is clear that it is wanted, not when the first picture is made.
if (/^\/runs\/[^/]/.test(location.pathname)) RunPage.load().catch(() => undefined)

/** Every address of the application. internal/web/web.go knows them too. */
export function App() {
  return (
    <Shell>
      <Switch>
        <Route path="/">
          <HomePage />
        </Route>
        <Route path="/runs">
          <RunsPage />
        </Route>
        <Route path="/recurring-runs">
          <RecurringPage />
        </Route>
        <Route path="/triggers">
          <TriggersPage key="triggers" />
        </Route>
        <Route path="/triggers/:id">{({ id }) => <TriggerPage key={id} id={id} />}</Route>
        <Route path="/runs/:id">{({ id }) => <RunPage key={id} id={id} />}</Route>
        <Route path="/runs/:id/tasks/:task">{({ id, task }) => <RunPage key={id} id={id} taskId={task} />}</Route>
        <Route path="/runs/:id/clone">{({ id }) => <ClonePage key={`clone ${id}`} id={id} />}</Route>
        <Route path="/pipelines">
          <PipelinesPage key="pipelines" />
        </Route>
        <Route path="/pipelines/:id">{({ id }) => <PipelinePage key={`pipeline ${id}`} id={id} />}</Route>
        <Route path="/pipelines/:id/run">{({ id }) => <SubmitPage key={`run of ${id}`} id={id} />}</Route>
        <Route path="/experiments">
          <ExperimentsPage key="experiments" />
        </Route>
        <Route path="/experiments/:id">{({ id }) => <ExperimentPage key={id} id={id} />}</Route>
        <Route path="/tracked-runs/:id">{({ id }) => <TrackedPage key={id} id={id} />}</Route>
        <Route path="/compare">
          <ComparePage key="compare" />
        </Route>
        <Route path="/artifacts">
          <ArtifactsPage key="artifacts" />
        </Route>
        <Route path="/artifacts/:id">{({ id }) => <ArtifactPage key={id} id={id} />}</Route>
        <Route path="/data">
          <DataPage key="data" />
        </Route>
        <Route path="/drift">
          <HistoryPage key="drift" of="drift" />
        </Route>
        <Route path="/checks">
          <HistoryPage key="checks" of="checks" />
        </Route>
        <Route path="/declare">
          <DeclarePage key="declare" />
        </Route>
        <Route path="/lineage">
          <LineagePage key="lineage" />
        </Route>
        <Route path="/endpoints">
          <EndpointsPage key="endpoints" />
        </Route>
        <Route path="/endpoints/:name">{({ name }) => <EndpointPage key={`endpoint ${name}`} name={name} />}</Route>
        <Route path="/graphs/:name">{({ name }) => <GraphPage key={`graph ${name}`} name={name} />}</Route>
        <Route path="/graphs/:name/edit">{({ name }) => <GraphEditor key={`change ${name}`} name={name} />}</Route>
        <Route path="/endpoints/:name/rollouts/:id">{({ name, id }) => <RolloutPage key={`rollout ${id}`} name={name} id={id} />}</Route>
        <Route path="/models">
          <ModelsPage key="models" />
        </Route>
        <Route path="/models/:name">{({ name }) => <ModelPage key={`model ${name}`} id={name} />}</Route>
        <Route path="/models/:name/versions/:version">
          {({ name, version }) => <VersionPage key={`version ${name} ${version}`} id={name} version={version} />}
        </Route>
        <Route path="/system">
          <SystemPage key="system" />
        </Route>
        <Route>
          <NotFound what="There is no page at this address." />
        </Route>
      </Switch>
    </Shell>
  )
}
