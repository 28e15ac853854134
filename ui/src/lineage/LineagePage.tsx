import { useLineage } from '../api/artifacts'
import { useAddress } from '../parts/address'
import { Link } from '../parts/Link'
import { Empty, Page } from '../parts/Page'
import { nameOf, pageOf } from './graph'
import { LineageView } from './LineageView'

/** The lineage of the node in the address. */
export default function LineagePage() {
  const [search] = useAddress()
  const node = search.get('node') ?? ''
  if (node) return <Of key={node} node={node} />
  return (
    <Page title="Lineage" wide>
      <Empty title="Of what?">
        <p>
          Open an <Link href="/artifacts">artifact</Link> or a version of a <Link href="/models">model</Link>, and there its lineage.
        </p>
      </Empty>
    </Page>
  )
}

function Of({ node }: { node: string }) {
  // The same answer as that of the view, which is asked for once.
  const { data } = useLineage(node, 'both')
  const root = data?.nodes.find((n) => n.id === data.root)
  const page = root && pageOf(root)
  return (
    <Page title={root ? `Lineage of ${nameOf(root)}` : 'Lineage'} crumbs={root && !page?.startsWith('/lineage') ? [<Link key="page" href={page ?? ''}>{nameOf(root)}</Link>] : []} wide>
      <LineageView node={node} />
    </Page>
  )
}
