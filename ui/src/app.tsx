import { Route, Switch } from 'wouter'
import { RecurringPage } from './recurring/RecurringPage'
import { RunPage } from './run/RunPage'
import { RunsPage } from './runs/RunsPage'
import { NotFound } from './shell/NotFound'
import { Shell } from './shell/Shell'

/** Every address of the application. internal/web/web.go knows them too. */
export function App() {
  return (
    <Shell>
      <Switch>
        <Route path="/">
          <RunsPage />
        </Route>
        <Route path="/runs">
          <RunsPage />
        </Route>
        <Route path="/recurring-runs">
          <RecurringPage />
        </Route>
        <Route path="/runs/:id">{({ id }) => <RunPage key={id} id={id} />}</Route>
        <Route path="/runs/:id/tasks/:task">{({ id, task }) => <RunPage key={id} id={id} taskId={task} />}</Route>
        <Route>
          <NotFound what="There is no page at this address." />
        </Route>
      </Switch>
    </Shell>
  )
}
