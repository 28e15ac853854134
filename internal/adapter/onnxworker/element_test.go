package onnxworker

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"levada/internal/core/infer"
)

func TestNumbersBecomeWhatTheModelWantsWhereTheyFit(t *testing.T) {
	int64s := func(v ...int64) infer.Tensor {
		t := infer.Tensor{Datatype: infer.Int64, Shape: []int64{int64(len(v))}}
		for _, n := range v {
			t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(n))
		}
		return t
	}
	doubles := func(v ...float64) infer.Tensor {
		t := infer.Tensor{Datatype: infer.FP64, Shape: []int64{int64(len(v))}}
		for _, n := range v {
			t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(n))
		}
		return t
	}
	tests := []struct {
		in   infer.Tensor
		to   infer.Datatype
		want string // the elements, or a part of the error
	}{
		{doubles(0.1, -2), infer.FP32, "[0.10000000149011612 -2]"},
		{doubles(0.1), infer.FP64, "[0.1]"},
		{int64s(1, -1<<53), infer.FP32, "[1 -9.007199254740992e+15]"},
		{int64s(3), infer.FP64, "[3]"},
		{int64s(-128, 127), infer.Int8, "[-128 127]"},
		{int64s(128), infer.Int8, "128 does not fit into INT8"},
		{int64s(-1), infer.Uint8, "-1 does not fit into UINT8"},
		{int64s(255), infer.Uint8, "[255]"},
		{int64s(math.MaxInt32), infer.Int32, "[2147483647]"},
		{int64s(math.MinInt32 - 1), infer.Int32, "does not fit into INT32"},
		{int64s(math.MaxInt64), infer.Uint64, "[9223372036854775807]"},
		{int64s(-1), infer.Uint64, "does not fit"},
		{infer.Tensor{Datatype: infer.Uint64, Shape: []int64{1}, Data: []byte{255, 255, 255, 255, 255, 255, 255, 255}}, infer.Int64, "does not fit"},
		{infer.Tensor{Datatype: infer.Uint64, Shape: []int64{1}, Data: []byte{255, 255, 255, 255, 0, 0, 0, 0}}, infer.Uint32, "[4294967295]"},
		{infer.Tensor{Datatype: infer.Uint16, Shape: []int64{1}, Data: []byte{1, 2}}, infer.Int16, "[513]"},
		{doubles(1), infer.Int64, "it has the type FP64 and the model wants INT64"},
		{infer.Tensor{Datatype: infer.Bool, Shape: []int64{1}, Data: []byte{1}}, infer.FP32, "it has the type BOOL"},
		{infer.Tensor{Datatype: infer.Bytes, Shape: []int64{1}, Data: []byte{1, 0, 0, 0, 'x'}}, infer.FP32, "it has the type BYTES"},
		{int64s(1), infer.Bool, "the model wants BOOL"},
	}
	for _, tt := range tests {
		data, err := converted(&tt.in, tt.to)
		got := fmt.Sprint(err)
		if err == nil {
			out := infer.Tensor{Datatype: tt.to, Shape: tt.in.Shape, Data: data}
			var elements []any
			for i := range tt.in.Shape[0] {
				elements = append(elements, out.Element(i))
			}
			got = fmt.Sprint(elements)
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%v as %s: %s; want %s", tt.in, tt.to, got, tt.want)
		}
	}
}

func TestNumbersInDictionariesAreWrittenAsPythonWritesThem(t *testing.T) {
	for want, v := range map[string]any{
		"0.0": 0.0, "1.0": 1.0, "0.1": 0.1, "0.0001": 1e-4, "1e-05": 1e-5, "1.5e-07": 1.5e-7, "123456789.0": 123456789.0, "1e+16": 1e16, "-2.5": -2.5, "null": math.NaN(), "7": int64(7),
	} {
		if got := string(appendValue(nil, v)); got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

func TestListsInListsHaveAShape(t *testing.T) {
	tests := map[string]struct {
		in   any
		to   infer.Datatype
		want string
	}{
		"a table":         {[]any{[]any{1.0, 2.0}, []any{3.0, 4.0}, []any{5.0, 6.0}}, infer.Int8, "[3 2] [1 2 3 4 5 6] <nil>"},
		"one number":      {1.0, infer.Int8, "[] [1] <nil>"},
		"nothing":         {[]any{}, infer.Int8, "[0] [] <nil>"},
		"truths":          {[]any{true, false}, infer.Bool, "[2] [1 0] <nil>"},
		"a text":          {[]any{"a"}, infer.Bytes, "[1] [1 0 0 0 97] <nil>"},
		"several lengths": {[]any{[]any{1.0}, []any{1.0, 2.0}}, infer.Int8, "several lengths"},
		"no number":       {[]any{"a"}, infer.Int8, "a is no INT8"},
		"a fraction":      {[]any{1.5}, infer.Int8, "does not fit"},
		"null":            {[]any{nil}, infer.FP32, "is no FP32"},
	}
	for name, tt := range tests {
		shape, data, err := nested(tt.in, tt.to)
		if got := fmt.Sprint(shape, data, err); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s; want %s", name, got, tt.want)
		}
	}
}
