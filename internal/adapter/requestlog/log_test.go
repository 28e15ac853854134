package requestlog_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"levada/internal/adapter/requestlog"
	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// logger is a log with what it told.
type logger struct {
	*requestlog.Log
	dir     string
	mu      sync.Mutex
	now     time.Time
	matches []reqlog.Match
	left    []reqlog.LeftOut
	keep    endpoint.Log
}

func open(t *testing.T, dir string, size int64) *logger {
	t.Helper()
	l := &logger{dir: dir, now: noon}
	var err error
	l.Log, err = requestlog.Open(t.Context(), requestlog.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), JournalBytes: size, Now: func() time.Time {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now = l.now.Add(time.Millisecond)
		return l.now
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.Start(requestlog.Hooks{
		Matched:  func(m []reqlog.Match) { l.mu.Lock(); defer l.mu.Unlock(); l.matches = append(l.matches, m...) },
		LeftOut:  func(_ string, o reqlog.LeftOut) { l.mu.Lock(); defer l.mu.Unlock(); l.left = append(l.left, o) },
		Settings: func(string) endpoint.Log { return l.keep },
	})
	return l
}

func numbers(name string, values ...float64) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.FP64, Shape: []int64{int64(len(values))}}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
	}
	return t
}

func texts(name string, values ...string) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.Bytes, Shape: []int64{int64(len(values))}}
	for _, v := range values {
		t.Data = infer.AppendBytes(t.Data, []byte(v))
	}
	return t
}

func entry(id string, at time.Time, log endpoint.Log, outputs []infer.Tensor, inputs ...infer.Tensor) reqlog.Entry {
	return reqlog.Entry{Endpoint: "e", Version: "1", Role: reqlog.Served, ID: id, At: at, Latency: 1500 * time.Microsecond,
		Request: &infer.Request{Inputs: inputs}, Outputs: outputs, Log: log}
}

func simple(id string, x, y float64) reqlog.Entry {
	return entry(id, noon, endpoint.Log{Sample: 1}, []infer.Tensor{numbers("y", y)}, numbers("x", x))
}

// rows are what an export as JSON lines has.
func (l *logger) rows(t *testing.T, q reqlog.Query) []map[string]any {
	t.Helper()
	q.Endpoint = "e"
	write, err := l.Export(t.Context(), q, "jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for line := range strings.Lines(b.String()) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, row)
	}
	return out
}

func ids(rows []map[string]any) []string {
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprint(r[reqlog.ColumnID]))
	}
	return out
}

func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRequestsAreThereAtOnceAndInFilesAfterTheEnd(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	l.Add(simple("a", 1, 10))
	l.Add(entry("b", noon.Add(time.Second), endpoint.Log{Sample: 1}, []infer.Tensor{numbers("y", 20, 30)}, numbers("x", 2, 3), texts("word", "é", "")))
	want := []string{"a", "b", "b"}
	check := func(rows []map[string]any) {
		t.Helper()
		if got := ids(rows); !slices.Equal(got, want) {
			t.Fatalf("%v; want %v", got, want)
		}
		r := rows[2]
		if r["row"] != 1.0 || r["input_x"] != 3.0 || r["output_y"] != 30.0 || r["input_word"] != "" || r["version"] != "1" || r["status"] != "ok" ||
			r["latency_ms"] != 1.5 || r["time"] != "2026-11-30T12:00:01Z" || r["role"] != "served" || r["endpoint"] != "e" {
			t.Errorf("%v", r)
		}
		if _, has := rows[0]["input_word"]; has {
			t.Errorf("%v", rows[0])
		}
	}
	check(l.rows(t, reqlog.Query{}))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := files(t, dir, "log/e/1/2026-11-30T12-*.parquet"); len(n) != 1 {
		t.Fatal(n)
	}
	if left := files(t, dir, "open/*"); len(left) != 0 {
		t.Error(left)
	}
	again := open(t, dir, 0)
	defer again.Close()
	check(again.rows(t, reqlog.Query{}))
	if got := ids(again.rows(t, reqlog.Query{Since: noon.Add(time.Millisecond)})); len(got) != 2 {
		t.Error(got)
	}
	if got := ids(again.rows(t, reqlog.Query{Limit: 1})); !slices.Equal(got, []string{"b"}) {
		t.Error(got)
	}
	// The newest are so by time, whichever file they are in.
	newer := simple("c", 1, 1)
	newer.Version, newer.At = "0", noon.Add(2*time.Second)
	again.Add(newer)
	older := simple("z", 1, 1)
	older.At = noon.Add(-time.Hour)
	again.Add(older)
	for limit, want := range map[int][]string{1: {"c"}, 2: {"c", "b"}, 3: {"c", "b", "b"}, 4: {"c", "a", "b", "b"}, 5: {"z", "c", "a", "b", "b"}, 9: {"z", "c", "a", "b", "b"}} {
		if got := ids(again.rows(t, reqlog.Query{Limit: limit})); !slices.Equal(got, want) {
			t.Errorf("the newest %d: %v; want %v", limit, got, want)
		}
		if got := again.rows(t, reqlog.Query{Limit: limit, Model: true}); len(got) != len(want) || got[len(got)-1]["y"] == nil || got[0]["request_id"] != nil {
			t.Errorf("the newest %d under the names of the model: %v", limit, got)
		}
	}
	if got := again.rows(t, reqlog.Query{Version: "2"}); len(got) != 0 {
		t.Error(got)
	}
}

// TestAJournalThatAKilledServerLeftBecomesAFile is about what kill -9 leaves: a journal with half a line, or with its file made already, or a
// file that is half written.
func TestAJournalThatAKilledServerLeftBecomesAFile(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	for i := range 5 {
		l.Add(simple(fmt.Sprint("r", i), float64(i), 0))
	}
	l.rows(t, reqlog.Query{})
	journals := files(t, dir, "open/*.journal")
	if len(journals) != 1 {
		t.Fatal(journals)
	}
	whole, err := os.ReadFile(journals[0])
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	killed := t.TempDir()
	if err := os.Mkdir(filepath.Join(killed, "open"), 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(killed, "open", filepath.Base(journals[0]))
	put(name, append(slices.Clone(whole), whole[:40]...))
	put(strings.TrimSuffix(name, ".journal")+".tmp", []byte("PAR1 half"))
	first := open(t, killed, 0)
	if got := ids(first.rows(t, reqlog.Query{})); len(got) != 5 {
		t.Fatal(got)
	}
	// Truths find the predictions of the journal.
	if taken, err := first.PutTruth(t.Context(), "e", []reqlog.Truth{{ID: "r3"}}); err != nil || taken.Matched != 1 {
		t.Errorf("%+v, %v", taken, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	put(name, whole) // as if the server had died before it removed the journal
	second := open(t, killed, 0)
	defer second.Close()
	if got := ids(second.rows(t, reqlog.Query{})); len(got) != 5 {
		t.Errorf("%v", got)
	}
	if left := files(t, killed, "open/*"); len(left) != 0 {
		t.Error(left)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatLooksPersonalIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	log := endpoint.Log{Sample: 1, Drop: []string{"secret"}}
	y := []infer.Tensor{numbers("y", 1)}
	l.Add(entry("a", noon, log, y, texts("note", "fine"), texts("secret", "hush")))
	l.Add(entry("b", noon, log, y, texts("note", "write to ada@example.com"), texts("secret", "hush")))
	l.Add(entry("ada@example.com", noon, log, y, texts("note", "fine again"), numbers("x", 1)))
	rows := l.rows(t, reqlog.Query{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[0]["input_note"] != nil || rows[2]["input_x"] != 1.0 || !strings.HasPrefix(fmt.Sprint(rows[2]["request_id"]), "sha256:") {
		t.Errorf("%v", rows)
	}
	reasons := map[string]string{}
	for _, o := range l.left {
		reasons[o.Column] = o.Reason
	}
	if reasons["input_note"] != "looks like email" || reasons["input_secret"] != "dropped by the settings" || len(l.left) != 2 {
		t.Errorf("%v", l.left)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte("ada@")) || bytes.Contains(content, []byte("hush")) {
			t.Errorf("%s has it", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// It is remembered, and a truth finds the request by the id as the client knows it.
	again := open(t, dir, 0)
	defer again.Close()
	again.Add(entry("d", noon, log, y, texts("note", "fine")))
	if rows = again.rows(t, reqlog.Query{}); len(rows) != 4 || rows[3]["input_note"] != nil || len(again.left) != 0 {
		t.Errorf("%v %v", rows, again.left)
	}
	if f := again.Figures("e"); len(f.LeftOut) != 2 {
		t.Errorf("%+v", f)
	}
	if taken, err := again.PutTruth(t.Context(), "e", []reqlog.Truth{{ID: "ada@example.com"}}); err != nil || taken.Matched != 1 {
		t.Errorf("%+v, %v", taken, err)
	}
	// Who wants to keep it says so.
	log.KeepPII = true
	again.Add(entry("f", noon.Add(time.Second), log, y, texts("note", "bob@example.com")))
	if rows = again.rows(t, reqlog.Query{}); rows[4]["input_note"] != "bob@example.com" {
		t.Errorf("%v", rows)
	}
}

func TestTruthMeetsItsRequestOnceWhicheverComesFirst(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	defer l.Close()
	put := func(want reqlog.Taken, truths ...reqlog.Truth) {
		t.Helper()
		got, err := l.PutTruth(t.Context(), "e", truths)
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	value := func(f float64) reqlog.Value { return reqlog.Value{Number: f} }
	put(reqlog.Taken{Taken: 1, New: 1}, reqlog.Truth{ID: "early", Actual: value(7)})
	l.Add(simple("early", 1, 6))
	l.Add(simple("late", 2, 5))
	l.Add(simple("never", 2, 5))
	l.rows(t, reqlog.Query{})
	if len(l.matches) != 1 || l.matches[0].Predicted != value(6) || l.matches[0].Actual != value(7) || !l.matches[0].At.Equal(noon) {
		t.Fatalf("%+v", l.matches)
	}
	put(reqlog.Taken{Taken: 2, New: 2, Matched: 1}, reqlog.Truth{ID: "late", Actual: value(5), At: noon}, reqlog.Truth{ID: "other", Actual: value(5)})
	put(reqlog.Taken{Taken: 1, Unchanged: 1, Matched: 1}, reqlog.Truth{ID: "late", Actual: value(5), At: noon})
	put(reqlog.Taken{Taken: 1, Replaced: 1, Matched: 1}, reqlog.Truth{ID: "early", Actual: value(8)})
	if len(l.matches) != 2 {
		t.Errorf("a truth that was there before counts again: %+v", l.matches)
	}
	rows := l.rows(t, reqlog.Query{Truth: true})
	if len(rows) != 3 || rows[0]["actual"] != 8.0 || rows[1]["actual"] != 5.0 || rows[1]["truth_time"] != "2026-11-30T12:00:00Z" || rows[2]["actual"] != nil {
		t.Errorf("%v", rows)
	}
	if got := ids(l.rows(t, reqlog.Query{Truth: true, OnlyTruth: true})); !slices.Equal(got, []string{"early", "late"}) {
		t.Error(got)
	}
	stored, waiting, err := l.Truths(t.Context(), "e")
	if stored != 3 || waiting != 1 || err != nil {
		t.Error(stored, waiting, err)
	}
	covered, err := l.Covered(t.Context(), "e", noon.Add(-time.Hour), noon.Add(time.Hour), []time.Duration{30 * time.Minute, 2 * time.Hour})
	if err != nil || covered[0].Requests != 0 || covered[1].Requests != 3 || covered[1].WithTruth != 2 || covered[2].Requests != 0 {
		t.Errorf("%+v, %v", covered, err)
	}
}

func TestJournalsThatGrowBecomeFilesAndTheOldestGo(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 1)
	l.keep = endpoint.Log{Sample: 1, KeepDays: 1}
	for i := range 3 {
		at := noon.Add(time.Duration(i-30) * time.Hour)
		l.Add(entry(fmt.Sprint("r", i), at, l.keep, []infer.Tensor{numbers("y", 1)}, numbers("x", 1)))
		l.rows(t, reqlog.Query{})
	}
	l.Add(simple("new", 1, 1))
	if got := ids(l.rows(t, reqlog.Query{})); !slices.Contains(got, "new") {
		t.Error(got)
	}
	for limit := time.After(10 * time.Second); len(files(t, dir, "log/e/1/*.parquet")) != 1; { // tidied with the first tick
		select {
		case <-limit:
			t.Fatal(files(t, dir, "log/e/1/*.parquet"))
		case <-time.After(20 * time.Millisecond):
		}
	}
	if got := ids(l.rows(t, reqlog.Query{})); !slices.Equal(got, []string{"new"}) {
		t.Error(got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheIndexKeepsTheNewestPredictionsAndTruths(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, 0)
	var truths []reqlog.Truth
	for i := range 5 {
		first.Add(entry(fmt.Sprint("r", i), noon.Add(time.Duration(i)*time.Second), endpoint.Log{Sample: 1}, []infer.Tensor{numbers("y", 1)}, numbers("x", 1)))
		truths = append(truths, reqlog.Truth{ID: fmt.Sprint("r", i), Actual: reqlog.Value{Number: 1}})
	}
	first.rows(t, reqlog.Query{})
	for _, truth := range truths {
		if _, err := first.PutTruth(t.Context(), "e", []reqlog.Truth{truth}); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := requestlog.Open(t.Context(), requestlog.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), IndexRows: 2, Now: func() time.Time { return noon.Add(time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	l.Start(requestlog.Hooks{})
	for limit := time.After(10 * time.Second); ; { // tidied with the first tick
		stored, _, err := l.Truths(t.Context(), "e")
		covered, coveredErr := l.Covered(t.Context(), "e", noon.Add(-time.Hour), noon.Add(time.Hour), nil)
		if err != nil || coveredErr != nil {
			t.Fatal(err, coveredErr)
		}
		if stored == 2 && covered[0].Requests == 2 && covered[0].WithTruth == 2 {
			break
		}
		select {
		case <-limit:
			t.Fatal(stored, covered)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatFindsNoRoomIsCountedAndNobodyWaits(t *testing.T) {
	dir := t.TempDir()
	l, err := requestlog.Open(t.Context(), requestlog.Options{Dir: dir, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}) // nobody writes
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const many = 20_000
	for i := range many {
		l.Add(simple(fmt.Sprint(i), 1, 1))
	}
	lost := l.Figures("e").Lost
	if lost < many/2 || lost >= many {
		t.Errorf("%d of %d were lost", lost, many)
	}
	l.Start(requestlog.Hooks{})
	if write, err := l.Export(t.Context(), reqlog.Query{Endpoint: "e"}, "jsonl"); err != nil || write(t.Context(), &bytes.Buffer{}) != nil {
		t.Error(err)
	}
	if f := l.Figures("e"); f.Logged != many-lost || f.Failed != 0 {
		t.Errorf("%+v", f)
	}
}

func TestTruthsAreReadFromTheirFormats(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	defer l.Close()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		format, text string
		want         []reqlog.Truth
		wrong        string
	}{
		{"jsonl", `{"request_id": "007", "actual": true, "row": 2}` + "\n\n" + `{"request_id": 12345678901234567890, "actual": "cat", "time": "2026-01-02T03:04:05Z"}`,
			[]reqlog.Truth{{ID: "007", Row: 2, Actual: reqlog.Value{Number: 1}}, {ID: "12345678901234567890", Actual: reqlog.Value{Text: "cat", IsText: true}, At: at}}, ""},
		{"csv", "actual,request_id,extra\n1.5,007,\"x,y\"\ncat,1e5,", []reqlog.Truth{{ID: "007", Actual: reqlog.Value{Number: 1.5}}, {ID: "1e5", Actual: reqlog.Value{Text: "cat", IsText: true}}}, ""},
		{"csv", "id,actual\n1,2", nil, "needs the columns request_id and actual"},
		{"csv", "request_id,actual\n1,2,3", nil, "row 1"},
		{"jsonl", `{"request_id": "a", "actual": 1}` + "\n{", nil, "row 2"},
		{"jsonl", `{"request_id": "a"}`, nil, `actual of request "a" is missing`},
		{"jsonl", `{"request_id": "a", "actual": null}`, nil, "missing"},
		{"jsonl", `{"actual": 1}`, nil, "request_id is empty"},
		{"jsonl", `{"request_id": "a", "actual": 1, "row": -1}`, nil, "row is"},
		{"jsonl", `{"request_id": "a", "actual": "ada@example.com"}`, nil, "looks like personal data (email)"},
		{"jsonl", `{"request_id": "a", "actual": 1, "time": "yesterday"}`, nil, "want a time"},
		{"parquet", "PAR1", nil, "no Parquet file"},
		{"xml", "<a/>", nil, "want jsonl, csv or parquet"},
	}
	for _, tt := range tests {
		got, err := l.ReadTruth(t.Context(), strings.NewReader(tt.text), tt.format)
		if tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) || tt.wrong == "" && err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s %q: %+v, %v", tt.format, tt.text, got, err)
		}
	}
	// An export with its truth is a file of truths itself.
	l.Add(simple("a", 1, 1))
	if _, err := l.PutTruth(t.Context(), "e", []reqlog.Truth{{ID: "a", Actual: reqlog.Value{Number: 3}}}); err != nil {
		t.Fatal(err)
	}
	write, err := l.Export(t.Context(), reqlog.Query{Endpoint: "e", Truth: true}, "parquet")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	got, err := l.ReadTruth(t.Context(), &b, "parquet")
	if err != nil || len(got) != 1 || got[0].ID != "a" || got[0].Actual.Number != 3 || !got[0].At.Equal(noon) {
		t.Errorf("%+v, %v", got, err)
	}
}
