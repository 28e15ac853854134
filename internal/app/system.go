package app

import (
	"context"
	"fmt"
	"time"

	v1 "levada/internal/api/v1"
	"levada/internal/core/run"
)

// health tells how a server is, for Levada's own API.
type health struct {
	s    *server
	disk *diskMeter
}

// When a figure is a reason to warn.
const (
	lagToWarn      = 5 * time.Second
	freeToWarn     = 2 << 30
	freePartToWarn = 20 // a twentieth of the disk
	databaseWait   = 2 * time.Second
)

// System says how the server is.
func (h health) System(ctx context.Context) v1.SystemStatus {
	steps, db := h.s.runner.Stats(), h.s.store.Stats()
	lag := h.s.metrics.EventLogLag()
	out := v1.SystemStatus{
		Queue: v1.QueueStatus{RunsActive: h.s.service.Active(), StepsRunning: steps.Running, StepsWaiting: steps.Waiting,
			MaxParallel: h.s.runner.MaxParallel(), WarmHosts: steps.Hosts},
		Steps: v1.StepStatus{Warm: steps.Warm, Executed: steps.Executed, Fallbacks: steps.Fallbacks, Adopted: steps.Adopted, Lost: steps.Lost},
		Database: v1.DatabaseUse{Bytes: db.Bytes, Commits: db.Commits, Writes: db.Writes, WritesWaiting: db.Waiting,
			LogLagSeconds: lag.Seconds()},
		Disk: h.disk.status(),
	}
	out.Checks = []v1.HealthCheck{h.database(ctx), eventLog(lag, db.Waiting), diskSpaceCheck(out.Disk), stepsCheck(steps.Lost, steps.Fallbacks)}
	out.Workers = h.workers(ctx)
	return out
}

// workers are those of all endpoints.
func (h health) workers(ctx context.Context) []v1.ModelWorkers {
	list, err := h.s.endpoints.List(ctx)
	if err != nil {
		h.s.log.Warn("the workers of endpoints are not known", "error", err)
	}
	var out []v1.ModelWorkers
	for _, e := range list {
		for _, v := range e.Versions {
			w := v1.ModelWorkers{Endpoint: e.Name, Model: e.Spec.Model, Version: v.Version, State: v.State, Runtime: v.Runtime, Workers: v.Workers,
				MemoryBytes: v.MemoryBytes, Waiting: v.Waiting, Restarts: v.Restarts, Error: v.Error}
			if _, remote := e.Spec.Remotes[v.Version]; remote {
				w.Model = ""
			}
			out = append(out, w)
		}
	}
	return out
}

// MeasureDisk has the disk measured again.
func (h health) MeasureDisk() { h.disk.measure() }

func (h health) database(ctx context.Context) v1.HealthCheck {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	began := time.Now()
	if err := h.s.store.Ping(ctx); err != nil {
		return v1.HealthCheck{Name: "Database", State: "failed", Detail: fmt.Sprintf("It does not answer: %v. The server's log says more.", err)}
	}
	return v1.HealthCheck{Name: "Database", State: "ok", Detail: fmt.Sprintf("It answered in %s.", time.Since(began).Round(10*time.Microsecond))}
}

func eventLog(lag time.Duration, waiting int) v1.HealthCheck {
	if lag > lagToWarn {
		return v1.HealthCheck{Name: "Event log", State: "warning", Detail: fmt.Sprintf(
			"The oldest events have been waiting for %s to be on disk, with %d writes behind them: the disk is slow or busy.", lag.Round(time.Millisecond), waiting)}
	}
	return v1.HealthCheck{Name: "Event log", State: "ok", Detail: "Events are on disk as they come."}
}

func diskSpaceCheck(d v1.DiskStatus) v1.HealthCheck {
	switch {
	case d.TotalBytes == 0:
		return v1.HealthCheck{Name: "Disk", State: "warning", Detail: "The system does not tell how much room is left."}
	case d.FreeBytes < freeToWarn || d.FreeBytes < d.TotalBytes/freePartToWarn:
		return v1.HealthCheck{Name: "Disk", State: "warning", Detail: "Little room is left. Remove unused content, delete runs that nobody needs, or give the disk more room."}
	}
	return v1.HealthCheck{Name: "Disk", State: "ok", Detail: "There is room."}
}

func stepsCheck(lost, fallbacks int64) v1.HealthCheck {
	if lost+fallbacks > 0 {
		return v1.HealthCheck{Name: "Steps", State: "warning", Detail: fmt.Sprintf(
			"Since the start %d steps were lost and started again, and %d could not use their warm host: the server's log says why.", lost, fallbacks)}
	}
	return v1.HealthCheck{Name: "Steps", State: "ok", Detail: "None was lost since the start, and all warm hosts work."}
}

// freeable finds out what could be removed.
func (h health) freeable(ctx context.Context) (swept run.Swept, cache run.CachePruned, err error) {
	if swept, err = h.s.service.Unused(ctx); err != nil {
		return swept, cache, err
	}
	cache, err = h.s.service.PruneCache(ctx, run.CacheSelection{}, true, true)
	return swept, cache, err
}
