package table

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Watched is a Source that remembers what its scans find, for who hands it to something that does not tell.
type Watched struct {
	Source
	mu    sync.Mutex
	found map[[2]string]Finding
}

// Watch returns a source that is read as s is. It may be read by several at the same time.
func Watch(s Source) *Watched {
	w := &Watched{Source: s, found: map[[2]string]Finding{}}
	w.keep(Findings(s))
	return w
}

// keep remembers findings. A column that is read several times finds the same each time.
func (w *Watched) keep(found []Finding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range found {
		k := [2]string{f.Column, f.What}
		if was, known := w.found[k]; !known || was.Count < f.Count {
			w.found[k] = f
		}
	}
}

// Findings are those of the source and of the scans that have come to their end: what is about rows first, then by columns.
func (w *Watched) Findings() []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.found), func(a, b Finding) int {
		return strings.Compare(a.Column+"\x00"+a.What, b.Column+"\x00"+b.What)
	})
}

// Columnar is what the source is.
func (w *Watched) Columnar() bool { return Columnar(w.Source) }

// Scan reads columns.
func (w *Watched) Scan(columns ...int) Scanner { return &watchedScan{w.Source.Scan(columns...), w} }

type watchedScan struct {
	Scanner
	of *Watched
}

func (s *watchedScan) Next(ctx context.Context) (*Batch, error) {
	b, err := s.Scanner.Next(ctx)
	if errors.Is(err, io.EOF) {
		s.of.keep(Findings(s.Scanner))
	}
	return b, err
}
