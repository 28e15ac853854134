package store

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/change"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

// told collects what it is told.
type told struct {
	mu   sync.Mutex
	sets []change.Set
}

func (*told) Listening() bool { return true }

func (c *told) Publish(s *change.Set) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sets = append(c.sets, *s)
}

// take returns what was told since the last call.
func (c *told) take() []change.Notice {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all change.Set
	for _, s := range c.sets {
		all.Merge(&s, func(change.Topic) bool { return true })
	}
	c.sets = nil
	return all.Notices()
}

func TestEveryTableHasItsTopics(t *testing.T) {
	s := openForTest(t)
	rows, err := s.read.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if _, known := topicsOf[name]; !known {
			t.Errorf("table %s is not in topicsOf: say which topics show it, or that none does", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAStatementIsOfOneRunWhereItsFirstArgumentIsThat(t *testing.T) {
	for query, want := range map[string]effect{
		`SELECT 1 FROM runs`:                                                         {},
		`UPDATE runs SET state = $2 WHERE id = $1`:                                   {topicsOf["runs"], change.Runs},
		`UPDATE runs SET experiment_id = $2 WHERE experiment_id = $1`:                {topicsOf["runs"], ""},
		"\n\t\tINSERT INTO tracking_tags (run_id, key)\n\t\tVALUES (?, ?), (?, ?)":   {topicsOf["tracking_tags"], change.TrackedRuns},
		`UPDATE tracking_runs SET deleted_at = $2 WHERE id = $1 OR id IN (SELECT 1)`: {topicsOf["tracking_runs"], ""},
		`DELETE FROM experiments WHERE id = $1`:                                      {topicsOf["experiments"], ""},
		`DELETE FROM events WHERE run_id = $1`:                                       {},
	} {
		if diff := cmp.Diff(want, effectOf(query), cmp.AllowUnexported(effect{})); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

func TestCommitsTellWhatTheyChanged(t *testing.T) {
	c := &told{}
	s := openWith(t, Options{Changes: c})
	ctx := t.Context()
	c.take()
	r := benchRun(1)
	r.State = run.Running
	if err := s.CreateRun(ctx, r, nil, nil); err != nil {
		t.Fatal(err)
	}
	runAnd := func(more ...change.Notice) []change.Notice {
		return append([]change.Notice{{Topic: change.Runs, IDs: []string{r.ID}}}, more...)
	}
	tracked := change.Notice{Topic: change.TrackedRuns, IDs: []string{r.ID}}
	if diff := cmp.Diff(runAnd(tracked, change.Notice{Topic: change.System}), c.take()); diff != "" {
		t.Errorf("a new run: %s", diff)
	}
	events := []run.Event{{Seq: 1, At: time.Now(), Type: "x", Body: []byte("{}")}}
	if err := s.Append(ctx, r.ID, events, run.Changes{Run: &r}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runAnd(), c.take()); diff != "" {
		t.Errorf("progress: %s", diff)
	}
	if err := s.Append(ctx, r.ID, events, run.Changes{Run: &r}); err == nil {
		t.Fatal("the same events are stored twice")
	}
	if got := c.take(); len(got) > 0 {
		t.Errorf("a write that failed tells of %v", got)
	}
	if err := s.Tracking().LogData(ctx, r.ID, []track.KV{{Key: "lr", Value: "1"}}, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]change.Notice{tracked}, c.take()); diff != "" {
		t.Errorf("a parameter: %s", diff)
	}
}
