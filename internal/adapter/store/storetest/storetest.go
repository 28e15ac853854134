// Package storetest says what a store must do, as tests that every engine runs. It knows the promises of the
// Store interface, not how an engine keeps them.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/secret"
)

// Store is what is tested: the pipeline service's Store and what engines offer beyond it.
type Store interface {
	CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error
	Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error
	Events(ctx context.Context, runID string, from int64) ([]run.Event, error)
	GetRun(ctx context.Context, id string) (run.Run, error)
	ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error)
	RunNamed(ctx context.Context, pipeline string) (bool, error)
	UnfinishedRuns(ctx context.Context) ([]string, error)
	ActiveRuns(ctx context.Context, recurringRunID string) ([]string, error)
	SetArchived(ctx context.Context, runID string, archived bool) error
	DeleteRun(ctx context.Context, id string) error
	Tasks(ctx context.Context, runID string) ([]run.Task, error)
	EncodedTasks(ctx context.Context, runID string, yield func(task []byte) error) error
	GetTask(ctx context.Context, runID, taskID string) (run.Task, error)
	Artifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error)
	GetArtifact(ctx context.Context, id string) (run.Artifact, error)
	CacheEntry(ctx context.Context, key string) (run.CacheEntry, error)
	CacheEntries(ctx context.Context, q listing.Query) (listing.Page[run.CacheEntry], error)
	PruneCache(ctx context.Context, where []listing.Predicate, dryRun bool) (run.CachePruned, error)
	ArtifactDigests(ctx context.Context, yield func(digest string) error) error

	CreateExperiment(ctx context.Context, e catalog.Experiment) error
	GetExperiment(ctx context.Context, id string) (catalog.Experiment, error)
	ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error)
	ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error)
	SetExperimentArchived(ctx context.Context, id string, archived bool) error
	DeleteExperiment(ctx context.Context, id string) error
	MoveRuns(ctx context.Context, fromExperiment, toExperiment string) error

	CreatePipeline(ctx context.Context, p catalog.Pipeline, first *catalog.Version) error
	GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error)
	PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error)
	ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error)
	DeletePipeline(ctx context.Context, id string) error
	UpdatePipeline(ctx context.Context, p catalog.Pipeline) error
	UpdateVersion(ctx context.Context, v catalog.Version) error
	CreateVersion(ctx context.Context, v catalog.Version) error
	GetVersion(ctx context.Context, id string) (catalog.Version, error)
	ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error)
	DeleteVersion(ctx context.Context, id string) error
	PutSpec(ctx context.Context, digest string, spec []byte) error
	GetSpec(ctx context.Context, digest string) ([]byte, error)

	CreateRecurringRun(ctx context.Context, r catalog.RecurringRun) error
	UpdateRecurringRun(ctx context.Context, r catalog.RecurringRun, happened ...event.Event) error
	ReplaceRecurringRun(ctx context.Context, r catalog.RecurringRun) error
	GetRecurringRun(ctx context.Context, id string) (catalog.RecurringRun, error)
	ListRecurringRuns(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error)
	EnabledRecurringRuns(ctx context.Context) ([]catalog.RecurringRun, error)
	DeleteRecurringRun(ctx context.Context, id string) error

	Backfills

	PutSecret(ctx context.Context, s secret.Sealed) error
	GetSecret(ctx context.Context, k secret.Kind, name string) (secret.Sealed, error)
	ListSecrets(ctx context.Context, k secret.Kind) ([]secret.Entry, error)
	DeleteSecret(ctx context.Context, k secret.Kind, name string) error

	Close() error
}

// Run checks that the stores that open returns keep the promises. Each call of open gives a store with
// nothing in it.
func Run(t *testing.T, open func(t testing.TB) Store) {
	Core(t, open)
	each(t, open, map[string]func(*testing.T, Store){
		"cache entries are listed, counted and pruned":      cacheEntries,
		"a pipeline and a version get other names and tags": updatePipeline,
		"secrets are replaced whole and listed by kind":     secrets,
		"recurring runs keep what changes":                  recurringRuns,
		"the active runs of a recurring run are counted":    activeRuns,
		"runs are found by their partition":                 partitions,
		"a run is there by the name of its pipeline":        runNamed,
		"what runs of partitions imported is found":         partitionInputs,
		"what they imported that was made again is found":   partitionUpstream,
		"backfills keep what changes and count their runs":  backfills,
	})
}

// Core is Run for the part that runs pipelines: runs, their cache entries, and what they are filed under.
func Core(t *testing.T, open func(t testing.TB) Store) {
	each(t, open, map[string]func(*testing.T, Store){
		"a run comes back as it was stored, with its log and tasks":        runRoundTrip,
		"append replaces rows and extends the log":                         appendReplaces,
		"encoded tasks are the tasks":                                      encodedTasksAreTasks,
		"append refuses a log that does not end just before":               appendConflicts,
		"append leaves nothing behind when it fails":                       appendIsAtomic,
		"append does not undo archiving":                                   appendKeepsArchived,
		"unknown ids are not found":                                        unknownIDs,
		"names in use are conflicts":                                       namesInUse,
		"unfinished runs are listed oldest first":                          unfinishedRuns,
		"deleting a run keeps the artifacts that other runs use":           deleteKeepsUsedArtifacts,
		"the newest cache entry wins":                                      newestCacheEntry,
		"a hit keeps artifacts whose run was deleted in the meantime":      hitKeepsArtifacts,
		"archiving an experiment archives its runs":                        archiveExperiment,
		"creating a run notes its time in the experiment":                  lastRunAt,
		"runs can move to another experiment":                              moveRuns,
		"deleting a pipeline deletes its versions":                         deletePipeline,
		"specifications are stored once":                                   specs,
		"a page holds what it was asked for and says what is left":         pages,
		"filters select what they say":                                     filters,
		"a bad query is refused":                                           badQueries,
		"totals agree with what is listed after any changes":               totals,
		"paging visits every row exactly once in order, whatever the sort": pagingProperty,
		"concurrent writers do not lose a write":                           concurrentWriters,
		"a cancelled context is honoured":                                  cancelled,
	})
}

func each(t *testing.T, open func(t testing.TB) Store, tests map[string]func(*testing.T, Store)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// at is a moment of the tests' time, with more precision than a database keeps.
func at(minute int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC).Add(time.Duration(minute) * time.Minute)
}

// sampleRun has every field set that a run of the given number can have.
func sampleRun(n int) run.Run {
	finished := at(n + 5)
	return run.Run{
		ID: fmt.Sprintf("run-%03d", n), DisplayName: fmt.Sprintf("Train %d", n), Description: "nightly", ExperimentID: "exp-1",
		PipelineName: "train", PipelineID: "pipe-1", VersionID: "ver-1", RecurringRunID: "rec-1", SpecDigest: "sha256:00", ServiceAccount: "robot",
		PipelineRoot: "levada://root", Parameters: map[string]any{"lr": 0.5, "name": "x", "deep": map[string]any{"a": []any{true, nil}}},
		CacheOff: true, State: run.Running, Failure: &run.Failure{Reason: run.ReasonExit, Message: "no", ExitCode: 3, Task: "train"},
		Outputs:   run.Values{Parameters: map[string]any{"acc": 0.9}},
		Notices:   []string{"gpu ignored"},
		History:   []run.StateChange{{State: run.Pending, At: at(n)}},
		Labels:    map[string]any{"team": "a"},
		CreatedAt: at(n), ScheduledAt: at(n), FinishedAt: &finished,
		Tasks: map[run.State]int{run.Running: 2}, Cached: 1,
	}
}

func sampleTask(r run.Run, path string) run.Task {
	index := 2
	started := at(1)
	return run.Task{
		ID: r.ID + "/" + path, RunID: r.ID, Path: path, Name: path, DisplayName: path, Kind: run.KindContainer, State: run.Running,
		Reason: "waiting", DependsOn: []string{"prepare"}, Component: "comp", Image: "python:3.12", Attempts: 1, CacheKey: "key",
		Iteration: &index, Inputs: run.Values{Parameters: map[string]any{"n": 1.0}},
		CreatedAt: at(0), StartedAt: &started,
	}
}

func sampleArtifact(r run.Run, t run.Task, name string) run.Artifact {
	return run.Artifact{
		ID: t.ID + "/" + name, Name: name, SchemaTitle: "system.Model", SchemaVersion: "0.0.1", URI: "levada:" + name,
		Digest: "sha256:" + name, Size: 7, Metadata: map[string]any{"f1": 0.5}, RunID: r.ID, TaskID: t.ID,
	}
}

func events(from int64, n int) []run.Event {
	out := make([]run.Event, n)
	for i := range out {
		seq := from + int64(i)
		out[i] = run.Event{Seq: seq, At: at(int(seq)), Type: "task_ready", Body: fmt.Appendf(nil, `{"n":%d,"text":"a\u0000é"}`, seq)}
	}
	return out
}

// check is what tests and properties have in common.
type check interface {
	Helper()
	Fatal(args ...any)
}

func must(t check, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got fails the test unless the call before it succeeded.
func got[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func wantKind(t testing.TB, err error, kind fault.Kind, mention string) {
	t.Helper()
	if fault.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), mention) {
		t.Fatalf("got error %v (kind %d), want kind %d mentioning %q", err, fault.KindOf(err), kind, mention)
	}
}
