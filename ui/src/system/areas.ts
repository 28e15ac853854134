// What the files and folders of a data directory are for, and how much of the disk they take.

const words: Record<string, string> = {
  blobs: 'Artifacts and files, by content',
  envs: 'Python environments',
  logs: 'What steps printed',
  comparing: 'Tables that are being compared',
  metrics: 'Points of metrics',
  profiled: 'What profiles of growing tables keep of each file',
  requests: 'Logged requests of endpoints, and their truth',
  serving: 'Models that are served',
  tools: 'Tools for environments and steps',
  work: 'Steps that are running, and what failed ones left',
  workspaces: 'Workspaces of runs',
  'levada.db': 'Database',
  'levada.db-wal': 'Database, newest changes',
  'levada.db-shm': 'Database, shared memory',
}

export function areaWord(name: string): string | undefined {
  return words[name]
}

/** A part of a whole in percent, between 0 and 100; a little of it is never nothing. */
export function share(part: number, whole: number): number {
  if (whole <= 0 || part <= 0) return 0
  return Math.min(100, Math.max(0.5, (100 * part) / whole))
}
