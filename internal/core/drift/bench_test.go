package drift

import (
	"context"
	"math"
	"syscall"
	"testing"
	"time"

	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// BenchmarkColumn compares one column of 1.5 million values in each table, as Compare does for each of a thousand: gathering, sorting, the
// default test, effect, moments and histogram. A thousand columns take a thousand times as long, divided by the processors. Each form of
// numbers is what a column often holds.
func BenchmarkColumn(b *testing.B) {
	const rows = 1_500_000
	for _, form := range []struct {
		name string
		of   func(d *stats.Dice) float64
	}{
		{"normal", gauss},
		{"cents", func(d *stats.Dice) float64 { return math.Round(100*math.Exp(2+gauss(d))) / 100 }},
		{"integers below 1000", func(d *stats.Dice) float64 { return float64(d.Below(1000)) }},
		{"float32", func(d *stats.Dice) float64 { return float64(float32(gauss(d))) }},
	} {
		b.Run(form.name, func(b *testing.B) {
			d := stats.Dice(1)
			tables := [2]table.Source{}
			for i := range tables {
				v := table.Vector{Kind: table.Number, Size: rows, Floats: make([]float64, rows)}
				for k := range v.Floats {
					v.Floats[k] = form.of(&d)
				}
				tables[i] = batches{table.Memory{Names: []table.Column{{Name: "x"}}, Vectors: []table.Vector{v}}}
			}
			c, err := newComparison(context.Background(), tables[0], tables[1], Options{})
			if err != nil {
				b.Fatal(err)
			}
			out, changed := make([]Column, 1), make([]*Finding, 1)
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				if err := c.group(context.Background(), c.shared, out, changed); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N)*1000, "cpu-s/1000columns")
		})
	}
}

// processorTime is what the process has used: on a machine that does something else too, the clock says little.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// gauss is a number of the standard normal distribution (Box and Muller).
func gauss(d *stats.Dice) float64 {
	return math.Sqrt(-2*math.Log(1-d.Float())) * math.Cos(2*math.Pi*d.Float())
}

// batches gives a table as readers of files do: some thousand rows at a time.
type batches struct{ table.Memory }

func (m batches) Columnar() bool { return true }

func (m batches) Scan(columns ...int) table.Scanner { return &batchScanner{m.Memory, columns, 0} }

type batchScanner struct {
	table.Memory
	columns []int
	row     int
}
