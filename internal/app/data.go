package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"levada/internal/adapter/aside"
	"levada/internal/adapter/imagefile"
	"levada/internal/adapter/partfile"
	"levada/internal/adapter/store"
	"levada/internal/adapter/tabular"
	"levada/internal/adapter/telemetry"
	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
	tables "levada/internal/core/table"
	"levada/internal/core/table/profile"
	"levada/internal/dataset"
)

// readTablesCommand is the argument with which the server starts its own program to read tables aside. It is not for people.
const readTablesCommand = "read-tables"

// tableRequest is what the process that reads tables is asked: the profile of one, or how the rows of two differ. Kept is the directory in
// which it keeps what it needs of files that come again.
type tableRequest struct {
	Table observe.Content  `json:"table"`
	Other *observe.Content `json:"other,omitempty"`
	Key   []string         `json:"key,omitempty"`
	Kept  string           `json:"kept,omitempty"`
}

// mostKept bounds what is kept of files, in bytes.
const mostKept = 1 << 30

// readTables does a request in the process that reads tables.
func readTables(ctx context.Context, text json.RawMessage) (any, error) {
	var r tableRequest
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	if r.Other == nil {
		return profileContent(ctx, r.Table, r.Kept)
	}
	src, err := openContent(r.Table, nil)
	if err != nil {
		return nil, err
	}
	other, err := openContent(*r.Other, nil)
	if err != nil {
		return nil, err
	}
	return dataset.CompareRows(ctx, src, other, r.Key, "")
}

// openContent opens images, or a table. Files of a table that kept knows are not opened; it may be nil.
func openContent(c observe.Content, kept tabular.Kept) (tables.Source, error) {
	if set := imagefile.OpenContent(c); set != nil {
		return set, nil
	}
	return tabular.OpenContent(c, kept)
}

// profileContent makes a profile. Of a directory, files are read of which nothing is kept.
func profileContent(ctx context.Context, c observe.Content, dir string) (any, error) {
	if !c.Directory {
		src, err := openContent(c, nil)
		if err != nil {
			return nil, err
		}
		return dataset.ReadKept(ctx, src, nil)
	}
	k, err := partfile.Open(ctx, partfile.Options{Dir: dir, Most: mostKept})
	if err != nil {
		return nil, err
	}
	src, err := openContent(c, k)
	if err != nil {
		return nil, err
	}
	return dataset.ReadKept(ctx, src, func(name string, p *profile.Part) error {
		_ = k.Keep(name, p) // what cannot be kept is read again the next time
		return nil
	})
}

// tableReaders are two processes that read tables: one for the server itself, and one for those who wait for an answer.
type tableReaders struct {
	own, asked *aside.Process
	kept       string
}

func (t *tableReaders) close() {
	t.own.Close()
	t.asked.Close()
}

// Profile returns the profile of a table.
func (t *tableReaders) Profile(ctx context.Context, c observe.Content) (json.RawMessage, error) {
	return ended(t.own.Do(ctx, tableRequest{Table: c, Kept: t.kept}))
}

// Rows compares the rows of two tables.
func (t *tableReaders) Rows(ctx context.Context, was, is observe.Content, key []string) (json.RawMessage, error) {
	return ended(t.asked.Do(ctx, tableRequest{Table: was, Other: &is, Key: key}))
}

// ended makes the end of a process something that may not come again.
func ended(text json.RawMessage, err error) (json.RawMessage, error) {
	if errors.Is(err, aside.ErrDied) {
		err = fault.Unavailablef("read the table: %w", err)
	}
	return text, err
}

// dataArtifacts is the store as the dataset service sees artifacts.
type dataArtifacts struct {
	*store.Store
	store.Data
}

// GetArtifact returns an artifact.
func (d dataArtifacts) GetArtifact(ctx context.Context, id string) (run.Artifact, error) {
	return d.Store.GetArtifact(ctx, id)
}

// longestReading is how much processor time one table takes at most.
const longestReading = time.Hour

// openDataset opens the service that looks at the data that steps make.
func (s *server) openDataset(o openOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe" // this very program, also when its file has been replaced by a newer one
	}
	// What was there is of a process that has ended.
	temp := filepath.Join(s.cfg.DataDir, "comparing")
	if err := errors.Join(os.RemoveAll(temp), os.MkdirAll(temp, 0o700)); err != nil {
		return err
	}
	process := func() *aside.Process {
		return aside.New(aside.Options{Command: self, Args: []string{readTablesCommand}, Memory: int64(s.cfg.ProfileMemory) << 20, Processor: longestReading,
			Environ: []string{"TMPDIR=" + temp}})
	}
	s.readers = &tableReaders{process(), process(), s.keptDir()}
	s.dataset = dataset.Open(dataset.Options{
		Store: s.store.Data(), Artifacts: dataArtifacts{s.store, s.store.Data()}, Blobs: s.blobs, Tables: s.readers, Logger: s.log, Now: time.Now,
		MostBytes: int64(s.cfg.ProfileSize) << 20, Quiet: func() bool { st := s.runner.Stats(); return st.Running+st.Waiting == 0 },
		Paused: o.does != serving,
	})
	return nil
}

// collected removes what is kept about content and runs that were removed.
func (s *server) collected(ctx context.Context) error {
	return errors.Join(s.forgetPoints(ctx), s.store.Data().DropProfiles(ctx), partfile.Prune(s.keptDir(), func(digest string) bool {
		has, err := s.blobs.Has(ctx, digest)
		return has || err != nil
	}))
}

// keptDir is where profiles of files are kept that tables of several files share.
func (s *server) keptDir() string { return filepath.Join(s.cfg.DataDir, "profiled") }

// dataSeries tells the metrics what the newest reports about data say.
func (s *server) dataSeries() []telemetry.Series {
	reports := func(kind observe.Kind, each func(r observe.Stored)) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		list, err := s.dataset.Measured(ctx)
		if err != nil {
			s.log.Warn("reports about data could not be read for metrics", "error", err)
		}
		for _, r := range list {
			if r.Kind == kind {
				each(r)
			}
		}
	}
	of := func(name, help string, kind observe.Kind, value func(r observe.Stored) float64) telemetry.Series {
		return telemetry.Series{Name: name, Help: help, Labels: []string{"pipeline", "task"}, Read: func(emit func(float64, ...string)) {
			reports(kind, func(r observe.Stored) { emit(value(r), r.Pipeline, r.Task) })
		}}
	}
	judged := func(name, help string, value func(r observe.Stored) float64) telemetry.Series {
		return telemetry.Series{Name: name, Help: help, Labels: []string{"pipeline", "task"}, Read: func(emit func(float64, ...string)) {
			reports(observe.Drift, func(r observe.Stored) {
				if r.NotJudged == "" {
					emit(value(r), r.Pipeline, r.Task)
				}
			})
		}}
	}
	column := func(name, help string, value func(c observe.Column) (float64, bool)) telemetry.Series {
		return telemetry.Series{Name: name, Help: help, Labels: []string{"pipeline", "task", "column", "method"}, Read: func(emit func(float64, ...string)) {
			reports(observe.Drift, func(r observe.Stored) {
				seen := map[string]bool{}
				for _, c := range r.Columns {
					if v, ok := value(c); ok && !seen[c.Name] {
						seen[c.Name] = true
						emit(v, r.Pipeline, r.Task, strings.ToValidUTF8(c.Name, "�"), c.Method)
					}
				}
			})
		}}
	}
	return []telemetry.Series{
		judged("levada_drift_detected", "Whether the newest drift report of a task says that the table has drifted; absent where it had too few rows.", func(r observe.Stored) float64 { return number(!r.Passed) }),
		of("levada_drift_judged", "Whether the tables of the newest drift report of a task had enough rows to be judged.", observe.Drift, func(r observe.Stored) float64 { return number(r.NotJudged == "") }),
		judged("levada_drift_columns_share", "Share of the compared columns that drifted in the newest drift report of a task; absent where it had too few rows.", func(r observe.Stored) float64 { return r.Share }),
		of("levada_drift_report_timestamp_seconds", "When the newest drift report of a task was made.", observe.Drift, func(r observe.Stored) float64 { return float64(r.At.UnixMilli()) / 1000 }),
		column("levada_drift_column_score", "Score of a column in the newest drift report of a task: a p-value or a distance, by the method.", func(c observe.Column) (float64, bool) { return optional(c.Score) }),
		column("levada_drift_column_effect", "How much the distribution of a column changed in the newest drift report of a task, from 0 to 1.", func(c observe.Column) (float64, bool) { return optional(c.Effect) }),
		column("levada_drift_column_detected", "Whether a column drifted in the newest drift report of a task.", func(c observe.Column) (float64, bool) { return number(c.Drifted), true }),
		of("levada_data_check_failed_expectations", "Expectations that did not hold in the newest check of a task.", observe.Check, func(r observe.Stored) float64 { return float64(r.Failed) }),
		of("levada_data_check_timestamp_seconds", "When the newest check of a task was made.", observe.Check, func(r observe.Stored) float64 { return float64(r.At.UnixMilli()) / 1000 }),
		{Name: "levada_profiles_waiting", Help: "Tables that wait to be profiled.", Read: func(emit func(float64, ...string)) {
			if n, err := s.dataset.Waiting(context.Background()); err == nil {
				emit(float64(n))
			}
		}},
	}
}

func optional(v *float64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return *v, true
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
