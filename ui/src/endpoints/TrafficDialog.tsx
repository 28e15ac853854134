import { useState } from 'react'
import { useSetTraffic } from '../api/endpoints'
import type { Endpoint } from '../api/types'
import { Check, Field } from '../form/Field'
import formCss from '../form/Form.module.css'
import { FormDialog } from './DeployDialog'
import css from './Endpoints.module.css'
import { readShares, versionName } from './words'

/** Shares the requests of an endpoint anew. Rules and shadows stay as they are. */
export function TrafficDialog({ endpoint: e, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const before = e.spec.traffic
  const [texts, setTexts] = useState<Record<string, string>>(() => Object.fromEntries(e.spec.versions.map((v) => [v, String(before.split.find((s) => s.version === v)?.percent ?? 0)])))
  const [sticky, setSticky] = useState(before.sticky ?? false)
  const set = useSetTraffic(e.name)
  const { shares, wrong } = readShares(texts)
  const submit = () =>
    set.mutate(
      {
        ...before,
        sticky,
        split: Object.entries(shares)
          .filter(([, percent]) => percent > 0)
          .map(([version, percent]) => ({ version, percent })),
      },
      { onSuccess: onClose },
    )
  return (
    <FormDialog title={`Traffic of ${e.name}`} action="Change traffic" busy={set.isPending} disabled={wrong !== undefined} failed="The traffic was not changed" error={set.error} onSubmit={submit} onClose={onClose}>
      <div className={css.pair}>
        {e.spec.versions.map((v) => (
          <Field key={v} label={`${versionName(v)}, %`}>
            {(wiring) => <input {...wiring} className={formCss.control} inputMode="decimal" value={texts[v] ?? ''} onChange={(event) => setTexts({ ...texts, [v]: event.target.value })} />}
          </Field>
        ))}
      </div>
      <p className={css.soft} role="status">
        {wrong ?? 'The shares add up to 100 %.'}
      </p>
      <Check label="Sticky" help="Requests with the same key (header X-Levada-Key) get the same version." checked={sticky} onChange={setSticky} />
    </FormDialog>
  )
}
