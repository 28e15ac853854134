package invocations

import (
	"encoding/json"
	"net/http"
	"strings"

	"levada/internal/api/predict"
	"levada/internal/core/fault"
)

// listPath is where mlflow.deployments looks for endpoints: all of them there, and one below it.
const listPath = "/api/2.0/serving-endpoints"

// ownsListing reports whether a path is one of these.
func ownsListing(path string) bool {
	return path == listPath || strings.HasPrefix(path, listPath+"/")
}

// listed is an endpoint as mlflow.deployments is told of it.
type listed struct {
	Name  string `json:"name"`
	State struct {
		// Ready is READY, or NOT_READY.
		Ready string `json:"ready"`
	} `json:"state"`
}

// list answers where there are endpoints, and whether they answer.
func (d *door) list(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		d.write(w, http.StatusMethodNotAllowed, failure("BAD_REQUEST", "endpoints are made and changed with \"levada deploy\" or /api/v1/endpoints, not here"))
		return
	}
	names, err := d.Service.Endpoints(r.Context())
	if err != nil {
		d.fail(w, r, err)
		return
	}
	wanted := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, listPath), "/")
	all := []listed{}
	for _, name := range names {
		if wanted == "" || wanted == name {
			all = append(all, describe(r, d.Service, name))
		}
	}
	var answer any = map[string]any{"endpoints": all}
	if wanted != "" {
		if len(all) == 0 {
			d.fail(w, r, fault.NotFoundf("there is no endpoint %q", fault.Shorten(wanted, 100)))
			return
		}
		answer = all[0]
	}
	text, err := json.Marshal(answer)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.write(w, http.StatusOK, text)
}

func describe(r *http.Request, s predict.Service, name string) listed {
	out := listed{Name: name}
	out.State.Ready = "READY"
	if s.Ready(r.Context(), name, "") != nil {
		out.State.Ready = "NOT_READY"
	}
	return out
}
