package kfp

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// call answers one request with a value that becomes the JSON body.
type call func(r *http.Request) (any, error)

// methods are the calls of one path.
type methods map[string]call

// reports are what KFP's own controllers send.
const reports = "workflow reports, with which KFP's controllers tell its server how workflows go: here the server itself knows"

// stream is an answer that is not JSON as a whole. It is called once nothing can be refused any more.
type stream func(w http.ResponseWriter, r *http.Request)

// empty is the answer of calls that have nothing to say: {}.
type empty struct{}

// routes is the v2beta1 API as a table, in the order of KFP's own documentation. Custom verbs ("/runs/{run}:archive")
// share a path with their resource because a ServeMux wildcard takes a whole segment.
func (d *door) routes() map[string]methods {
	const api = "/apis/v2beta1"
	return map[string]methods{
		"/": nil,

		"/apis/v1beta1/healthz": {"GET": d.health},
		api + "/healthz":        {"GET": d.health},

		api + "/experiments": {"GET": d.listExperiments, "POST": d.createExperiment},
		api + "/experiments/{experiment}": {
			"GET": d.getExperiment, "DELETE": d.deleteExperiment,
			"POST": verbs("experiment", methods{"archive": d.archiveExperiment(true), "unarchive": d.archiveExperiment(false)}),
		},

		api + "/pipelines":                {"GET": d.listPipelines, "POST": d.createPipeline},
		api + "/pipelines/create":         {"POST": d.createPipelineAndVersion},
		api + "/pipelines/upload":         {"POST": d.uploadPipeline},
		api + "/pipelines/upload_version": {"POST": d.uploadVersion},
		api + "/pipelines/{pipeline}":     {"GET": d.getPipeline, "DELETE": d.deletePipeline, "PATCH": d.updatePipeline},
		// Both "names/{name}" and "{pipeline}/versions": as two patterns they would be ambiguous.
		api + "/pipelines/{pipeline}/{sub}": {
			"GET":  d.pipelineByNameOrVersions,
			"POST": d.createVersion,
		},
		api + "/pipelines/{pipeline}/versions/{version}": {
			"GET": d.getVersion, "DELETE": d.deleteVersion, "PATCH": d.updateVersion,
		},

		api + "/runs": {"GET": d.listRuns, "POST": d.createRun},
		api + "/runs/{run}": {
			"GET": d.getRun, "DELETE": d.deleteRun,
			"POST": verbs("run", methods{
				"archive": d.archiveRun(true), "unarchive": d.archiveRun(false),
				"terminate": d.terminateRun, "retry": d.retryRun,
			}),
		},
		api + "/runs/{run}/nodes/{node}/artifacts/{artifact}":        {"GET": verbs("artifact", methods{"read": d.readArtifact})},
		"/apis/v1beta1/runs/{run}/nodes/{node}/artifacts/{artifact}": {"GET": verbs("artifact", methods{"read": d.readArtifact})},
		"/apis/v1alpha1/runs/{run}/nodes/{node}/log":                 {"GET": d.readLog},

		api + "/recurringruns": {"GET": d.listRecurringRuns, "POST": d.createRecurringRun},
		api + "/recurringruns/{recurring}": {
			"GET": d.getRecurringRun, "DELETE": d.deleteRecurringRun,
			"POST": verbs("recurring", methods{"enable": d.enableRecurringRun(true), "disable": d.enableRecurringRun(false)}),
		},
		api + "/visualizations/{namespace}": {"POST": missing("visualizations, which run Python code of the caller inside the server: " +
			"let a step write an HTML or Markdown artifact, which is shown with its run")},
		api + "/auth":                        {"GET": d.authorize},
		api + "/workflows":                   every(reports, "POST"),
		api + "/workflows/{workflow}":        every(reports, "POST"),
		api + "/scheduledworkflows":          every(reports, "POST"),
		api + "/scheduledworkflows/{report}": every(reports, "POST"),
		api + "/filters":                     every("the filter placeholder call", "GET"),
	}
}

// missing answers for a call that KFP has and this installation has not.
func missing(what string) call {
	return func(*http.Request) (any, error) {
		return nil, fault.Unimplementedf("not implemented by Levada: %s", what)
	}
}

func every(what string, names ...string) methods {
	m := methods{}
	for _, name := range names {
		m[name] = missing(what)
	}
	return m
}

// verbs splits "{id}:{verb}" in the named path value and calls the verb with the id in its place.
func verbs(name string, calls methods) call {
	return func(r *http.Request) (any, error) {
		value := r.PathValue(name)
		at := strings.LastIndexByte(value, ':')
		if at < 0 {
			return nil, notAllowed(r, "GET", "DELETE")
		}
		do, ok := calls[value[at+1:]]
		if !ok {
			return nil, unknownPath(r)
		}
		r.SetPathValue(name, value[:at])
		return do(r)
	}
}

// serve turns calls into a handler: it picks the method, bounds the body, and writes the answer or the error.
func (d *door) serve(calls methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A body over MaxUploadBytes is refused where it is read. Up to this bound it is still read to its end,
		// because a client that is cut off while it sends sees a broken connection instead of the answer.
		r.Body = http.MaxBytesReader(w, r.Body, 4*d.MaxUploadBytes)
		do, ok := calls[r.Method]
		switch {
		case calls == nil:
			do = func(r *http.Request) (any, error) { return nil, unknownPath(r) }
		case !ok:
			allowed := slices.Sorted(maps.Keys(calls))
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			do = func(r *http.Request) (any, error) { return nil, notAllowed(r, allowed...) }
		}
		answer, err := do(r)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		if send, ok := answer.(stream); ok {
			send(w, r)
			return
		}
		d.write(w, r, http.StatusOK, answer)
	})
}

// write encodes the whole answer before the first byte is sent, so that a value that cannot be encoded becomes an error.
func (d *door) write(w http.ResponseWriter, r *http.Request, status int, answer any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		d.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := body.WriteTo(w); err != nil {
		d.Logger.DebugContext(r.Context(), "client went away before the answer", "path", r.URL.Path, "error", err)
	}
}

// read returns the whole body, which may be at most MaxUploadBytes long.
func (d *door) read(body io.Reader, what string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, d.MaxUploadBytes+1))
	if err != nil {
		return nil, unreadable(what, err)
	}
	if int64(len(data)) > d.MaxUploadBytes {
		return nil, tooLarge(what, d.MaxUploadBytes)
	}
	return data, nil
}

func (d *door) health(*http.Request) (any, error) {
	return healthz{TagName: d.Version, MultiUser: false, PipelineStore: "database"}, nil
}
