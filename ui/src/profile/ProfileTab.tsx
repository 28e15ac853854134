import { useProfile, useRequestProfile } from '../api/data'
import type { Artifact, ArtifactProfile } from '../api/types'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Loading, Notice } from '../parts/Notice'
import { CompareView } from './CompareView'
import css from './Profile.module.css'
import { ProfileTable } from './ProfileTable'

/** What an artifact is like as a table, alone or beside an earlier one; the address says which. */
export default function ProfileTab({ artifact }: { artifact: Artifact }) {
  const [search, change] = useAddress()
  const profile = useProfile(artifact.id)
  const earlier = search.get('with') ?? ''
  if (profile.error && !profile.data) return <Notice tone="danger">{profile.error.message}</Notice>
  if (!profile.data) return <Loading what="the profile" />
  return (
    <div className={css.tab}>
      {profile.data.state === 'READY' && profile.data.profile ? (
        <>
          <CompareView artifact={artifact} earlier={earlier} byKey={search.get('key') ?? ''} onChange={change} />
          {earlier === '' && (
            <div className={css.box}>
              {profile.data.outdated && <p className={css.note}>An older version made this profile, which knew fewer figures. It is being made again.</p>}
              <ProfileTable profile={profile.data.profile} title={artifact.name || artifact.id} place={{ kind: 'artifact', id: artifact.id }} />
            </div>
          )}
        </>
      ) : (
        <Missing artifact={artifact} profile={profile.data} />
      )}
    </div>
  )
}

/** Says why there is no profile, and offers one. */
function Missing({ artifact, profile }: { artifact: Artifact; profile: ArtifactProfile }) {
  const request = useRequestProfile(artifact.id)
  if (profile.state === 'WAITING') {
    return (
      <Notice tone="neutral" title="The profile is being made">
        Tables are read one at a time, when no step needs the machine. The page shows it as soon as it is there.
      </Notice>
    )
  }
  return (
    <>
      <Notice tone={profile.state === 'FAILED' ? 'warning' : 'neutral'} title={profile.state === 'FAILED' ? 'This cannot be profiled as a table' : 'This has not been profiled'}>
        {profile.reason || 'Artifacts of the type Dataset are profiled by themselves. Others are when somebody asks.'}
      </Notice>
      {artifact.digest && (
        <p>
          <Button busy={request.isPending} onClick={() => request.mutate()}>
            {profile.state === 'FAILED' ? 'Try again' : 'Profile it as a table'}
          </Button>
        </p>
      )}
      {request.error && <Notice tone="danger">{request.error.message}</Notice>}
    </>
  )
}
