package modelhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/adapter/modelwire"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// texts is a BYTES tensor.
func texts(name string, elements ...string) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.Bytes, Shape: []int64{int64(len(elements))}}
	for _, e := range elements {
		t.Data = infer.AppendBytes(t.Data, []byte(e))
	}
	return t
}

// TestAnEchoGivesEachRequestItsOwnInputs joins requests, answers with their inputs as a worker would, and takes the answer apart.
func TestAnEchoGivesEachRequestItsOwnInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b batch
		for range 2 { // headers are remembered from batch to batch
			var requests []*infer.Request
			width := rapid.IntRange(1, 3).Draw(t, "width")
			for i := range rapid.IntRange(1, 6).Draw(t, "requests") {
				rows := rapid.IntRange(0, 4).Draw(t, "rows")
				words := rapid.SliceOfN(rapid.StringN(0, 9, 40), rows, rows).Draw(t, "words")
				halves := rapid.SliceOfN(rapid.Byte(), 2*rows*width, 2*rows*width).Draw(t, "halves")
				requests = append(requests, &infer.Request{ID: fmt.Sprint(i), Inputs: []infer.Tensor{
					texts("words", words...), {Name: "x", Datatype: infer.FP16, Shape: []int64{int64(rows), int64(width)}, Data: halves},
				}})
			}
			out, err := b.encode(7, requests)
			if err != nil {
				t.Fatal(err)
			}
			f, err := modelwire.Read(bytes.NewReader(out), make([]byte, 4))
			if err != nil || f.ID != 7 || f.Kind != modelwire.KindPredict {
				t.Fatalf("%+v, %v", f, err)
			}
			f.Header = bytes.Replace(bytes.ReplaceAll(f.Header, []byte(`[-1`), fmt.Appendf(nil, "[%d", f.Rows)), []byte(`"inputs"`), []byte(`"outputs"`), 1)
			answers, err := split(f, requests)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range requests {
				if diff := cmp.Diff(r.Inputs, answers[i].Outputs, cmp.Transformer("bytes", func(b []byte) string { return string(b) })); diff != "" || answers[i].ID != r.ID {
					t.Fatal(diff)
				}
			}
		}
	})
}

func TestTheRememberedHeaderIsThatOfTheRequest(t *testing.T) {
	var b batch
	first := &infer.Request{Inputs: []infer.Tensor{texts("a", "x")}}
	others := []*infer.Request{
		{Inputs: []infer.Tensor{texts("b", "x")}},
		{Inputs: []infer.Tensor{{Name: "a", Datatype: infer.Int8, Shape: []int64{1}, Data: []byte{1}}}},
		{Inputs: []infer.Tensor{texts("a", "x")}, Parameters: map[string]any{"temperature": 0.5}},
		{Inputs: []infer.Tensor{texts("a", "x")}, Parameters: map[string]any{infer.ContentType: infer.ContentTable}},
		{Inputs: []infer.Tensor{{Name: "a", Datatype: infer.Int8, Shape: []int64{1, 3}, Data: []byte{1, 2, 3}}}},
		{Inputs: []infer.Tensor{{Name: "a", Datatype: infer.Int8, Shape: []int64{}, Data: []byte{1}}}},
	}
	for _, other := range others {
		if infer.Joinable(first, other) {
			t.Errorf("%+v can be joined", other)
		}
		for _, r := range []*infer.Request{first, other, first} {
			var fresh batch
			want, err := fresh.encode(1, []*infer.Request{r})
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.encode(1, []*infer.Request{r})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%q; want %q (%v)", got, want, err)
			}
		}
	}
}

func TestAnswersThatAreNoneAreRefused(t *testing.T) {
	r := []*infer.Request{{Inputs: []infer.Tensor{texts("a", "x")}}, {Inputs: []infer.Tensor{texts("a", "y")}}}
	tests := map[string]modelwire.Frame{
		"no JSON":         {Rows: 2, Header: []byte("{")},
		"a buffer less":   {Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "INT8", "shape": [2]}]}`)},
		"too short":       {Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "INT64", "shape": [2]}]}`), Buffers: [][]byte{make([]byte, 15)}},
		"no such type":    {Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "INT65", "shape": [2]}]}`), Buffers: [][]byte{make([]byte, 16)}},
		"negative":        {Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "INT8", "shape": [-2]}]}`), Buffers: [][]byte{nil}},
		"endless":         {Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "BYTES", "shape": [9223372036854775807]}]}`), Buffers: [][]byte{nil}},
		"a text too long": {Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "BYTES", "shape": [1]}]}`), Buffers: [][]byte{{9, 0, 0, 0, 'x'}}},
	}
	for name, f := range tests {
		if _, err := split(f, r); !errors.Is(err, modelwire.ErrGarbage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	scalar := modelwire.Frame{Rows: 2, Header: []byte(`{"outputs": [{"name": "o", "datatype": "INT8", "shape": []}]}`), Buffers: [][]byte{{1}}}
	if _, err := split(scalar, r); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a scalar for two requests: %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	var b batch
	out, err := b.encode(1, []*infer.Request{{Inputs: []infer.Tensor{texts("a", "x", "yz")}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out)
	f.Add(binary.LittleEndian.AppendUint32(nil, 1<<31))
	f.Add([]byte(strings.Repeat("\x10", 40)))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) >= 4 && binary.LittleEndian.Uint32(in) > 1<<20 {
			return // memory for what may still come
		}
		frame, err := modelwire.Read(bytes.NewReader(in), make([]byte, 4))
		if err != nil {
			return
		}
		_, _ = split(frame, []*infer.Request{{Inputs: []infer.Tensor{texts("a", "x")}}, {Inputs: []infer.Tensor{texts("a", "x")}}})
	})
}
