package infer_test

import (
	"math"
	"testing"

	"levada/internal/core/infer"
)

func TestShapesThatCannotBeCountedAreRefused(t *testing.T) {
	for _, shape := range [][]int64{{-1}, {0, -1}, {1 << 40, 0}, {1 << 30, 1 << 30, 1 << 30}} {
		if n, err := infer.Elements(shape); err == nil {
			t.Errorf("%v has %d elements", shape, n)
		}
	}
	for _, shape := range [][]int64{{}, {3}, {math.MaxInt32, 0}, {1 << 20, 1 << 20}} {
		if _, err := infer.Elements(shape); err != nil {
			t.Error(err)
		}
	}
}
