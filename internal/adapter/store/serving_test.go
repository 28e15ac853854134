package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/traffic"
)

func TestEndpointsAreKeptWithTheirVersionsAndHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	s, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMicro(1_000_000).UTC()
	spec := endpoint.Spec{Model: "m", Versions: []string{"1", "2"}, Traffic: traffic.All("1"), Settings: endpoint.Settings{Workers: 2}}
	e := endpoint.Endpoint{Name: "e", Spec: spec, Active: &spec, Generation: 1, CreatedAt: at, UpdatedAt: at}
	deployed := func(version, digest string) endpoint.Deployed {
		return endpoint.Deployed{Endpoint: "e", Model: "m", Version: version, Files: []model.File{{Path: "MLmodel", Size: 1, Digest: digest}}, At: at}
	}
	one, two := deployed("1", "sha256:a"), deployed("2", "sha256:b")
	event := func(kind endpoint.EventKind) endpoint.Event {
		return endpoint.Event{Endpoint: "e", At: at, Kind: kind, Message: "because", Data: map[string]any{"generation": 1.0}}
	}
	if err := s.PutEndpoint(t.Context(), e, []endpoint.Deployed{one, two}, []endpoint.Event{event(endpoint.Created)}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutEndpoint(t.Context(), e, []endpoint.Deployed{two}, nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.AppendEndpointEvent(t.Context(), event(endpoint.WorkerLost)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Endpoints(t.Context()); err != nil || !cmp.Equal(got, []endpoint.Endpoint{e}) {
		t.Errorf("%v %s", err, cmp.Diff(got, []endpoint.Endpoint{e}))
	}
	if got, err := s.DeployedVersions(t.Context()); err != nil || !cmp.Equal(got, []endpoint.Deployed{two}) {
		t.Errorf("%v %v", got, err)
	}
	var needed []string
	if err := s.DeployedDigests(t.Context(), func(digest string) error { needed = append(needed, digest); return nil }); err != nil || !cmp.Equal(needed, []string{"sha256:b"}) {
		t.Errorf("%v %v", needed, err)
	}
	events, err := s.EndpointEvents(t.Context(), "e", 0, 2)
	if err != nil || len(events) != 2 || events[0].ID <= events[1].ID {
		t.Fatalf("%v %v", events, err)
	}
	rest, err := s.EndpointEvents(t.Context(), "e", events[1].ID, 10)
	if err != nil || len(rest) != 2 || rest[1].Kind != endpoint.Created || rest[1].Data["generation"] != 1.0 {
		t.Errorf("%v %v", rest, err)
	}
	if err := s.DeleteEndpoint(t.Context(), "e", event(endpoint.Deleted)); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteEndpoint(t.Context(), "e", event(endpoint.Deleted)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	left, err := s.DeployedVersions(t.Context())
	if history, err2 := s.EndpointEvents(t.Context(), "e", 0, 10); err != nil || err2 != nil || len(left) != 0 || len(history) != 5 || history[0].Kind != endpoint.Deleted {
		t.Errorf("%v %v %v %v", left, history, err, err2)
	}
}
