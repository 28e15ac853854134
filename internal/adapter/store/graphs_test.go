package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
)

func TestGraphsAreKeptWithTheirHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	s, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMicro(1_000_000).UTC()
	spec := infergraph.Spec{Nodes: map[string]infergraph.Node{"root": {Router: infergraph.Sequence, Steps: []infergraph.Step{{Endpoint: "e"}}}}}
	event := func(kind endpoint.EventKind) endpoint.Event {
		return endpoint.Event{Endpoint: "g", At: at, Kind: kind, Message: "because"}
	}
	first := infergraph.Graph{Name: "g", Spec: spec, Generation: 1, CreatedAt: at, UpdatedAt: at}
	second := first
	second.Active, second.Following, second.UpdatedAt = &spec, 1, at.Add(time.Second)
	for _, g := range []infergraph.Graph{first, second} {
		if err := s.PutGraph(t.Context(), g, event(endpoint.Updated)); err != nil {
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
	if got, err := s.Graphs(t.Context()); err != nil || !cmp.Equal(got, []infergraph.Graph{second}) {
		t.Errorf("%v %s", err, cmp.Diff(got, []infergraph.Graph{second}))
	}
	if err := s.DeleteGraph(t.Context(), "g", event(endpoint.Deleted)); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteGraph(t.Context(), "g", event(endpoint.Deleted)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if events, err := s.EndpointEvents(t.Context(), "g", 0, 10); err != nil || len(events) != 3 || events[0].Kind != endpoint.Deleted {
		t.Errorf("%v %+v", err, events)
	}
}
