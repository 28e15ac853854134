package serving

import (
	"testing"
	"time"
)

// Batches are as large as the bound on their time allows, also for a model that takes longer than that for a single row.
func TestBatchesAreAsLargeAsTheirTimeAllows(t *testing.T) {
	for _, tt := range []struct {
		name          string
		fixed, perRow time.Duration
		least, most   int64
	}{
		{"cheap rows", time.Millisecond, 100 * time.Microsecond, 700, 1100},
		{"dear rows", time.Millisecond, 10 * time.Millisecond, 8, 11},
		{"half of the bound is fixed", 50 * time.Millisecond, time.Millisecond, 45, 55},
		{"more than the bound is fixed", 150 * time.Millisecond, time.Millisecond, 130, 170},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p pace
			rows := int64(1)
			for i := range 60 {
				noise := time.Duration(i%5-2) * (tt.fixed + time.Duration(rows)*tt.perRow) / 50
				p.add(rows, tt.fixed+time.Duration(rows)*tt.perRow+noise)
				if n, ok := p.rows(100 * time.Millisecond); ok {
					rows = min(n, 4096)
				} else {
					rows = 1 + int64(i%4)
				}
				if i%3 == 0 {
					rows = max(1, rows/2) // fewer are waiting
				}
			}
			if n, ok := p.rows(100 * time.Millisecond); !ok || n < tt.least || n > tt.most {
				t.Errorf("%d rows, %v; want %d to %d", n, ok, tt.least, tt.most)
			}
		})
	}
}

func TestTheSizeOfBatchesIsNotKnownFromOneSize(t *testing.T) {
	var p pace
	for range 10 {
		p.add(1, time.Second)
	}
	if n, ok := p.rows(100 * time.Millisecond); ok {
		t.Errorf("%d rows are known", n)
	}
}
