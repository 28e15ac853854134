package tracking

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Limits of what an import may bring. They are wider than those of clients: what another server has taken is not cut.
const (
	maxImportedValue = 1 << 20 // characters of a parameter or tag
	maxImportBatch   = 1000    // runs
)

// ImportStore keeps what imports bring, and notes of it.
type ImportStore interface {
	Imported(ctx context.Context, kind track.ImportKind, ids []string) ([]track.Imported, error)
	// MarkImported returns a NotFound error for what no import began to bring.
	MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error
	// NoteExperiment keeps the experiment as it is in the source.
	NoteExperiment(ctx context.Context, id, target string, e track.Experiment) error
	// ImportRuns returns the ids of runs that are here and that no import has brought; those stay as they are.
	ImportRuns(ctx context.Context, runs []track.Run, deletedAt int64) (strangers []string, err error)
	ImportLoggedModel(ctx context.Context, m track.LoggedModel) (stranger bool, err error)
}

// Imported returns what is noted about things that an import may have brought before.
func (s *Service) Imported(ctx context.Context, kind track.ImportKind, ids []string) ([]track.Imported, error) {
	return s.deps.Store.Imported(ctx, kind, ids)
}

// MarkImported notes of things that they were brought whole.
func (s *Service) MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error {
	return s.deps.Store.MarkImported(ctx, kind, marks)
}

// ImportExperiment brings an experiment and returns it as it is here. Its id and name stay when they are free. The default
// experiment of the other server is the one here. An experiment of the same id, name and time of creation is the same one; any
// other of the same name is left alone, and the new one is called "NAME (imported)". One that was brought before gets what has
// changed in the source since.
func (s *Service) ImportExperiment(ctx context.Context, e track.Experiment) (track.Experiment, error) {
	if err := checkImported(e); err != nil {
		return e, err
	}
	key := track.ImportKey(e.ID, e.CreatedAt.UnixMilli())
	there, before, err := s.importTarget(ctx, key, e)
	if err != nil {
		return e, err
	}
	if there == nil {
		return s.createImported(ctx, key, e)
	}
	err = s.deps.Store.ChangeExperiment(ctx, there.ID, func(x *track.Experiment) error {
		for _, t := range e.Tags {
			if old, found := track.Find(before.Tags, t.Key); !found || old != t.Value {
				x.Tags = track.Set(x.Tags, t.Key, t.Value)
			}
		}
		if x.ID != catalog.DefaultExperimentID {
			x.Deleted = track.Merged(x.Deleted, before.Deleted, e.Deleted)
		}
		x.UpdatedAt = latest(x.UpdatedAt, e.UpdatedAt)
		*there = *x
		return nil
	})
	if err != nil {
		return e, err
	}
	return *there, s.deps.Store.NoteExperiment(ctx, key, there.ID, e)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func checkImported(e track.Experiment) error {
	if err := checkExperimentName(e.Name); err != nil {
		return err
	}
	for _, t := range e.Tags {
		if err := checkImportedPair("tag", t); err != nil {
			return fmt.Errorf("experiment %q: %w", e.Name, err)
		}
	}
	if e.ArtifactLocation == "" {
		return nil
	}
	return checkElsewhere(e.ArtifactLocation)
}

// checkElsewhere takes places in an object store that clients read themselves, and refuses what names a file or another server.
func checkElsewhere(location string) error {
	if err := checkLocation(location); err != nil {
		return err
	}
	u, err := url.Parse(location)
	if err != nil {
		return fault.Invalidf("the artifact location is not a URI: %w", err)
	}
	switch u.Scheme {
	case "", "file", "http", "https", "ftp", "sftp", "models", "mlflow-artifacts":
		return fault.Invalidf("the artifact location %q is not a place in an object store", location)
	}
	if len(u.Scheme) == 1 {
		return fault.Invalidf("the artifact location %q is a path", location)
	}
	return nil
}

// importTarget finds the experiment here that an imported one is, nil when there is none, and what the source had of it when it
// was brought last.
func (s *Service) importTarget(ctx context.Context, key string, e track.Experiment) (there *track.Experiment, before track.Experiment, err error) {
	noted, err := s.deps.Store.Imported(ctx, track.ImportedExperiment, []string{key})
	if err != nil {
		return nil, before, err
	}
	id, same := e.ID, e.ID == catalog.DefaultExperimentID && e.Name == "Default"
	if len(noted) > 0 {
		if err := json.Unmarshal([]byte(noted[0].Last), &before); err != nil {
			return nil, before, fmt.Errorf("read the note of the experiment %q: %w", e.Name, err)
		}
		id, same = noted[0].Target, true
	}
	found, err := s.deps.Store.Experiment(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil, before, nil
	}
	if err != nil {
		return nil, before, err
	}
	if same || found.Name == e.Name && found.CreatedAt.UnixMilli() == e.CreatedAt.UnixMilli() {
		return &found, before, nil
	}
	return nil, before, nil
}

// createImported creates an experiment under an id and a name that are free.
func (s *Service) createImported(ctx context.Context, key string, e track.Experiment) (track.Experiment, error) {
	sent := e
	if !s.idIsFree(ctx, e.ID) {
		e.ID = catalog.ExperimentID(s.deps.NewID())
	}
	name := e.Name
	for try := 0; ; try++ {
		e.Name = importedName(name, try, " (imported)", " (imported %d)")
		_, err := s.deps.Store.ExperimentNamed(ctx, e.Name)
		if fault.KindOf(err) == fault.NotFound {
			break
		}
		if err != nil {
			return e, err
		}
	}
	// The note comes first: a note without its experiment is harmless, an experiment without its note would be brought twice.
	if err := s.deps.Store.NoteExperiment(ctx, key, e.ID, sent); err != nil {
		return e, err
	}
	return e, s.deps.Store.CreateExperiment(ctx, e)
}

// importedName is the name to be tried: first the one that a thing has.
func importedName(name string, try int, second, later string) string {
	switch try {
	case 0:
		return name
	case 1:
		return name + second
	}
	return name + fmt.Sprintf(later, try)
}

// idIsFree reports whether an experiment may have an id: a number, as clients expect, that no other has.
func (s *Service) idIsFree(ctx context.Context, id string) bool {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		return false
	}
	_, err = s.deps.Store.Experiment(ctx, id)
	return fault.KindOf(err) == fault.NotFound
}

// ImportRuns brings runs as they are: ids, times, states, deleted ones too. Where the artifact URI is empty the files are to be
// put where the files of the run would be. It returns for each run what was wrong with it, nil where it was stored; a run of
// that id that no import has brought is a Conflict.
func (s *Service) ImportRuns(ctx context.Context, runs []track.Run) ([]error, error) {
	if len(runs) > maxImportBatch {
		return nil, fault.Invalidf("there are %d runs; at most %d can be sent at once", len(runs), maxImportBatch)
	}
	failed := make([]error, len(runs))
	at := map[string]int{}
	var good []track.Run
	for i, r := range runs {
		if failed[i] = s.checkImportedRun(ctx, &r); failed[i] == nil {
			at[r.ID] = i
			good = append(good, r)
		}
	}
	strangers, err := s.deps.Store.ImportRuns(ctx, good, s.now().UnixMicro())
	for _, id := range strangers {
		failed[at[id]] = fault.Conflictf("a run with the id %s is here already and was not imported; it stays as it is", id)
	}
	return failed, err
}

func (s *Service) checkImportedRun(ctx context.Context, r *track.Run) error {
	if err := checkRunID(r.ID); err != nil {
		return err
	}
	if _, err := s.deps.Store.Experiment(ctx, r.ExperimentID); err != nil {
		return noExperiment(r.ExperimentID, err)
	}
	switch r.Status {
	case track.Running, track.Scheduled, track.Finished, track.Failed, track.Killed:
	default:
		return fault.Invalidf("run %s has the status %q, which is none", r.ID, r.Status)
	}
	if r.ArtifactURI == "" {
		r.ArtifactURI = artifactScheme + "/" + r.ExperimentID + "/" + r.ID + "/artifacts"
	} else if err := checkElsewhere(r.ArtifactURI); err != nil {
		return err
	}
	for _, p := range r.Params {
		if err := checkImportedPair("parameter", p); err != nil {
			return err
		}
	}
	for _, t := range r.Tags {
		if err := checkImportedPair("tag", t); err != nil {
			return err
		}
	}
	for _, d := range r.Datasets {
		if err := checkDataset(d); err != nil {
			return err
		}
	}
	return uniqueParams(r.Params)
}

// checkImportedPair checks a parameter or tag. Names have the form that MLflow asks for; values may be long.
func checkImportedPair(what string, p track.KV) error {
	if err := CheckName("key", p.Key); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := checkLength(what+" "+fault.Shorten(p.Key, 60), p.Key, maxKey); err != nil {
		return err
	}
	return checkLength("value of the "+what+" "+fault.Shorten(p.Key, 60), p.Value, maxImportedValue)
}

// ImportMetrics stores points of a run that an import brought, deleted or not. Points that are there already are not stored
// again.
func (s *Service) ImportMetrics(ctx context.Context, runID string, metrics []track.Metric) error {
	noted, err := s.deps.Store.Imported(ctx, track.ImportedRun, []string{runID})
	if err != nil {
		return err
	}
	if len(noted) == 0 {
		return fault.Conflictf("the run %q was not imported", runID)
	}
	for _, m := range metrics {
		if err := checkMetric("", m); err != nil {
			return err
		}
	}
	return s.deps.Series.Log(ctx, runID, metrics)
}

// ImportLoggedModel brings a logged model as it is, with its metrics, and returns where its files are, or are to be put. One of
// that id that no import has brought is a Conflict.
func (s *Service) ImportLoggedModel(ctx context.Context, m track.LoggedModel) (location string, err error) {
	if err := checkRunID(m.ID); err != nil || !strings.HasPrefix(m.ID, "m-") {
		return "", InvalidValue("model_id", m.ID, "")
	}
	if _, err := s.deps.Store.Experiment(ctx, m.ExperimentID); err != nil {
		return "", noExperiment(m.ExperimentID, err)
	}
	if m.ArtifactLocation == "" {
		m.ArtifactLocation = artifactScheme + "/" + m.ExperimentID + "/models/" + m.ID + "/artifacts"
	} else if err := checkElsewhere(m.ArtifactLocation); err != nil {
		return "", err
	}
	for i := range m.Metrics {
		if m.Metrics[i].Value = track.Clean(m.Metrics[i].Value); m.Metrics[i].Key == "" {
			return "", InvalidValue("metrics.name", "", "")
		}
	}
	stranger, err := s.deps.Store.ImportLoggedModel(ctx, m)
	if stranger {
		err = fault.Conflictf("a logged model with the id %s is here already and was not imported; it stays as it is", m.ID)
	}
	return m.ArtifactLocation, err
}
