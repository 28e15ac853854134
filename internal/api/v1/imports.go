package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/registry"
)

// TrackedImports takes the experiments, runs, metrics and logged models that an import brings from an MLflow server.
type TrackedImports interface {
	Imported(ctx context.Context, kind track.ImportKind, ids []string) ([]track.Imported, error)
	MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error
	ImportExperiment(ctx context.Context, e track.Experiment) (track.Experiment, error)
	ImportRuns(ctx context.Context, runs []track.Run) ([]error, error)
	ImportMetrics(ctx context.Context, runID string, metrics []track.Metric) error
	ImportLoggedModel(ctx context.Context, m track.LoggedModel) (location string, err error)
}

// RegisteredImports takes the registered models that an import brings.
type RegisteredImports interface {
	Import(ctx context.Context, in registry.Import) (model.Brought, error)
}

type importKnownInput struct {
	Body struct {
		Kind track.ImportKind `json:"kind"`
		IDs  []string         `json:"ids" maxItems:"10000"`
	}
}

type importKnownOutput struct {
	Body struct {
		Items []track.Imported `json:"items" nullable:"false"`
	}
}

type importMarksInput struct {
	Body struct {
		Kind  track.ImportKind  `json:"kind"`
		Marks map[string]string `json:"marks" doc:"mark by the id that the thing has where it came from"`
	}
}

// ImportedExperiment is an experiment as tracking knows it; the API has another one, that of pipelines.
type ImportedExperiment track.Experiment

// ImportedRun is a run as tracking knows it.
type ImportedRun track.Run

// ImportedModel is a logged model as tracking knows it.
type ImportedModel track.LoggedModel

// RegisteredVersion is a version as the registry keeps it.
type RegisteredVersion model.Version

type importExperimentInput struct{ Body ImportedExperiment }

type importExperimentOutput struct{ Body ImportedExperiment }

type importRunsInput struct {
	Body struct {
		Runs []ImportedRun `json:"runs" maxItems:"1000"`
	}
}

type importRunsOutput struct {
	Body struct {
		// Errors has an entry for each run that was not stored, by its id.
		Errors map[string]string `json:"errors" doc:"why runs were not stored, by id"`
	}
}

type importMetricsInput struct {
	Body struct {
		RunID   string         `json:"run_id"`
		Metrics []track.Series `json:"metrics"`
	}
}

type importLoggedInput struct {
	Body struct {
		Model   ImportedModel       `json:"model"`
		Metrics []track.ModelSeries `json:"metrics,omitempty"`
	}
}

type importLoggedOutput struct {
	Body struct {
		ArtifactLocation string `json:"artifact_location"`
	}
}

type importRegisteredInput struct {
	Body struct {
		Key      string              `json:"key" minLength:"1" doc:"names the model where it came from"`
		Model    model.Registered    `json:"model"`
		Versions []RegisteredVersion `json:"versions,omitempty"`
	}
}

type importRegisteredOutput struct{ Body model.Brought }

// importLimit bounds one request of an importer.
const importLimit = 64 << 20

func (h *handler) registerImports(api huma.API) {
	op := func(id, path, summary string, errors ...int) huma.Operation {
		// What is in the bodies is checked by the services, whose messages name the thing.
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: Prefix + "/imports/" + path, Summary: summary,
			Tags: []string{"imports"}, MaxBodyBytes: importLimit, Errors: errors, SkipValidateBody: true}
	}
	huma.Register(api, op("import-known", "known", "Say what an import has brought before", 400), h.importKnown)
	huma.Register(api, op("import-marks", "marks", "Note that things were brought whole", 404), h.importMarks)
	huma.Register(api, op("import-experiment", "experiments", "Bring an experiment of an MLflow server", 400), h.importExperiment)
	huma.Register(api, op("import-runs", "runs", "Bring runs with their parameters, tags and links", 400), h.importRuns)
	huma.Register(api, op("import-metrics", "metrics", "Bring points of a run", 400, 409), h.importMetrics)
	huma.Register(api, op("import-logged-model", "logged-models", "Bring a logged model", 400, 409), h.importLogged)
	huma.Register(api, op("import-registered-model", "registered-models", "Bring a registered model with its versions", 400), h.importRegistered)
}

func (h *handler) importKnown(ctx context.Context, in *importKnownInput) (*importKnownOutput, error) {
	list, err := h.Tracked.Imported(ctx, in.Body.Kind, in.Body.IDs)
	if err != nil {
		return nil, h.problem(ctx, "look up what was imported", err)
	}
	out := &importKnownOutput{}
	out.Body.Items = orEmpty(list)
	return out, nil
}

func (h *handler) importMarks(ctx context.Context, in *importMarksInput) (*struct{}, error) {
	if err := h.Tracked.MarkImported(ctx, in.Body.Kind, in.Body.Marks); err != nil {
		return nil, h.problem(ctx, "note what was imported", err)
	}
	return nil, nil
}

func (h *handler) importExperiment(ctx context.Context, in *importExperimentInput) (*importExperimentOutput, error) {
	e, err := h.Tracked.ImportExperiment(ctx, track.Experiment(in.Body))
	if err != nil {
		return nil, h.problem(ctx, "import an experiment", err)
	}
	return &importExperimentOutput{ImportedExperiment(e)}, nil
}

func (h *handler) importRuns(ctx context.Context, in *importRunsInput) (*importRunsOutput, error) {
	runs := make([]track.Run, len(in.Body.Runs))
	for i, r := range in.Body.Runs {
		runs[i] = track.Run(r)
	}
	failed, err := h.Tracked.ImportRuns(ctx, runs)
	if err != nil {
		return nil, h.problem(ctx, "import runs", err)
	}
	out := &importRunsOutput{}
	out.Body.Errors = map[string]string{}
	for i, err := range failed {
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				return nil, h.problem(ctx, "import runs", err)
			}
			out.Body.Errors[runs[i].ID] = err.Error()
		}
	}
	return out, nil
}

func (h *handler) importMetrics(ctx context.Context, in *importMetricsInput) (*struct{}, error) {
	var metrics []track.Metric
	for _, s := range in.Body.Metrics {
		points, err := s.Points()
		if err != nil {
			return nil, h.problem(ctx, "import metrics", err)
		}
		for _, p := range points {
			metrics = append(metrics, track.Metric{Key: s.Key, Point: p})
		}
	}
	if err := h.Tracked.ImportMetrics(ctx, in.Body.RunID, metrics); err != nil {
		return nil, h.problem(ctx, "import metrics", err)
	}
	return nil, nil
}

func (h *handler) importLogged(ctx context.Context, in *importLoggedInput) (*importLoggedOutput, error) {
	m := track.LoggedModel(in.Body.Model)
	for _, s := range in.Body.Metrics {
		points, err := s.Points()
		if err != nil {
			return nil, h.problem(ctx, "import a logged model", err)
		}
		for _, p := range points {
			m.Metrics = append(m.Metrics, track.ModelMetric{RunID: s.RunID, Metric: track.Metric{Key: s.Key, Point: p, ModelID: m.ID,
				DatasetName: s.DatasetName, DatasetDigest: s.DatasetDigest}})
		}
	}
	location, err := h.Tracked.ImportLoggedModel(ctx, m)
	if err != nil {
		return nil, h.problem(ctx, "import a logged model", err)
	}
	out := &importLoggedOutput{}
	out.Body.ArtifactLocation = location
	return out, nil
}

func (h *handler) importRegistered(ctx context.Context, in *importRegisteredInput) (*importRegisteredOutput, error) {
	versions := make([]model.Version, len(in.Body.Versions))
	for i, v := range in.Body.Versions {
		versions[i] = model.Version(v)
	}
	out, err := h.Registered.Import(ctx, registry.Import{Key: in.Body.Key, Model: in.Body.Model, Versions: versions})
	if err != nil {
		return nil, h.problem(ctx, "import a registered model", err)
	}
	return &importRegisteredOutput{out}, nil
}
