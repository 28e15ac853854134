package v1_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	v1 "levada/internal/api/v1"
	"levada/internal/core/track"
	"levada/internal/registry"
	"levada/internal/tracking"
)

// Both note what they are asked for.
type (
	fakeTracking struct {
		v1.Tracking
		query *tracking.TableQuery
	}
	fakeRegistry struct {
		v1.Registry
		query *registry.Query
	}
)

func (f *fakeTracking) Experiment(_ context.Context, id string) (track.Experiment, error) {
	return track.Experiment{ID: id}, nil
}

func (f *fakeTracking) FieldsOf(context.Context, string) (tracking.Fields, error) {
	return tracking.Fields{}, nil
}

func (f *fakeTracking) RunTable(_ context.Context, q tracking.TableQuery) ([]tracking.TableRow, int, error) {
	f.query = &q
	return nil, 0, nil
}

func (f *fakeRegistry) SearchModels(_ context.Context, q registry.Query) ([]registry.Model, bool, error) {
	f.query = &q
	return nil, false, nil
}

func TestAPageTokenThatNoListGaveIsRefused(t *testing.T) {
	for token, want := range map[string]int{"": 200, "0": 200, "40": 200, "1099511627776": 200, "1099511627777": 400, "4611686018427387904": 400,
		"9223372036854775807": 400, "9223372036854775808": 400, "-1": 400, "x": 400} {
		tracked, models := &fakeTracking{}, &fakeRegistry{}
		h := v1.NewHandler(v1.Options{Service: &fake{}, Tracking: tracked, Registry: models, Log: slog.New(slog.DiscardHandler)})
		for _, target := range []string{"/api/v1/experiments/0/tracked-runs?order_by=start_time+DESC&page_token=", "/api/v1/models?page_token="} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target+token, nil))
			if w.Code != want {
				t.Errorf("%s%s: status %d %s; want %d", target, token, w.Code, w.Body, want)
			}
		}
		if asked := tracked.query != nil && models.query != nil; asked != (want == 200) {
			t.Errorf("token %q: the services were asked for %v, %v", token, tracked.query, models.query)
		}
	}
}
