// What an editor begins with, by what is to be made.
export const templates: Record<string, { title: string; text: string }> = {
  trigger: {
    title: 'New trigger',
    text: `kind: trigger
name: on-data
pipeline: my-pipeline
on: {file: {path: /data/*.parquet}}
when: event.size > 0
parameters_from: {data_file: event.path}
`,
  },
  monitor: {
    title: 'New monitor',
    text: `kind: monitor
name: bookings
data: /data/bookings/*.parquet
schedule: {cron: "0 0 6 * * *", time_zone: UTC}
suite: |
  columns:
    age:
      - not_null
      - between: [0, 120]
`,
  },
}
