package kfp

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// readArtifact answers with the content of a file as base64 inside JSON, sent as it is read: an artifact may be larger than the memory.
// A node is a task, by its id in run_details, its path or its name; an artifact is named by the output that gave it.
func (d *door) readArtifact(r *http.Request) (any, error) {
	t, err := d.Service.GetTask(r.Context(), r.PathValue("run"), r.PathValue("node"))
	if err != nil {
		return nil, err
	}
	a, err := outputArtifact(t, r.PathValue("artifact"))
	if err != nil {
		return nil, err
	}
	f, err := d.Service.OpenArtifact(r.Context(), a.ID, "")
	if err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter, r *http.Request) {
		defer f.Close()
		head(w, "application/json")
		_, err := io.WriteString(w, `{"data":"`)
		if err == nil {
			encoder := base64.NewEncoder(base64.StdEncoding, w)
			if _, err = io.Copy(encoder, f); err == nil {
				err = encoder.Close()
			}
		}
		if err == nil {
			_, err = io.WriteString(w, `"}`)
		}
		if err != nil {
			d.breakOff(r, err)
		}
	}), nil
}

func outputArtifact(t run.Task, name string) (run.Artifact, error) {
	list := t.Outputs.Artifacts[name]
	if len(list) == 0 {
		names := slices.Sorted(maps.Keys(t.Outputs.Artifacts))
		return run.Artifact{}, fault.NotFoundf("task %s has no output artifact %q; it has: %s", t.Path, shorten(name), orNone(names))
	}
	if strings.HasPrefix(list[0].Digest, "dir-") {
		return run.Artifact{}, fault.Invalidf("artifact %q of task %s is a directory, and this call reads files: "+
			"read it from /api/v1/artifacts/%s/content", name, t.Path, list[0].ID)
	}
	return list[0], nil
}

// readLog sends what a task printed as plain text; with follow=true until the task has ended.
func (d *door) readLog(r *http.Request) (any, error) {
	runID, node, follow := r.PathValue("run"), r.PathValue("node"), r.URL.Query().Get("follow") == "true"
	t, err := d.Service.GetTask(r.Context(), runID, node)
	if err != nil {
		return nil, err
	}
	return stream(func(w http.ResponseWriter, r *http.Request) {
		head(w, "text/plain; charset=utf-8")
		out := http.NewResponseController(w)
		err := d.Service.Logs(r.Context(), runID, t.ID, 0, follow, func(l run.LogLine) error {
			if _, err := fmt.Fprintln(w, l.Text); err != nil || !follow {
				return err
			}
			return out.Flush()
		})
		if err != nil {
			d.breakOff(r, err)
		}
	}), nil
}

func head(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache, private")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
}

// breakOff ends an answer whose status has been sent, so that the client does not take it for whole.
func (d *door) breakOff(r *http.Request, err error) {
	if r.Context().Err() == nil {
		d.Logger.ErrorContext(r.Context(), "KFP answer broken off", "path", shorten(r.URL.Path), "error", err)
	}
	panic(http.ErrAbortHandler)
}

// authorize is asked by components that want to know whether the user of a request may see a namespace. There is one user, who may.
func (d *door) authorize(r *http.Request) (any, error) {
	query := r.URL.Query()
	for name, words := range map[string][]string{
		"resources": {"", "UNASSIGNED_RESOURCES", "VIEWERS", "0", "1"},
		"verb":      {"", "UNASSIGNED_VERB", "CREATE", "GET", "DELETE", "0", "1", "2", "3"},
	} {
		if !slices.Contains(words, query.Get(name)) {
			return nil, fault.Invalidf("%s: unknown value %q", name, shorten(query.Get(name)))
		}
	}
	return empty{}, nil
}
