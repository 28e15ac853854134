/**
 * The address of this application for a link that kfp.Client prints, or null for any other.
 * The client knows the addresses of KFP's own pages only: "/#/runs/details/ID", "/#/experiments/details/ID".
 */
export function fromKfpLink(hash: string): string | null {
  const [, kind, id] = /^#\/(runs|experiments|pipelines)\/details\/([\w-]+)/.exec(hash) ?? []
  if (!id) return null
  if (kind === 'runs') return `/runs/${id}`
  return kind === 'experiments' ? `/runs?experiment=${id}` : '/runs'
}
