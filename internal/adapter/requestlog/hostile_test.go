package requestlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
)

// killed gives the journals of a log to another one, as a server that was killed leaves them.
func killed(t *testing.T, l *logger) string {
	t.Helper()
	l.rows(t, reqlog.Query{}) // all is written
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "open"), os.DirFS(filepath.Join(l.dir, "open"))); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheJournalOfARemoteIsNotLostWithTheServer(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	e := simple("r", 1, 2)
	e.Version = "remote-2"
	l.Add(e)
	next := open(t, killed(t, l), 0)
	defer next.Close()
	if got := next.rows(t, reqlog.Query{Version: "remote-2"}); len(got) != 1 || got[0]["output_y"] != 2.0 {
		t.Error(got)
	}
}

func TestAJournalWhoseFileCannotBeWrittenIsKeptAndTheServerStarts(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	l.Add(simple("r", 1, 2))
	dir := killed(t, l)
	blocked := filepath.Join(dir, "log", "e")
	if err := os.MkdirAll(filepath.Dir(blocked), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // where the folder of the endpoint must be
		t.Fatal(err)
	}
	odd := filepath.Join(dir, "open", "not~ours.journal")
	if err := os.WriteFile(odd, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := open(t, dir, 0)
	if got := first.rows(t, reqlog.Query{}); len(got) != 0 {
		t.Error(got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir, 0)
	defer second.Close()
	if got := second.rows(t, reqlog.Query{}); len(got) != 1 {
		t.Error(got)
	}
	if _, err := os.Stat(odd); err != nil {
		t.Error(err)
	}
}

func TestInputsOfManyNamesMakeSeveralFilesAndNotALargeOne(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	defer l.Close()
	long := make([]float64, 10_000)
	for n := range 4 {
		inputs := make([]infer.Tensor, 400)
		for i := range inputs {
			inputs[i] = numbers(fmt.Sprint("a", n, "-", i), 1)
		}
		l.Add(entry(fmt.Sprint("wide", n), noon, endpoint.Log{Sample: 1}, nil, inputs...))
		l.Add(entry(fmt.Sprint("long", n), noon, endpoint.Log{Sample: 1}, nil, numbers("x", long...)))
	}
	if got := l.rows(t, reqlog.Query{}); len(got) != 4*10_001 {
		t.Errorf("%d rows", len(got))
	}
	// 1609 columns of 40,004 rows are sixteen times what a file may have.
	if got := files(t, dir, "log/e/1/*.parquet"); len(got) < 2 {
		t.Error(got)
	}
	for n := range 12 {
		inputs := make([]infer.Tensor, 400)
		for i := range inputs {
			inputs[i] = numbers(fmt.Sprint("b", n, "-", i), 1)
		}
		l.Add(entry("more", noon, endpoint.Log{Sample: 1}, nil, inputs...))
	}
	if _, err := l.Export(t.Context(), reqlog.Query{Endpoint: "e"}, "parquet"); err == nil || !strings.Contains(err.Error(), "at most 4000") {
		t.Error(err)
	}
}

func TestATruthOfWhatWasNeverLoggedIsForgottenInTheEnd(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	defer l.Close()
	l.mu.Lock()
	l.now = noon.Add(-31 * 24 * time.Hour)
	l.mu.Unlock()
	if _, err := l.PutTruth(t.Context(), "e", []reqlog.Truth{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.now = noon
	l.mu.Unlock()
	for limit := time.After(10 * time.Second); ; {
		stored, _, err := l.Truths(t.Context(), "e")
		if err != nil {
			t.Fatal(err)
		}
		if stored == 0 {
			return
		}
		select {
		case <-limit:
			t.Fatal(stored)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestLongIDsOfTruthsAreNotHeldWhole(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	defer l.Close()
	id := strings.Repeat("x", 9_999)
	got, err := l.ReadTruth(t.Context(), strings.NewReader("request_id,actual\n"+id+",1\n"), "csv")
	if err != nil || len(got) != 1 || len(got[0].ID) > 100 {
		t.Fatalf("%d, %v", len(got), err)
	}
	l.Add(simple(id, 1, 1))
	l.rows(t, reqlog.Query{})
	if taken, err := l.PutTruth(t.Context(), "e", got); err != nil || taken.Matched != 1 {
		t.Errorf("%+v, %v", taken, err)
	}
}

func TestRequestsAreLoggedWhileManyTruthsAreTaken(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	defer l.Close()
	truths := make([]reqlog.Truth, 100_000)
	for i := range truths {
		truths[i] = reqlog.Truth{ID: fmt.Sprintf("%032x", i), Actual: reqlog.Value{Number: 1}}
	}
	taken := make(chan reqlog.Taken, 1)
	go func() {
		got, err := l.PutTruth(t.Context(), "e", truths)
		if err != nil {
			t.Error(err)
		}
		taken <- got
	}()
	for begun := int64(0); begun == 0; {
		var err error
		if begun, _, err = l.Truths(t.Context(), "e"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		l.Add(simple(fmt.Sprint("r", i), 1, 1))
	}
	if got := l.rows(t, reqlog.Query{}); len(got) != 10 {
		t.Error(got)
	}
	select {
	case got := <-taken:
		t.Errorf("the requests have waited for all truths: %+v", got)
	default:
		if got := <-taken; got.New != len(truths) {
			t.Errorf("%+v", got)
		}
	}
}

func TestNamesOfInputsAreNotWrittenWhereTheyLookPersonalOrAreLong(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	l.Add(entry("a", noon, endpoint.Log{Sample: 1}, nil, numbers("ada@example.com", 1), numbers(strings.Repeat("n", 2000), 1), numbers("x", 1)))
	if got := l.rows(t, reqlog.Query{}); len(got) != 1 || got[0]["input_x"] != 1.0 {
		t.Error(got)
	}
	f := l.Figures("e")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(f.LeftOut) != 2 {
		t.Errorf("%+v", f.LeftOut)
	}
	for _, pattern := range []string{"*", "log/e/1/*"} {
		for _, path := range files(t, dir, pattern) {
			content, err := os.ReadFile(path)
			if err != nil {
				continue // a folder
			}
			if strings.Contains(string(content), "ada@") || strings.Contains(string(content), strings.Repeat("n", 1000)) {
				t.Errorf("%s has it", path)
			}
		}
	}
}
