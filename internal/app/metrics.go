package app

import (
	"levada/internal/adapter/store"
	"levada/internal/adapter/telemetry"
)

// measuredStore is the store with its event logs measured: the methods of MeasuredLog are nearer than those of the store.
type measuredStore struct {
	telemetry.MeasuredLog
	restOfStore
}

type restOfStore struct{ *store.Store }

// readings tells the metrics what to ask for.
func (s *server) readings() []telemetry.Reading {
	reading := func(name, help string, labels map[string]string, value func() float64) telemetry.Reading {
		return telemetry.Reading{Name: "levada_" + name, Help: help, Labels: labels, Value: value}
	}
	started := "Steps that were started, by how: warm ones are forked from a process that has its imports done."
	refused := "Runs that were to start by themselves and were refused, by what was to start them."
	return []telemetry.Reading{
		reading("runs_active", "Runs that are going on.", nil, func() float64 { return float64(s.service.Active()) }),
		reading("starts_refused_total", refused, map[string]string{"by": "schedule"},
			func() float64 { return float64(s.trigger.Refused()) }),
		reading("starts_refused_total", refused, map[string]string{"by": "trigger"},
			func() float64 { return float64(s.events.Refused()) }),
		reading("steps_running", "Steps that are running.", nil, func() float64 { return float64(s.runner.Stats().Running) }),
		reading("steps_waiting", "Steps that wait for room on this machine.", nil, func() float64 { return float64(s.runner.Stats().Waiting) }),
		reading("steps_started_total", started, map[string]string{"mode": "warm"}, func() float64 { return float64(s.runner.Stats().Warm) }),
		reading("steps_started_total", started, map[string]string{"mode": "exec"}, func() float64 { return float64(s.runner.Stats().Executed) }),
		reading("warm_hosts", "Warm Python hosts: processes that have the imports of steps done and fork for each.", nil,
			func() float64 { return float64(s.runner.Stats().Hosts) }),
		reading("warm_fallbacks_total", "Steps that were started as programs because their warm host could not be used.", nil,
			func() float64 { return float64(s.runner.Stats().Fallbacks) }),
		reading("steps_adopted_total", "Steps that an earlier server had started and this one took over.", nil,
			func() float64 { return float64(s.runner.Stats().Adopted) }),
		reading("steps_lost_total", "Steps whose result nobody knows, and that were started again.", nil,
			func() float64 { return float64(s.runner.Stats().Lost) }),
		reading("database_commits_total", "Transactions that were synced to disk.", nil, func() float64 { return float64(s.store.Stats().Commits) }),
		reading("database_writes_total", "Writes that shared those transactions.", nil, func() float64 { return float64(s.store.Stats().Writes) }),
		reading("database_writes_waiting", "Writes that wait for a transaction.", nil, func() float64 { return float64(s.store.Stats().Waiting) }),
		reading("database_bytes", "Size of the database with its write-ahead log.", nil, func() float64 { return float64(s.store.Stats().Bytes) }),
	}
}
