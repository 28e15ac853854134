package telemetry

import (
	"net/http"
	"strconv"
	"time"
)

// Requests measures what next answers. Only the methods and doors of the table become labels, so a client cannot make new series.
func (m *Metrics) Requests(door string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		answer := &answer{ResponseWriter: w, code: http.StatusOK}
		defer func() {
			m.requests.WithLabelValues(door, method(r.Method), strconv.Itoa(answer.code)).Observe(time.Since(began).Seconds())
		}()
		next.ServeHTTP(answer, r)
	})
}

func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return name
	}
	return "other"
}

// answer remembers the status. Unwrap lets http.ResponseController reach the writer below, for streams.
type answer struct {
	http.ResponseWriter
	code  int
	wrote bool
}

// Unwrap returns the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader remembers the first status.
func (a *answer) WriteHeader(code int) {
	if !a.wrote && code >= 200 {
		a.code, a.wrote = code, true
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write sends content, with status 200 when none was set.
func (a *answer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.ResponseWriter.Write(b)
}
