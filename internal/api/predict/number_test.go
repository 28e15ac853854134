package predict_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/api/predict"
	"levada/internal/core/infer"
)

func TestNumbersAreWhatStrconvMakesOfThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "text")
		want, err := strconv.ParseFloat(text, 64)
		v, problem := predict.NewReader([]byte(text)).Value()
		if (err != nil) != (problem != nil) {
			t.Fatalf("%s: %v, %v; strconv says %v", text, v, problem, err)
		}
		if err != nil {
			return
		}
		if whole, ok := v.(int64); ok {
			if strconv.FormatInt(whole, 10) != text && text != "-0" {
				t.Fatalf("%s is %d", text, whole)
			}
			return
		}
		if v != want {
			t.Fatalf("%s is %v, want %v", text, v, want)
		}
	})
}

func TestFloatsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		text := predict.AppendNumber(nil, f, 64)
		back, err := predict.NewReader(text).Value()
		if math.IsInf(f, 0) || math.IsNaN(f) {
			if string(text) != "null" {
				t.Fatalf("%v is %s", f, text)
			}
			return
		}
		if err != nil || back != f || !json.Valid(text) {
			t.Fatalf("%v is %s and comes back as %v, %v", f, text, back, err)
		}
		g := float32(f)
		if math.IsInf(float64(g), 0) {
			return
		}
		if back, err := strconv.ParseFloat(string(predict.AppendNumber(nil, float64(g), 32)), 32); err != nil || float32(back) != g {
			t.Fatalf("%v comes back as %v, %v", g, back, err)
		}
	})
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	for _, text := range []string{"", "01", "-", "+1", ".5", "1.", "1e", "1e+", "nul", "tru", `"a`, `"\x"`, `"\u12"`, "\"\x01\"", "\"\xff\"", "[1,]", "[1 2]", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, "{1:2}", "[", "1 2", "1e400"} {
		r := predict.NewReader([]byte(text))
		_, err := r.Value()
		if err == nil {
			err = r.End()
		}
		if err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestTextsAreReadAsEncodingJSONReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := predict.NewReader(text).String()
		if err != nil || got != s {
			t.Fatalf("%s: %q, %v; want %q", text, got, err, s)
		}
		if back, err := predict.NewReader(predict.AppendString(nil, s)).String(); err != nil || back != s {
			t.Fatalf("%q comes back as %q, %v", s, back, err)
		}
	})
}

func TestAColumnHasTheNarrowestTypeThatHoldsItsValues(t *testing.T) {
	for text, want := range map[string]struct {
		d     infer.Datatype
		shape []int64
		json  bool
	}{
		`[1, -2]`: {infer.Int64, []int64{2}, false}, `[1, 2.5]`: {infer.FP64, []int64{2}, false}, `[1, null]`: {infer.FP64, []int64{2}, false},
		`[18446744073709551615, 0]`: {infer.Uint64, []int64{2}, false}, `[18446744073709551615, -1]`: {infer.FP64, []int64{2}, false},
		`[-1, 18446744073709551615]`: {infer.FP64, []int64{2}, false}, `[true, false]`: {infer.Bool, []int64{2}, false}, `["a", "b"]`: {infer.Bytes, []int64{2}, false},
		`["a", 1]`: {infer.Bytes, []int64{2}, true}, `[true, 1]`: {infer.Bytes, []int64{2}, true}, `[null, "a"]`: {infer.Bytes, []int64{2}, true},
		`[[1, 2], [3, 4]]`: {infer.Int64, []int64{2, 2}, false}, `[[1, 2], [3]]`: {infer.Bytes, []int64{2}, true}, `[{"a": 1}]`: {infer.Bytes, []int64{1}, true},
		`[[], []]`: {infer.FP64, []int64{2, 0}, false}, `5`: {infer.Int64, []int64{}, false}, `[]`: {infer.FP64, []int64{0}, false}, `[NaN, -Infinity]`: {infer.FP64, []int64{2}, false},
	} {
		got, err := predict.NewReader([]byte(text)).Tensor("x")
		if err != nil || got.Datatype != want.d || !cmp.Equal(got.Shape, want.shape) || (got.Parameters[infer.ContentType] == infer.ContentJSON) != want.json {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
		if err := got.Check(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
