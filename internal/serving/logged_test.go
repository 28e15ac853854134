package serving_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
	"levada/internal/core/table"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// entries is a log that keeps what it gets.
type entries struct {
	serving.RequestLog
	mu  sync.Mutex
	got []reqlog.Entry
}

func (e *entries) Add(x reqlog.Entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, x)
}

func (e *entries) all() []reqlog.Entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

func TestASampleOfRequestsIsLoggedAndAllHaveIDs(t *testing.T) {
	log := &entries{}
	b := open(t, &models{}, nil, func(o *serving.Options) { o.Log = log })
	plan := traffic.All("1")
	plan.Shadows = []traffic.Shadow{{Version: "2", Percent: 100}}
	b.put(plan, endpoint.Settings{Log: &endpoint.Log{Sample: 0.3, Drop: []string{"x"}}}, "1", "2")
	b.await(func(s serving.Status) bool {
		return s.State == serving.StateReady && s.Versions[1].State == endpoint.Ready
	})
	const many = 1000
	seen := map[string]bool{}
	for i := range many {
		r := request(float64(i))
		if i%2 == 0 {
			r.ID = fmt.Sprint("mine-", i)
		}
		resp, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Request: r})
		if err != nil {
			t.Fatal(err)
		}
		if resp.ID == "" || seen[resp.ID] || r.ID != "" && resp.ID != r.ID {
			t.Fatalf("request %q has an answer %q", r.ID, resp.ID)
		}
		seen[resp.ID] = true
	}
	b.await(func(serving.Status) bool {
		return slices.ContainsFunc(log.all(), func(e reqlog.Entry) bool { return e.Role == reqlog.Shadow })
	})
	served := map[string]reqlog.Entry{}
	for _, e := range log.all() {
		if e.Role == reqlog.Served {
			served[e.ID] = e
			continue
		}
		if e.Version != "2" || e.Outputs == nil {
			t.Errorf("%+v", e)
		}
	}
	if n := len(served); n < 200 || n > 400 {
		t.Errorf("%d of %d requests are logged", n, many)
	}
	for id, e := range served {
		if !seen[id] || e.Version != "1" || e.Endpoint != "e" || e.Outcome != endpoint.OK || len(e.Outputs) == 0 || e.Log.Drop[0] != "x" {
			t.Fatalf("%+v", e)
		}
	}
	for _, e := range log.all() {
		if _, ok := served[e.ID]; !ok {
			t.Errorf("the copy of %s is logged, and the request is not", e.ID)
		}
	}
}

// lookups are tables by the id of their artifact, which is their content too.
type lookups map[string]table.Memory

func (l lookups) Digest(_ context.Context, id string) (string, error) {
	if _, ok := l[id]; !ok && id != "broken" {
		return "", fault.NotFoundf("no artifact %s", id)
	}
	return id, nil
}

func (l lookups) OpenTable(_ context.Context, digest string) (table.Source, error) {
	if m, ok := l[digest]; ok {
		return m, nil
	}
	return nil, fault.Invalidf("it is no table")
}

func users(values ...float64) table.Memory {
	var keys, cells []table.Cell
	for i, v := range values {
		keys, cells = append(keys, table.Cell{Kind: table.Integer, Int: int64(i)}), append(cells, table.Cell{Kind: table.Number, Float: v})
	}
	return table.Memory{Names: []table.Column{{Name: "user"}, {Name: "age"}}, Vectors: []table.Vector{table.VectorOf(keys), table.VectorOf(cells)}}
}

func TestATableIsChangedWithoutAFailedRequest(t *testing.T) {
	b := open(t, &models{}, nil, func(o *serving.Options) { o.Tables = lookups{"one": users(1, 2), "two": users(1, 2, 3)} })
	with := func(id string) endpoint.Settings {
		return endpoint.Settings{Lookup: &endpoint.Lookup{Artifact: id, Key: []string{"user"}}}
	}
	ready := func(s serving.Status) bool { return s.State == serving.StateReady && s.Trouble == "" }
	b.put(traffic.All("1"), with("one"), "1")
	b.await(ready)
	ask := func(user float64) (string, error) {
		got, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Request: &infer.Request{Inputs: []infer.Tensor{tensor("user", user)}}})
		if err != nil {
			return "", err
		}
		return string(got.Outputs[1].Data[4:]), nil
	}
	if v, err := ask(1); v != "2" || err != nil {
		t.Fatal(v, err)
	}
	if _, err := ask(2); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `user is "2"`) {
		t.Error(err)
	}
	// One that cannot be loaded leaves what is there.
	put := func(id string) error {
		_, err := b.Put(t.Context(), "e", endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1"), Settings: with(id)})
		return err
	}
	if err := put("broken"); err != nil {
		t.Fatal(err)
	}
	s := b.await(func(s serving.Status) bool { return s.Trouble != "" })
	if !strings.Contains(s.Trouble, "the lookup table (artifact broken) could not be loaded: it is no table") {
		t.Error(s.Trouble)
	}
	if v, err := ask(1); v != "2" || err != nil {
		t.Error(v, err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := ask(0); err != nil {
				t.Error(err)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	if err := put("two"); err != nil {
		t.Error(err)
	}
	b.await(func(s serving.Status) bool {
		v, err := ask(2)
		return ready(s) && v == "3" && err == nil
	})
	close(stop)
	<-done
	if err := put("nothing"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

// once are tables that cannot be opened the first time.
type once struct {
	lookups
	tried atomic.Bool
}

func (o *once) OpenTable(ctx context.Context, digest string) (table.Source, error) {
	if !o.tried.Swap(true) {
		return nil, fault.Unavailablef("the disk is away")
	}
	return o.lookups.OpenTable(ctx, digest)
}

func TestATableThatCouldNotBeLoadedIsLoadedWithTheNextDeployment(t *testing.T) {
	tables := lookups{"one": users(1, 2)}
	settings := endpoint.Settings{Lookup: &endpoint.Lookup{Artifact: "one", Key: []string{"user"}}}
	first := open(t, &models{}, nil, func(o *serving.Options) { o.Tables = tables })
	first.put(traffic.All("1"), settings, "1")
	// The next server follows what is stored, and cannot read the table.
	next := open(t, &models{}, first.store, func(o *serving.Options) { o.Tables = &once{lookups: tables} })
	ask := func() error {
		_, err := next.Infer(t.Context(), serving.Call{Endpoint: "e", Request: &infer.Request{Inputs: []infer.Tensor{tensor("user", 1)}}})
		return err
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "the disk is away") {
		t.Fatal(err)
	}
	next.put(traffic.All("1"), settings, "1")
	next.await(func(serving.Status) bool { return ask() == nil })
}
