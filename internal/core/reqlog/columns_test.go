package reqlog_test

import (
	"runtime"
	"testing"

	"levada/internal/core/infer"
	"levada/internal/core/reqlog"
	"levada/internal/core/table"
)

func recorded(tensors ...infer.Tensor) reqlog.Record {
	e := reqlog.Entry{ID: "a", Request: &infer.Request{Inputs: tensors}}
	return reqlog.RecordOf(&e, func(string) bool { return false }, func(string, string) {})
}

func TestRowsOfATensorAreLists(t *testing.T) {
	words := infer.Tensor{Name: "w", Datatype: infer.Bytes, Shape: []int64{2, 2}}
	for _, s := range []string{"a", `"`, "", "é"} {
		words.Data = infer.AppendBytes(words.Data, []byte(s))
	}
	r := recorded(words, infer.Tensor{Name: "n", Datatype: infer.Int8, Shape: []int64{2, 3}, Data: []byte{1, 2, 255, 4, 5, 6}},
		infer.Tensor{Name: "none", Datatype: infer.Int8, Shape: []int64{2, 0}})
	want := map[string][2]string{"input_w": {`["a","\""]`, `["","é"]`}, "input_n": {"[1,2,-1]", "[4,5,6]"}, "input_none": {"[]", "[]"}}
	if len(r.Columns) != len(want) {
		t.Fatalf("%+v", r.Columns)
	}
	for _, c := range r.Columns {
		for row, text := range want[c.Name] {
			if got := c.Cell(row); got.Kind != table.Text || got.Text != text {
				t.Errorf("%s, row %d: %+v; want %s", c.Name, row, got, text)
			}
		}
	}
}

func TestALargeTensorDoesNotTakeFortyTimesItsBytes(t *testing.T) {
	x := infer.Tensor{Name: "x", Datatype: infer.Int8, Shape: []int64{10_000, 1024}, Data: make([]byte, 10_000*1024)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := recorded(x)
	runtime.ReadMemStats(&after) // most of it is garbage at once
	if used := after.TotalAlloc - before.TotalAlloc; used > 150<<20 || len(r.Columns) != 1 {
		t.Errorf("%d MiB for 10", used>>20)
	}
}
