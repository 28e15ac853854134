package lookup_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/lookup"
	"levada/internal/core/table"
)

func text(s ...string) (out []table.Cell) {
	for _, v := range s {
		out = append(out, table.Cell{Kind: table.Text, Text: v})
	}
	return out
}

func number(s ...float64) (out []table.Cell) {
	for _, v := range s {
		out = append(out, table.Cell{Kind: table.Number, Float: v})
	}
	return out
}

func integer(s ...int64) (out []table.Cell) {
	for _, v := range s {
		out = append(out, table.Cell{Kind: table.Integer, Int: v})
	}
	return out
}

// carriers is a table of which a row has no delay.
func carriers() table.Memory {
	delay := number(1.5, 0)
	delay = append(delay, table.Cell{})
	return table.Memory{
		Names:   []table.Column{{Name: "carrier"}, {Name: "month"}, {Name: "delay"}, {Name: "name"}},
		Vectors: []table.Vector{table.VectorOf(text("AA", "AA", "B\x02x")), table.VectorOf(integer(1, 2, 1)), table.VectorOf(delay), table.VectorOf(text("é", "b", `"q"`))},
	}
}

func build(t *testing.T, l endpoint.Lookup) *lookup.Table {
	t.Helper()
	out, err := lookup.Build(t.Context(), carriers(), l)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(name string, values ...string) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.Bytes, Shape: []int64{int64(len(values))}}
	for _, v := range values {
		t.Data = infer.AppendBytes(t.Data, []byte(v))
	}
	return t
}

func floats(name string, values ...float64) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.FP64, Shape: []int64{int64(len(values)), 1}}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
	}
	return t
}

// joined are the JSON values of the inputs that a join added.
func joined(t *testing.T, r *infer.Request, before int) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, in := range r.Inputs[before:] {
		if err := in.Check(); err != nil {
			t.Fatal(err)
		}
		for rest := in.Data; len(rest) > 0; {
			n := binary.LittleEndian.Uint32(rest)
			value := rest[4 : 4+n]
			if !json.Valid(value) {
				t.Errorf("%s: %q", in.Name, value)
			}
			out[in.Name] = append(out[in.Name], string(value))
			rest = rest[4+n:]
		}
	}
	return out
}

func TestColumnsAreJoinedByKey(t *testing.T) {
	both := endpoint.Lookup{Key: []string{"carrier", "month"}}
	withMissing := func(m endpoint.Missing) endpoint.Lookup {
		l := both
		l.Missing = m
		if m == endpoint.MissingDefault {
			l.Defaults = map[string]any{"delay": 7.0}
		}
		return l
	}
	tests := map[string]struct {
		settings endpoint.Lookup
		inputs   []infer.Tensor
		want     map[string][]string
		wrong    string
	}{
		"rows in any order, whole floats as whole numbers": {both, []infer.Tensor{texts("carrier", "B\x02x", "AA", "AA"), floats("month", 1, 2, 1)},
			map[string][]string{"delay": {"null", "0", "1.5"}, "name": {`"\"q\""`, `"b"`, `"é"`}}, ""},
		"some columns":                         {endpoint.Lookup{Key: both.Key, Columns: []string{"name"}}, []infer.Tensor{texts("carrier", "AA"), texts("month", "2")}, map[string][]string{"name": {`"b"`}}, ""},
		"a column that came stays as it came":  {both, []infer.Tensor{texts("carrier", "AA"), floats("month", 1), floats("delay", 9)}, map[string][]string{"name": {`"é"`}}, ""},
		"no key is needed where all came":      {both, []infer.Tensor{floats("delay", 9), texts("name", "x")}, map[string][]string{}, ""},
		"no rows":                              {both, []infer.Tensor{texts("carrier"), floats("month")}, map[string][]string{}, ""},
		"a key that is not there":              {both, []infer.Tensor{texts("carrier", "AA", "ZZ"), floats("month", 1, 3)}, nil, `row 1: the endpoint's lookup table has no row where carrier is "ZZ" and month is "3"`},
		"a key that is not there has nulls":    {withMissing(endpoint.MissingNull), []infer.Tensor{texts("carrier", "ZZ"), floats("month", 1)}, map[string][]string{"delay": {"null"}, "name": {"null"}}, ""},
		"a key that is not there has defaults": {withMissing(endpoint.MissingDefault), []infer.Tensor{texts("carrier", "ZZ"), floats("month", 1)}, map[string][]string{"delay": {"7"}, "name": {"null"}}, ""},
		"no key":                               {both, []infer.Tensor{texts("carrier", "AA")}, nil, `the request has no input "month", which is the key`},
		"a key of another shape":               {both, []infer.Tensor{texts("carrier", "AA"), floats("month", 1, 2)}, nil, `the input "month" is the key`},
		"a key that is no number":              {both, []infer.Tensor{texts("carrier", "AA"), floats("month", math.NaN())}, nil, "has no row where"},
	}
	for name, tt := range tests {
		request := &infer.Request{ID: "a", Inputs: tt.inputs}
		before := len(tt.inputs)
		got, err := build(t, tt.settings).Join(request)
		if tt.wrong != "" {
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, joined(t, got, before)); diff != "" || got.ID != "a" || len(request.Inputs) != before {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTablesThatCannotBeLookedUpInAreRefused(t *testing.T) {
	big := table.Memory{Names: []table.Column{{Name: "k"}, {Name: "v"}}, Vectors: make([]table.Vector, 2)}
	var keys []int64
	var values []string
	for i := range int64(20_000) {
		keys, values = append(keys, i), append(values, strings.Repeat("x", 100))
	}
	big.Vectors[0], big.Vectors[1] = table.VectorOf(integer(keys...)), table.VectorOf(text(values...))
	missing := carriers()
	missing.Vectors[0] = table.VectorOf([]table.Cell{{}, text("AA")[0], text("BB")[0]})
	tests := map[string]struct {
		source   table.Source
		settings endpoint.Lookup
		kind     fault.Kind
	}{
		`row 2 of the lookup table has a key that a row before has: carrier`: {carriers(), endpoint.Lookup{Key: []string{"carrier"}}, fault.Invalid},
		`has no column "airline", which lookup.key names; it has carrier`:    {carriers(), endpoint.Lookup{Key: []string{"airline"}}, fault.Invalid},
		`has no column "speed", which lookup.columns names`:                  {carriers(), endpoint.Lookup{Key: []string{"carrier", "month"}, Columns: []string{"speed"}}, fault.Invalid},
		`row 1 of the lookup table has no value in its key column "carrier"`: {missing, endpoint.Lookup{Key: []string{"carrier"}}, fault.Invalid},
		`names "speed", which is not joined`:                                 {carriers(), endpoint.Lookup{Key: []string{"carrier", "month"}, Defaults: map[string]any{"speed": 1}}, fault.Invalid},
		`no column but its key`:                                              {table.Memory{Names: []table.Column{{Name: "k"}}, Vectors: big.Vectors[:1]}, endpoint.Lookup{Key: []string{"k"}}, fault.Invalid},
		`takes more than 1 MiB in memory`:                                    {big, endpoint.Lookup{Key: []string{"k"}, MaxMB: 1}, fault.TooLarge},
	}
	for want, tt := range tests {
		if _, err := lookup.Build(t.Context(), tt.source, tt.settings); fault.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

func BenchmarkJoin(b *testing.B) {
	const rows = 100_000
	var keys, values []string
	for i := range rows {
		keys, values = append(keys, fmt.Sprint("customer-", i)), append(values, fmt.Sprint(i))
	}
	names := []table.Column{{Name: "k"}}
	vectors := []table.Vector{table.VectorOf(text(keys...))}
	for i := range 10 {
		names, vectors = append(names, table.Column{Name: fmt.Sprint("v", i)}), append(vectors, table.VectorOf(text(values...)))
	}
	t, err := lookup.Build(b.Context(), table.Memory{Names: names, Vectors: vectors}, endpoint.Lookup{Key: []string{"k"}})
	if err != nil {
		b.Fatal(err)
	}
	requests := make([]*infer.Request, 1000)
	for i := range requests {
		requests[i] = &infer.Request{Inputs: []infer.Tensor{texts("k", keys[i*97])}}
	}
	for i := 0; b.Loop(); i++ {
		if _, err := t.Join(requests[i%len(requests)]); err != nil {
			b.Fatal(err)
		}
	}
}

func TestALongRowThatIsAskedForAgainAndAgainIsRefused(t *testing.T) {
	rows := table.Memory{Names: []table.Column{{Name: "k"}, {Name: "v"}},
		Vectors: []table.Vector{table.VectorOf(text("a")), table.VectorOf(text(strings.Repeat("x", 64<<10)))}}
	l, err := lookup.Build(t.Context(), rows, endpoint.Lookup{Key: []string{"k"}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(n int) error {
		keys := infer.Tensor{Name: "k", Datatype: infer.Bytes, Shape: []int64{int64(n)}}
		for range n {
			keys.Data = infer.AppendBytes(keys.Data, []byte("a"))
		}
		_, err := l.Join(&infer.Request{Inputs: []infer.Tensor{keys}})
		return err
	}
	if err := ask(100); err != nil {
		t.Error(err)
	}
	if err := ask(20_000); fault.KindOf(err) != fault.TooLarge { // 1.2 GiB from 100 KB
		t.Error(err)
	}
}
