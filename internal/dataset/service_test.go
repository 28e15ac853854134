package dataset_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
	"levada/internal/dataset"
)

// shelf is a store, the artifacts and their content, in memory.
type shelf struct {
	mu        sync.Mutex
	signal    chan struct{}
	queue     []string // the newest last
	artifacts map[string]run.Artifact
	content   map[string]string
	profiles  map[string]observe.Profile
	reports   []observe.Stored
	failing   error
}

func newShelf() *shelf {
	return &shelf{signal: make(chan struct{}, 1), artifacts: map[string]run.Artifact{}, content: map[string]string{}, profiles: map[string]observe.Profile{}}
}

// make stores an artifact, as the end of a task does.
func (s *shelf) make(id, title, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := run.Artifact{ID: id, Name: id, SchemaTitle: title, Digest: fmt.Sprintf("sha256:%x", content), Size: int64(len(content)), RunID: "r", TaskID: "t", TaskName: "check"}
	s.artifacts[id], s.content[a.Digest] = a, content
	s.queue = append(s.queue, id)
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

func (s *shelf) UnseenSignal() <-chan struct{} { return s.signal }

func (s *shelf) Unseen(_ context.Context, subject observe.Subject, limit int) ([]run.Artifact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []run.Artifact
	for _, id := range slices.Backward(s.queue) {
		if a := s.artifacts[id]; observe.SubjectOf(a) == subject && len(out) < limit {
			out = append(out, a)
		}
	}
	return out, s.failing
}

func (s *shelf) Waiting(ctx context.Context, subject observe.Subject) (int, error) {
	list, err := s.Unseen(ctx, subject, 1000)
	return len(list), err
}

func (s *shelf) Queued(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.queue, id), nil
}

func (s *shelf) Queue(_ context.Context, id, digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.profiles, digest)
	s.queue = append(slices.DeleteFunc(s.queue, func(other string) bool { return other == id }), id)
	s.signal <- struct{}{}
	return nil
}

func (s *shelf) Renew(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(slices.DeleteFunc(s.queue, func(other string) bool { return other == id }), id)
	s.signal <- struct{}{}
	return nil
}

func (s *shelf) Seen(_ context.Context, ids []string, p *observe.Profile, r *observe.Stored) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p != nil {
		s.profiles[p.Digest] = *p
	}
	if r != nil {
		s.reports = append(s.reports, *r)
	}
	s.queue = slices.DeleteFunc(s.queue, func(id string) bool { return slices.Contains(ids, id) })
	return nil
}

func (s *shelf) Profile(_ context.Context, digest string) (observe.Profile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.profiles[digest]
	if !ok {
		return p, fault.NotFoundf("there is none")
	}
	return p, nil
}

func (s *shelf) DropProfiles(context.Context) error { return nil }

func (s *shelf) Reports(_ context.Context, kind observe.Kind, _, _ string, limit int) ([]observe.Stored, error) {
	return s.NewestReports(context.Background(), kind, limit)
}

func (s *shelf) NewestReports(_ context.Context, kind observe.Kind, limit int) ([]observe.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []observe.Stored
	for _, r := range s.reports {
		if r.Kind == kind && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *shelf) GetArtifact(_ context.Context, id string) (run.Artifact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.artifacts[id]
	if !ok {
		return a, fault.NotFoundf("artifact %q does not exist", id)
	}
	return a, nil
}

func (s *shelf) Versions(context.Context, run.Artifact, int) ([]observe.Version, error) {
	return nil, nil
}

func (s *shelf) Locate(_ context.Context, digest string) ([]observe.File, error) {
	return []observe.File{{Path: "/blobs/" + digest}}, nil
}

func (s *shelf) Open(_ context.Context, digest, _ string) (io.ReadSeekCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.content[digest]
	if !ok {
		return nil, fault.NotFoundf("content %s is not stored here", digest)
	}
	return closing{bytes.NewReader([]byte(text))}, nil
}

type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

// readers answer for tables. What a table holds says what happens.
type readers struct {
	shelf *shelf
	mu    sync.Mutex
	read  []string
	busy  int
}

func (r *readers) Profile(ctx context.Context, c observe.Content) (json.RawMessage, error) {
	digest := strings.TrimPrefix(c.Files[0].Path, "/blobs/")
	r.shelf.mu.Lock()
	text := r.shelf.content[digest]
	r.shelf.mu.Unlock()
	r.mu.Lock()
	r.read = append(r.read, text)
	if r.busy++; r.busy > 1 {
		r.mu.Unlock()
		return nil, errors.New("two tables are read at once")
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.busy--
		r.mu.Unlock()
	}()
	switch text {
	case "broken":
		return nil, fault.Invalidf("read table %q: the file is damaged", c.Name)
	case "deadly":
		return nil, fault.Unavailablef("read the table: the process has ended")
	case "endless":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return json.Marshal(dataset.Profile{Figures: profile.Figures, Rows: int64(len(text)), Columns: []profile.Column{{Name: "a", Type: "text", Count: int64(len(text)), Distinct: 1}}})
}

func (r *readers) Rows(_ context.Context, was, is observe.Content, key []string) (json.RawMessage, error) {
	return json.Marshal(dataset.Rows{Key: key, Same: 1, Changed: int64(len(was.Files) + len(is.Files))})
}

func (r *readers) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.read)
}

func service(t *testing.T, s *shelf, change func(*dataset.Options)) (*dataset.Service, *readers) {
	t.Helper()
	r := &readers{shelf: s}
	o := dataset.Options{Store: s, Artifacts: s, Blobs: s, Tables: r, Now: time.Now, MostBytes: 100}
	if change != nil {
		change(&o)
	}
	svc := dataset.Open(o)
	t.Cleanup(svc.Close)
	return svc, r
}

func known(t *testing.T, s *dataset.Service, id string) dataset.Known {
	t.Helper()
	k, err := s.Known(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEqualContentIsProfiledOnceAndTheNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.make("old", "system.Dataset", "x")
		s.make("same", "system.Dataset", "xyz")
		s.make("new", "system.Dataset", "xyz")
		svc, r := service(t, s, nil)
		synctest.Wait()
		if diff := cmp.Diff([]string{"xyz", "x"}, r.seen()); diff != "" {
			t.Error(diff)
		}
		for id, rows := range map[string]int64{"old": 1, "same": 3, "new": 3} {
			if k := known(t, svc, id); k.State != observe.Ready || k.Table.Rows != rows {
				t.Errorf("%s: %s with %d rows, want %d", id, k.State, k.Table.Rows, rows)
			}
		}
		s.make("later", "system.Dataset", "ab")
		time.Sleep(time.Second)
		synctest.Wait()
		if k := known(t, svc, "later"); k.State != observe.Ready {
			t.Errorf("what came later: %s", k.State)
		}
		if len(s.queue) != 0 {
			t.Errorf("%v still wait", s.queue)
		}
	})
}

func TestWhatCannotBeReadIsNotedAndNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.make("large", "system.Dataset", strings.Repeat("x", 101))
		s.make("endless", "system.Dataset", "endless")
		s.make("deadly", "system.Dataset", "deadly")
		s.make("broken", "system.Dataset", "broken")
		svc, r := service(t, s, nil)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		for id, reason := range map[string]string{"broken": "the file is damaged", "deadly": "the process has ended", "endless": "longer than 24h", "large": "profile_size"} {
			if k := known(t, svc, id); k.State != observe.Failed || !strings.Contains(k.Reason, reason) {
				t.Errorf("%s: %s %q, want %q", id, k.State, k.Reason, reason)
			}
		}
		if diff := cmp.Diff([]string{"broken", "deadly", "deadly", "deadly", "endless"}, r.seen()); diff != "" {
			t.Error(diff)
		}
		// Somebody asks for it again.
		if err := svc.Request(t.Context(), "broken"); err != nil {
			t.Fatal(err)
		}
		if k := known(t, svc, "broken"); k.State != observe.Waiting {
			t.Errorf("%s, want WAITING", k.State)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.seen(); len(got) != 6 {
			t.Errorf("read %v", got)
		}
	})
}

func TestATableWaitsForAQuietMachineButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		var mu sync.Mutex
		quiet := false
		svc, r := service(t, s, func(o *dataset.Options) {
			o.Quiet = func() bool { mu.Lock(); defer mu.Unlock(); return quiet }
		})
		s.make("a", "system.Dataset", "a")
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if got := r.seen(); len(got) != 0 {
			t.Errorf("%v were read while steps ran", got)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if k := known(t, svc, "a"); k.State != observe.Ready {
			t.Errorf("after a minute: %s", k.State)
		}
		s.make("b", "system.Dataset", "b")
		time.Sleep(10 * time.Second)
		mu.Lock()
		quiet = true
		mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if k := known(t, svc, "b"); k.State != observe.Ready {
			t.Errorf("when it was quiet: %s", k.State)
		}
	})
}

func TestClosingLeavesWhatIsBeingReadToTheNextProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.make("endless", "system.Dataset", "endless")
		svc, _ := service(t, s, nil)
		time.Sleep(time.Minute)
		svc.Close()
		if len(s.queue) != 1 || len(s.profiles) != 0 {
			t.Errorf("queue %v, profiles %v", s.queue, s.profiles)
		}
	})
}

func TestAProfileOfAnOlderVersionIsShownAndMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.make("a", "system.Dataset", "abc")
		svc, r := service(t, s, nil)
		synctest.Wait()
		digest := s.artifacts["a"].Digest
		old := s.profiles[digest]
		old.Table = json.RawMessage(`{"rows": 2, "columns": [{"name": "a", "type": "text", "count": 2, "nulls": 0, "distinct": 1}]}`)
		s.mu.Lock()
		s.profiles[digest] = old
		s.mu.Unlock()
		if k := known(t, svc, "a"); k.State != observe.Ready || !k.Outdated || k.Table.Rows != 2 {
			t.Errorf("%s, outdated %v, %d rows", k.State, k.Outdated, k.Table.Rows)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if k := known(t, svc, "a"); k.State != observe.Ready || k.Outdated || k.Table.Rows != 3 {
			t.Errorf("later: %s, outdated %v, %d rows", k.State, k.Outdated, k.Table.Rows)
		}
		if diff := cmp.Diff([]string{"abc", "abc"}, r.seen()); diff != "" {
			t.Error(diff)
		}
	})
}

const driftReport = `{"reference_rows": 10, "current_rows": 10, "dataset_drift": true, "drifted_columns": 1, "compared_columns": 1, "share_of_drifted_columns": 1,
	"columns": [{"name": "a", "method": "ks", "method_label": "K-S", "score": 0.01, "drifted": true}]}`

func TestReportsAreNotedAndOtherFilesAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.failing = errors.New("the disk is slow")
		svc, _ := service(t, s, nil)
		s.make("drift", "system.Artifact", driftReport)
		s.make("check", "system.Artifact", `{"success": true, "rows": 3, "passed": 1, "failed": 0, "results": [{}]}`)
		s.make("other", "system.Artifact", `{"success": true}`)
		s.make("short", "system.Artifact", "x")
		time.Sleep(10 * time.Second)
		s.mu.Lock()
		s.failing = nil
		s.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		list, err := svc.Measured(t.Context())
		if err != nil || len(list) != 2 || list[0].ArtifactID != "drift" || list[0].Passed || list[1].ArtifactID != "check" || !list[1].Passed {
			t.Errorf("%+v %v", list, err)
		}
		if len(s.queue) != 0 {
			t.Errorf("%v still wait", s.queue)
		}
		if k := known(t, svc, "other"); k.State != observe.None {
			t.Errorf("a file is %s", k.State)
		}
		h, err := svc.DriftHistory(t.Context(), "p", "check", 10, 10)
		if err != nil || len(h.Columns) != 1 || h.Columns[0].Drifted != 1 {
			t.Errorf("%+v %v", h, err)
		}
	})
}

func TestWhatWasMisreadOfEitherTableIsPartOfTheirComparison(t *testing.T) {
	column := []profile.Column{{Name: "a", Type: "text"}}
	was := dataset.Profile{Columns: column, Findings: []table.Finding{{What: "ragged", Count: 2, Row: 1}}}
	is := dataset.Profile{Columns: column, Findings: []table.Finding{{Column: "a", What: "mixed", Row: -1}}}
	c, err := dataset.CompareProfiles(was, is)
	if err != nil || !c.Same() {
		t.Errorf("%+v %v", c, err)
	}
	if diff := cmp.Diff([2][]table.Finding{was.Findings, is.Findings}, [2][]table.Finding{c.WasFindings, c.IsFindings}); diff != "" {
		t.Error(diff)
	}
}

func TestArtifactsAreComparedByTheirProfilesAndRowsByAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.make("was", "system.Dataset", "ab")
		s.make("is", "system.Dataset", "abc")
		s.make("broken", "system.Dataset", "broken")
		s.make("file", "system.Artifact", "hello there")
		svc, _ := service(t, s, nil)
		synctest.Wait()
		d, err := svc.Difference(t.Context(), "was", "is", nil)
		if err != nil || d.Comparison.Rows != [2]int64{2, 3} || d.Was.ID != "was" || d.Is.ID != "is" || d.ByKey != nil {
			t.Errorf("%+v %v", d, err)
		}
		d, err = svc.Difference(t.Context(), "was", "is", []string{"a"})
		if err != nil || d.ByKey == nil || d.ByKey.Changed != 2 {
			t.Errorf("%+v %v", d, err)
		}
		for id, text := range map[string]string{"broken": "the file is damaged", "file": "ask for it first", "nothing": "does not exist"} {
			if _, err := svc.Difference(t.Context(), id, "is", nil); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}
