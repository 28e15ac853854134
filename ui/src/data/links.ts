/** The page of how drift went over the runs of a pipeline. */
export function driftHref(pipeline: string, task: string): string {
  return `/drift?${new URLSearchParams({ pipeline, task })}`
}

/** The page of how checks went over the runs of a pipeline. */
export function checksHref(pipeline: string, task: string): string {
  return `/checks?${new URLSearchParams({ pipeline, task })}`
}
