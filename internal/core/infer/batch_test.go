package infer_test

import (
	"testing"

	"levada/internal/core/infer"
)

func TestOnlyRequestsWithACommonFirstDimensionHaveRows(t *testing.T) {
	tensors := func(shapes ...[]int64) *infer.Request {
		r := &infer.Request{}
		for _, s := range shapes {
			r.Inputs = append(r.Inputs, infer.Tensor{Shape: s})
		}
		return r
	}
	tests := []struct {
		request *infer.Request
		rows    int64
		ok      bool
	}{
		{tensors(), 0, false}, {tensors([]int64{}), 0, false}, {tensors([]int64{3}), 3, true}, {tensors([]int64{3}, []int64{3, 2}), 3, true},
		{tensors([]int64{3}, []int64{2, 3}), 0, false}, {tensors([]int64{0}), 0, true},
	}
	for _, tt := range tests {
		if rows, ok := infer.BatchRows(tt.request); rows != tt.rows && tt.ok || ok != tt.ok {
			t.Errorf("%+v: %d, %v", tt.request, rows, ok)
		}
	}
}

func TestWhatDoorsNoteIsNotForTheModel(t *testing.T) {
	r := &infer.Request{Parameters: map[string]any{infer.ContentType: "pd", infer.ContentUntyped: true, "binary_data_output": true}}
	if p := infer.ModelParameters(r); p != nil {
		t.Errorf("%v", p)
	}
	r.Parameters["temperature"] = 0.5
	if p := infer.ModelParameters(r); len(p) != 1 || p["temperature"] != 0.5 {
		t.Errorf("%v", p)
	}
	plain := &infer.Request{Inputs: []infer.Tensor{{Name: "x", Datatype: infer.FP64, Shape: []int64{1}}}}
	warm := &infer.Request{Inputs: plain.Inputs, Parameters: map[string]any{"temperature": 0.5}}
	same := &infer.Request{Inputs: plain.Inputs, Parameters: map[string]any{"temperature": 0.5, infer.ContentUntyped: true}}
	if infer.Joinable(plain, warm) || !infer.Joinable(warm, same) {
		t.Error("requests are joined by other things than what the model gets")
	}
}
