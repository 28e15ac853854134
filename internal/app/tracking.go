package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"levada/internal/adapter/series"
	"levada/internal/adapter/store"
	"levada/internal/changes"
	"levada/internal/core/change"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/registry"
	"levada/internal/tracing"
	"levada/internal/tracking"
)

// openTracking opens the metric store and builds the services of tracking and of the model registry.
func (s *server) openTracking() (err error) {
	if s.series, err = series.Open(series.Options{Dir: filepath.Join(s.cfg.DataDir, "metrics"), Logger: s.log}); err != nil {
		return err
	}
	s.tracking = tracking.New(tracking.Options{
		Store: s.store.Tracking(), Series: toldPoints{s.series, s.changes}, Blobs: s.blobs, Now: time.Now, NewID: uuid.NewString,
	})
	s.tracing = tracing.New(tracing.Options{
		Reading: semaphore.NewWeighted(tracing.MaxReading),
		Store:   s.store.Traces(), Experiments: s.tracking, CheckName: tracking.CheckName, Now: time.Now, NewID: uuid.NewString,
	})
	s.registry = registry.New(registry.Options{
		Store: s.store.Registry(), Sources: modelSources{s.tracking}, CheckName: tracking.CheckName, Now: time.Now, Logger: s.log,
	})
	s.stopDelivery = s.deliverMetrics()
	return nil
}

// toldPoints is the metric store as a part of the server that tells what changes.
type toldPoints struct {
	*series.Store
	changes *changes.Feed
}

// Log stores points and tells whose they are.
func (p toldPoints) Log(ctx context.Context, runID string, metrics []track.Metric) error {
	err := p.Store.Log(ctx, runID, metrics)
	if err == nil && len(metrics) > 0 {
		var changed change.Set
		changed.Add(change.TrackedRuns, runID)
		p.changes.Publish(&changed)
	}
	return err
}

// deliveryPause is how long metrics wait in the outbox that could not be stored, unless others come before.
const deliveryPause = 10 * time.Second

// deliverMetrics takes the metrics of pipeline tasks from the outbox to the metric store until the function that it returns
// is called. An entry is removed when it is on disk there; one that comes twice is stored once.
func (s *server) deliverMetrics() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var again <-chan time.Time
			if err := s.deliver(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("metrics of pipeline tasks wait for the metric store; trying again", "in", deliveryPause, "error", err)
				again = time.After(deliveryPause)
			}
			select {
			case <-again:
			case <-s.store.Tracking().OutboxSignal():
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (s *server) deliver(ctx context.Context) error {
	return empty(ctx, s.store.Tracking(), toldPoints{s.series, s.changes}, s.log)
}

// outbox is where metrics wait, points where they go.
type outbox interface {
	Outbox(ctx context.Context) ([]store.Pending, error)
	Delivered(ctx context.Context, id int64) error
}

type points interface {
	Log(ctx context.Context, runID string, metrics []track.Metric) error
}

// deliveredAtOnce is how many points of an entry are stored together.
const deliveredAtOnce = 10_000

// empty delivers everything in the outbox. An entry that can never be stored is told and given up: the others must not wait for it.
func empty(ctx context.Context, from outbox, to points, log *slog.Logger) error {
	for {
		waiting, err := from.Outbox(ctx)
		if err != nil || len(waiting) == 0 {
			return err
		}
		for _, p := range waiting {
			for some := range slices.Chunk(p.Metrics, deliveredAtOnce) {
				err := to.Log(ctx, p.RunID, some)
				switch fault.KindOf(err) {
				case fault.Invalid, fault.TooLarge:
					log.Error("metrics of a pipeline task cannot be stored and are left out", "run", p.RunID, "error", err)
				default:
					if err != nil {
						return err
					}
				}
			}
			if err := from.Delivered(ctx, p.ID); err != nil {
				return err
			}
		}
	}
}

// forgetPoints removes the points of runs that were deleted for good.
func (s *server) forgetPoints(ctx context.Context) error {
	runs, err := s.store.Tracking().Forgotten(ctx)
	if err != nil || len(runs) == 0 {
		return err
	}
	if err := s.series.Forget(ctx, runs); err != nil {
		return fmt.Errorf("remove the metrics of deleted runs: %w", err)
	}
	return s.store.Tracking().PointsRemoved(ctx, runs)
}

// modelSources tells the registry where the models are that tracking knows.
type modelSources struct{ tracking *tracking.Service }

func (m modelSources) LoggedModel(ctx context.Context, id string) (location, runID string, err error) {
	logged, err := m.tracking.Model(ctx, id, false)
	return logged.ArtifactLocation, logged.SourceRunID, err
}

func (m modelSources) RunLocation(ctx context.Context, runID string) (string, error) {
	r, err := m.tracking.Info(ctx, runID)
	return r.ArtifactURI, err
}

func (m modelSources) Files(ctx context.Context, location string) ([]model.File, error) {
	if !strings.HasPrefix(location, "mlflow-artifacts:") {
		return nil, nil
	}
	files, err := m.tracking.FilesAt(ctx, location)
	out := make([]model.File, len(files))
	for i, f := range files {
		out[i] = model.File{Path: f.Path, Size: f.Size, Digest: f.Digest}
	}
	return out, err
}

// versionsTag lists the versions that a logged model has become, as MLflow's clients read it.
const versionsTag = "mlflow.modelVersions"

func (m modelSources) Registered(ctx context.Context, modelID, name string, number int64) error {
	type entry struct {
		Name    string `json:"name"`
		Version int64  `json:"version"`
	}
	return m.tracking.ChangeModelTag(ctx, modelID, versionsTag, func(before string) (string, error) {
		var list []entry
		if json.Unmarshal([]byte(before), &list) != nil {
			list = nil // none yet, or written by a client; it is replaced
		}
		text, err := json.Marshal(append(list, entry{name, number}))
		return string(text), err
	})
}
