// Package v1 is the door of Levada's own HTTP API: what the web UI and the command line talk to.
//
// It translates between HTTP and the pipeline service: paths and query parameters into calls, results into JSON,
// server-sent events or file contents, and kinds of failure into RFC 9457 problems. It must not know storage,
// processes or how runs are decided, and it holds no state of its own. The description of the API is served at
// /api/v1/openapi.json and kept in ui/openapi.json for the UI. Start reading at NewHandler.
package v1

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"levada/internal/changes"
	"levada/internal/core/catalog"
	"levada/internal/core/change"
	"levada/internal/core/endpoint"
	"levada/internal/core/event"
	"levada/internal/core/infergraph"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/observe"
	"levada/internal/core/outline"
	"levada/internal/core/rollout"
	"levada/internal/core/run"
	"levada/internal/core/table/profile"
	"levada/internal/core/track"
	"levada/internal/core/traffic"
	"levada/internal/dataset"
	"levada/internal/pipeline"
	"levada/internal/registry"
	"levada/internal/serving"
	"levada/internal/tracking"
)

// Prefix is the path below which the whole API lives.
const Prefix = "/api/v1"

// Service is the part of the pipeline service that this door opens.
type Service interface {
	Runs
	Artifacts
	Catalog
	Cache
}

// Runs starts, follows and removes runs.
type Runs interface {
	Submit(ctx context.Context, sub pipeline.Submission) (run.Run, error)
	GetRun(ctx context.Context, id string) (run.Run, error)
	ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error)
	RunGroups(ctx context.Context, by string, q listing.Query, most int) (groups []run.Group, whole bool, err error)
	CancelRun(ctx context.Context, id string) error
	RetryRun(ctx context.Context, id string) (run.Run, error)
	ArchiveRun(ctx context.Context, id string, archived bool) error
	DeleteRun(ctx context.Context, id string) error
	Tasks(ctx context.Context, runID string) ([]run.Task, error)
	GetTask(ctx context.Context, runID, task string) (run.Task, error)
	WatchEncoded(ctx context.Context, runID string) (run.Run, pipeline.EncodedTasks, <-chan pipeline.Update, error)
	Logs(ctx context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error
	RunSpec(ctx context.Context, runID string) (*ir.Pipeline, error)
	TaskUsage(ctx context.Context, runID, task string, attempt int) (run.Usage, error)
	TaskEnvironment(ctx context.Context, runID, task string) (run.TaskEnvironment, error)
}

// Artifacts gives what tasks made.
type Artifacts interface {
	RunArtifacts(ctx context.Context, runID string) ([]run.Artifact, error)
	ListArtifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error)
	GetArtifact(ctx context.Context, id string) (run.Artifact, error)
	ArtifactFiles(ctx context.Context, id string) ([]run.BlobFile, error)
	OpenArtifact(ctx context.Context, id, path string) (io.ReadSeekCloser, error)
}

// Catalog has what runs are filed under.
type Catalog interface {
	CreateExperiment(ctx context.Context, name, description string) (catalog.Experiment, error)
	ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error)
	ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error)
	GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error)
	UploadPipeline(ctx context.Context, u pipeline.Upload) (catalog.Pipeline, catalog.Version, error)
	UploadVersion(ctx context.Context, pipelineID string, u pipeline.Upload) (catalog.Version, error)
	GetVersion(ctx context.Context, pipelineID, versionID string) (catalog.Version, error)
	ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error)
	Spec(ctx context.Context, digest string) (*ir.Pipeline, error)
}

// Tracking is the part of the tracking service that this door opens.
type Tracking interface {
	Experiment(ctx context.Context, id string) (track.Experiment, error)
	RunTable(ctx context.Context, q tracking.TableQuery) ([]tracking.TableRow, int, error)
	RunGroups(ctx context.Context, q tracking.GroupQuery) (groups []tracking.RunGroup, total, runs int, err error)
	ChangeRuns(ctx context.Context, c tracking.BulkChange) (done int, failed []tracking.RunFailure, err error)
	FieldsOf(ctx context.Context, experiment string) (tracking.Fields, error)
	NamesIn(ctx context.Context, runIDs []string) (track.Names, error)
	ValuesOf(ctx context.Context, runIDs []string, names track.Names) (tracking.Values, error)
	Beneath(ctx context.Context, r *track.Run) (int, error)
	Run(ctx context.Context, id string) (tracking.Tracked, error)
	Runs(ctx context.Context, ids []string) (runs []tracking.Tracked, missing []string, err error)
	Info(ctx context.Context, runID string) (track.Run, error)
	Model(ctx context.Context, id string, deleted bool) (track.LoggedModel, error)
	Curves(ctx context.Context, runIDs, keys []string, n int) ([]tracking.Curve, error)
	RunFiles(ctx context.Context, runID, dir string) (string, []track.File, error)
	OpenRunFile(ctx context.Context, runID, file string) (io.ReadSeekCloser, track.StoredFile, error)
	OpenBelow(ctx context.Context, location, raw string) (io.ReadSeekCloser, track.StoredFile, error)
}

// Registry is the part of the model registry that this door opens.
type Registry interface {
	SearchModels(ctx context.Context, q registry.Query) ([]registry.Model, bool, error)
	Model(ctx context.Context, name string) (registry.Model, error)
	Versions(ctx context.Context, name string, limit int) ([]registry.Version, int, error)
	From(ctx context.Context, modelIDs, runIDs []string) ([]registry.Version, error)
	Version(ctx context.Context, name, version string) (registry.Version, error)
	SetAlias(ctx context.Context, name, alias, version string) error
	DeleteAlias(ctx context.Context, name, alias string) error
	DescribeModel(ctx context.Context, name string, description *string) (registry.Model, error)
	DescribeVersion(ctx context.Context, name, version string, description *string) (registry.Version, error)
	SetModelTag(ctx context.Context, name string, tag track.KV) error
	DeleteModelTag(ctx context.Context, name, key string) error
	SetVersionTag(ctx context.Context, name, version string, tag track.KV) error
	DeleteVersionTag(ctx context.Context, name, version, key string) error
}

// Changes tells what has changed.
type Changes interface {
	Subscribe(topics []change.Topic, away time.Duration) *changes.Subscription
}

// Environments lists the managed Python environments.
type Environments interface {
	List(ctx context.Context) ([]Environment, error)
}

// Environment is one managed Python environment.
type Environment struct {
	Key          string     `json:"key" doc:"short name of the environment, made from what was asked for"`
	Requirements []string   `json:"requirements" nullable:"false"`
	Python       string     `json:"python,omitempty" doc:"version of the interpreter"`
	Digest       string     `json:"digest,omitempty" doc:"digest of the interpreter and of every installed package"`
	Path         string     `json:"path,omitempty"`
	SizeBytes    int64      `json:"size_bytes"`
	State        string     `json:"state" doc:"READY or BUILDING"`
	CreatedAt    time.Time  `json:"created_at"`
	LastUsedAt   *time.Time `json:"last_used_at,omitempty"`
}

// Info describes the server.
type Info struct {
	Version   string    `json:"version"`
	Commit    string    `json:"commit,omitempty"`
	Go        string    `json:"go" doc:"version of the Go toolchain"`
	DataDir   string    `json:"data_dir"`
	StartedAt time.Time `json:"started_at"`
	URL       string    `json:"url,omitempty" doc:"where the server listens; empty inside a single command"`
}

// Options are what the API is made of.
type Options struct {
	// Service answers the calls. Required.
	Service Service
	// Schedules answers for recurring runs. Required.
	Schedules Schedules
	// Triggers answers for triggers. Required where they are asked for.
	Triggers Triggers
	// Declared makes what files declare. Required where that is asked for.
	Declared Declared
	// Backfills answers for partitions and backfills. Required where they are asked for.
	Backfills Backfills
	// Tracking and Registry answer for tracked runs and registered models. Required where they are asked for.
	Tracking Tracking
	Registry Registry
	// Environments lists the Python environments; without it the list is empty.
	Environments Environments
	// Secrets keeps secrets and config maps. Required where they are asked for.
	Secrets Secrets
	// Models tells of models. Required where they are asked for.
	Models Models
	// Sources tells of the code and the environments of runs. Required where they are asked for.
	Sources Sources
	// Tables reads tables. Required where they are asked for.
	Tables Tables
	// Data tells of tables and of reports about them. Required where they are asked for.
	Data Data
	// Lineage finds what things were made of. Required where it is asked for.
	Lineage Lineage
	// Tracked and Registered take what imports bring. Required where that is asked for.
	Tracked    TrackedImports
	Registered RegisteredImports
	// Across answers for the home page and the search. Required where they are asked for.
	Across Across
	// Changes tells what to ask again. Required where it is asked for.
	Changes Changes
	// Python finds the requirements and the source in the command of a Python component. Without it outlines show commands.
	Python outline.Python
	// System tells how the server is. Required where that is asked for.
	System System
	// Endpoints serves models. Required where that is asked for.
	Endpoints Endpoints
	// Graphs keeps inference graphs. Required where that is asked for.
	Graphs Graphs
	// Rollouts takes versions through the traffic of endpoints. Required where that is asked for.
	Rollouts Rollouts
	// Requests are the logged requests of endpoints, and their truth. Required where that is asked for.
	Requests Requests
	// Info is asked on each call of /info, because the address is known only once the server listens. Without it
	// the answer is empty.
	Info func() Info
	// Log gets the failures that are the server's own. The default is slog.Default.
	Log *slog.Logger
	// Heartbeat is the pause between the comments that keep an idle event stream open. The default is 15 s.
	Heartbeat time.Duration
}

type handler struct{ Options }

// NewHandler returns the API. It answers every path below Prefix and nothing else. What may reach it is the listener's business:
// the server refuses requests of other sites for all doors at once.
func NewHandler(o Options) http.Handler {
	h := &handler{o}
	if h.Log == nil {
		h.Log = slog.Default()
	}
	if h.Heartbeat <= 0 {
		h.Heartbeat = 15 * time.Second
	}
	mux := http.NewServeMux()
	api := humago.New(mux, apiConfig())
	h.registerRuns(api)
	h.registerTasks(api)
	h.registerArtifacts(api)
	h.registerCatalog(api)
	h.registerPipelines(api)
	h.registerSecrets(api)
	h.registerCache(api)
	h.registerRecurring(api)
	h.registerTriggers(api)
	h.registerDeclared(api)
	h.registerBackfills(api)
	h.registerImports(api)
	h.registerTracked(api)
	h.registerRegistry(api)
	h.registerModels(api)
	h.registerHome(api)
	h.registerSearch(api)
	h.registerChanges(api)
	h.registerTables(api)
	h.registerData(api)
	h.registerSystem(api)
	h.registerLineage(api)
	h.registerEndpoints(api)
	h.registerGraphs(api)
	h.registerRollouts(api)
	h.registerRequests(api)
	forbidNullArrays(api.OpenAPI().Components.Schemas.Map())
	mux.HandleFunc(Prefix+"/", unknownEndpoint)
	return mux
}

// apiConfig leaves out huma's documentation page, which loads scripts from elsewhere, and its $schema links.
func apiConfig() huma.Config {
	c := huma.DefaultConfig("Levada", "v1")
	c.Info.Description = "Runs, tasks, logs, artifacts, tracked runs and models of a Levada server."
	c.OpenAPIPath = Prefix + "/openapi"
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil
	c.RejectUnknownQueryParameters = true
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[rollout.Duration](), reflect.TypeFor[string]())
	return c
}

// schemaName names types as huma does, but tells those that have the same name elsewhere by what they belong to: triggers by events, profiles
// of tables, reports about them, endpoints, inference graphs.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if events := reflect.TypeFor[event.Event](); t.PkgPath() == events.PkgPath() && t != events {
		return events.Name() + t.Name()
	}
	for of, first := range map[reflect.Type]string{
		reflect.TypeFor[profile.Column](): "Profile", reflect.TypeFor[dataset.Comparison](): "Data", reflect.TypeFor[observe.Stored](): "Drift",
		reflect.TypeFor[endpoint.Endpoint](): "Endpoint", reflect.TypeFor[traffic.Plan](): "Traffic", reflect.TypeFor[serving.Status](): "Endpoint",
		reflect.TypeFor[rollout.Plan](): "Rollout", reflect.TypeFor[infergraph.Graph](): "Graph",
	} {
		if t.PkgPath() == of.PkgPath() && t.Name() != "" && !strings.HasPrefix(t.Name(), first) {
			return first + t.Name()
		}
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// forbidNullArrays corrects huma's assumption that a slice may be null: the lists of this API are never null, they
// are empty or left out.
func forbidNullArrays(schemas map[string]*huma.Schema) {
	for _, s := range schemas {
		forbidNullArray(s)
	}
}

func forbidNullArray(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
		forbidNullArray(s.Items)
	}
	forbidNullArrays(s.Properties)
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		forbidNullArray(more)
	}
}
