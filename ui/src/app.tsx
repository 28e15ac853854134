import { type ComponentType, lazy, Suspense } from 'react'
import { Route, Switch } from 'wouter'
import { HomePage } from './home/HomePage'
import { Loading } from './parts/Notice'
import { RecurringPage } from './recurring/RecurringPage'
import { RunsPage } from './runs/RunsPage'
import { NotFound } from './shell/NotFound'
import { Shell } from './shell/Shell'

// Pages that are not the first are loaded when they are opened.
const RunPage = lazy(async () => ({ default: (await import('./run/RunPage')).RunPage }))
const ExperimentsPage = lazy(() => import('./experiments/ExperimentsPage'))
const ExperimentPage = lazy(() => import('./experiments/ExperimentPage'))
const TrackedPage = lazy(() => import('./tracked/TrackedPage'))
const ComparePage = lazy(() => import('./compare/ComparePage'))
const ArtifactsPage = lazy(() => import('./artifact/ArtifactsPage'))
const ArtifactPage = lazy(() => import('./artifact/ArtifactPage'))
const LineagePage = lazy(() => import('./lineage/LineagePage'))
const ModelsPage = lazy(() => import('./models/ModelsPage'))
const ModelPage = lazy(() => import('./models/ModelPage'))
const PipelinesPage = lazy(() => import('./pipelines/PipelinesPage'))
const PipelinePage = lazy(() => import('./pipelines/PipelinePage'))
const SubmitPage = lazy(() => import('./form/SubmitPage'))
const ClonePage = lazy(() => import('./form/ClonePage'))
const SystemPage = lazy(() => import('./system/SystemPage'))
const VersionPage = lazy(() => import('./models/VersionPage'))

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
        <Route path="/runs/:id">{({ id }) => <Late key={id} page={RunPage} id={id} />}</Route>
        <Route path="/runs/:id/tasks/:task">{({ id, task }) => <Late key={id} page={RunPage} id={id} taskId={task} />}</Route>
        <Route path="/runs/:id/clone">{({ id }) => <Late key={`clone ${id}`} page={ClonePage} id={id} />}</Route>
        <Route path="/pipelines">
          <Late key="pipelines" page={PipelinesPage} />
        </Route>
        <Route path="/pipelines/:id">{({ id }) => <Late key={`pipeline ${id}`} page={PipelinePage} id={id} />}</Route>
        <Route path="/pipelines/:id/run">{({ id }) => <Late key={`run of ${id}`} page={SubmitPage} id={id} />}</Route>
        <Route path="/experiments">
          <Late key="experiments" page={ExperimentsPage} />
        </Route>
        <Route path="/experiments/:id">{({ id }) => <Late key={id} page={ExperimentPage} id={id} />}</Route>
        <Route path="/tracked-runs/:id">{({ id }) => <Late key={id} page={TrackedPage} id={id} />}</Route>
        <Route path="/compare">
          <Late key="compare" page={ComparePage} />
        </Route>
        <Route path="/artifacts">
          <Late key="artifacts" page={ArtifactsPage} />
        </Route>
        <Route path="/artifacts/:id">{({ id }) => <Late key={id} page={ArtifactPage} id={id} />}</Route>
        <Route path="/lineage">
          <Late key="lineage" page={LineagePage} />
        </Route>
        <Route path="/models">
          <Late key="models" page={ModelsPage} />
        </Route>
        <Route path="/models/:name">{({ name }) => <Late key={`model ${name}`} page={ModelPage} id={name} />}</Route>
        <Route path="/models/:name/versions/:version">
          {({ name, version }) => <Late key={`version ${name} ${version}`} page={VersionPage} id={name} version={version} />}
        </Route>
        <Route path="/system">
          <Late key="system" page={SystemPage} />
        </Route>
        <Route>
          <NotFound what="There is no page at this address." />
        </Route>
      </Switch>
    </Shell>
  )
}

/** A page that is loaded when it is opened. Its key makes the page before it end at once, not when this one is there. */
function Late<P extends object>({ page: Page, ...props }: { page: ComponentType<P> } & P) {
  return (
    <Suspense fallback={<Loading what="the page" />}>
      <Page {...(props as unknown as P)} />
    </Suspense>
  )
}
