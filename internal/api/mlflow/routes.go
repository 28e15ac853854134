package mlflow

import (
	"io"
	"maps"
	"net/http"
	"strings"
)

// table is the API by path, in the order of MLflow's documentation. Calls whose path has variable parts are in find.
func (d *door) table() map[string]methods {
	t := map[string]methods{
		"version":                     get(text(Version)),
		"health":                      get(text("OK")),
		"mlflow/server-info":          get(d.serverInfo),
		"get-artifact":                get(d.getArtifact),
		"model-versions/get-artifact": get(d.getVersionArtifact),
		"v1/traces":                   post(d.addSpans),

		"mlflow/experiments/create":                post(d.createExperiment),
		"mlflow/experiments/search":                {"POST": d.searchExperiments, "GET": d.searchExperiments},
		"mlflow/experiments/get":                   get(d.getExperiment),
		"mlflow/experiments/get-by-name":           get(d.getExperimentByName),
		"mlflow/experiments/delete":                post(d.deleteExperiment(true)),
		"mlflow/experiments/restore":               post(d.deleteExperiment(false)),
		"mlflow/experiments/update":                post(d.updateExperiment),
		"mlflow/experiments/set-experiment-tag":    post(d.setExperimentTag),
		"mlflow/experiments/delete-experiment-tag": post(d.deleteExperimentTag),
		"mlflow/experiments/search-datasets":       post(d.searchDatasets),

		"mlflow/runs/create":        post(d.createRun),
		"mlflow/runs/get":           get(d.getRun),
		"mlflow/runs/update":        post(d.updateRun),
		"mlflow/runs/delete":        post(d.deleteRun(true)),
		"mlflow/runs/restore":       post(d.deleteRun(false)),
		"mlflow/runs/search":        post(d.searchRuns),
		"mlflow/runs/log-metric":    post(d.logMetric),
		"mlflow/runs/log-parameter": post(d.logParam),
		"mlflow/runs/set-tag":       post(d.setTag),
		"mlflow/runs/delete-tag":    post(d.deleteTag),
		"mlflow/runs/log-batch":     post(d.logBatch),
		"mlflow/runs/log-inputs":    post(d.logInputs),
		"mlflow/runs/outputs":       post(d.logOutputs),
		"mlflow/runs/log-model":     post(d.logModel),

		"mlflow/metrics/get-history":               get(d.history),
		"mlflow/metrics/get-history-bulk":          get(d.historyBulk),
		"mlflow/metrics/get-history-bulk-interval": get(d.historySampled),

		"mlflow/artifacts/list": get(d.listArtifacts),

		"mlflow/artifacts/presigned-upload-url":   post(d.presign("PUT")),
		"mlflow/artifacts/presigned-download-url": post(d.presign("GET")),

		"mlflow-artifacts/artifacts":  get(d.listFiles),
		"mlflow/logged-models":        post(d.createLogged),
		"mlflow/logged-models/search": post(d.searchLogged),
	}
	maps.Copy(t, d.registryTable())
	return t
}

func post(c call) methods { return methods{"POST": c} }
func get(c call) methods  { return methods{"GET": c} }

// registryTable is the part of the table for the model registry.
func (d *door) registryTable() map[string]methods {
	return map[string]methods{
		"mlflow/registered-models/create":              post(d.createModel),
		"mlflow/registered-models/rename":              post(d.renameModel),
		"mlflow/registered-models/update":              {"PATCH": d.updateModel},
		"mlflow/registered-models/delete":              {"DELETE": d.deleteModel},
		"mlflow/registered-models/get":                 get(d.getModel),
		"mlflow/registered-models/search":              get(d.searchModels),
		"mlflow/registered-models/set-tag":             post(d.setModelTag),
		"mlflow/registered-models/alias":               {"POST": d.setAlias, "DELETE": d.deleteAlias, "GET": d.versionByAlias},
		"mlflow/model-versions/create":                 post(d.createVersion),
		"mlflow/model-versions/update":                 {"PATCH": d.updateVersion},
		"mlflow/model-versions/delete":                 {"DELETE": d.deleteVersion},
		"mlflow/model-versions/get":                    get(d.getVersion),
		"mlflow/model-versions/search":                 get(d.searchVersions),
		"mlflow/model-versions/set-tag":                post(d.setVersionTag),
		"mlflow/model-versions/delete-tag":             {"DELETE": d.deleteVersionTag},
		"mlflow/registered-models/delete-tag":          {"DELETE": d.deleteModelTag},
		"mlflow/registered-models/get-latest-versions": {"POST": d.latestVersions, "GET": d.latestVersions},
		"mlflow/model-versions/transition-stage":       post(d.moveVersion),
		"mlflow/model-versions/get-download-uri":       get(d.downloadURI),
		"mlflow/webhooks":                              {"POST": d.createWebhook, "GET": d.listWebhooks},
	}
}

// find returns the calls of a path and its variable parts.
func (d *door) find(path string) (methods, []string) {
	if m := d.routes[path]; m != nil {
		return m, nil
	}
	if file, ok := strings.CutPrefix(path, "mlflow-artifacts/artifacts/"); ok {
		return methods{"GET": d.getFile, "PUT": d.putFile, "DELETE": d.deleteFile}, []string{file}
	}
	if rest, ok := strings.CutPrefix(path, "mlflow-artifacts/"); ok {
		return d.uploadCalls(rest)
	}
	if rest, ok := strings.CutPrefix(path, "mlflow/webhooks/"); ok {
		parts := strings.Split(rest, "/")
		return d.webhookCalls(parts), parts
	}
	if rest, ok := strings.CutPrefix(path, "mlflow/logged-models/"); ok {
		parts := strings.Split(rest, "/")
		switch {
		case len(parts) == 1:
			return methods{"GET": d.getLogged, "PATCH": d.finalizeLogged, "DELETE": d.deleteLogged}, parts
		case len(parts) == 2 && parts[1] == "tags":
			return methods{"PATCH": d.setLoggedTags}, parts
		case len(parts) == 2 && parts[1] == "params":
			return methods{"POST": d.logLoggedParams}, parts
		case len(parts) >= 3 && parts[1] == "tags":
			return methods{"DELETE": d.deleteLoggedTag}, []string{parts[0], strings.Join(parts[2:], "/")}
		case len(parts) == 3 && parts[1] == "artifacts" && parts[2] == "directories":
			return methods{"GET": d.listLogged}, parts
		}
	}
	return nil, nil
}

// text answers with plain text.
func text(s string) call {
	return func(r *request) (any, error) {
		r.answered = true
		r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, err := io.WriteString(r.w, s)
		if err != nil {
			return nil, nil //nolint:nilerr // the client is gone
		}
		return nil, nil
	}
}

// serverInfo says what clients may ask for.
func (d *door) serverInfo(r *request) (any, error) {
	if strings.Contains(r.URL.Path, "/2.0/") {
		r.answered = true
		r.w.WriteHeader(http.StatusNotFound)
		return nil, nil
	}
	return map[string]any{
		"store_type": "SqlStore", "workspaces_enabled": false, "trace_archival_enabled": false, "multipart_uploads_enabled": false,
		"multipart_downloads_enabled": false, "presigned_upload_run_id_supported": true, "presigned_upload_model_id_supported": true,
		"features_enabled": map[string]bool{"gateway": false},
	}, nil
}
