import { useState } from 'react'
import { useLocation } from 'wouter'
import { useStartRollout } from '../api/endpoints'
import type { Endpoint } from '../api/types'
import { Field } from '../form/Field'
import formCss from '../form/Form.module.css'
import { FormDialog, VersionSelect } from './DeployDialog'
import css from './Endpoints.module.css'

const firstPlan = `shadow: {wait: 1m}
canary:
  steps:
    - {percent: 5, wait: 2m}
    - {percent: 25, wait: 5m}
    - {percent: 50, wait: 5m}
watch: {duration: 1h}
`

/** Starts a rollout by a plan. The answer comes when the version is loaded and its first stage begins. */
export function RolloutDialog({ endpoint: e, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const [version, setVersion] = useState('')
  const [alias, setAlias] = useState('')
  const own = e.spec.settings.rollout
  const [plan, setPlan] = useState(own ? JSON.stringify(own, undefined, 2) : firstPlan)
  const start = useStartRollout(e.name)
  const [, navigate] = useLocation()
  const submit = () =>
    start.mutate(
      { candidates: [version], plan, ...(alias.trim() ? { alias: alias.trim() } : {}) },
      {
        onSuccess: (r) => {
          onClose()
          navigate(`/endpoints/${encodeURIComponent(e.name)}/rollouts/${r.id}`)
        },
      },
    )
  return (
    <FormDialog title={`Roll out a version at ${e.name}`} action="Start" busy={start.isPending} disabled={version === '' || plan.trim() === ''} failed="The rollout was not started" error={start.error} onSubmit={submit} onClose={onClose}>
      <VersionSelect model={e.spec.model ?? ''} others={Object.keys(e.spec.remotes ?? {})} value={version} onChange={setVersion} label="Candidate" help="It is compared with the version that has all requests now." />
      <Field label="Alias to move" help="The alias of the model that the promoted version gets; none where it is empty.">
        {(wiring) => <input {...wiring} className={formCss.control} value={alias} maxLength={255} placeholder="champion" onChange={(event) => setAlias(event.target.value)} />}
      </Field>
      <Field label="Plan" type={own ? 'JSON or YAML' : 'YAML'} help={`${own ? 'The endpoint’s own; what is changed here is for this rollout alone. ' : ''}Without metrics the rate of errors, the latency and the predictions are compared, and each can stop the rollout.`}>
        {(wiring) => <textarea {...wiring} className={`${formCss.control} ${formCss.json}`} spellCheck={false} rows={9} value={plan} onChange={(event) => setPlan(event.target.value)} />}
      </Field>
      {start.isPending && (
        <p className={css.soft} role="status">
          The version is loaded; this can take minutes when its environment is new.
        </p>
      )}
    </FormDialog>
  )
}
