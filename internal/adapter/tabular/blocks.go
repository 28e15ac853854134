package tabular

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

const (
	sampleSize = 1 << 20
	blockSize  = 1 << 20
	// longestRow bounds a row in bytes.
	longestRow = 4 << 20
)

// errLongRow says that a row does not end.
var errLongRow = fault.Invalidf("a row is longer than %d MiB; a quote that is not closed makes one row of all that follows", longestRow>>20)

// format is how a text is cut into blocks of whole rows, and how a block is read.
type format interface {
	// split returns the end of the last row that ends in a block, 0 when none does.
	split(block []byte) int
	// parse reads a block into p, whose slices may be used again. It is called by several goroutines at the same time.
	parse(block []byte, p *parsed)
}

// parsed is what was read of a block.
type parsed struct {
	rows    int
	vectors []table.Vector
	notes   notes
	err     error
	errRow  int // of the block, from 1, that the error is about; 0 for none
	done    chan struct{}
	block   []byte
	builder any // what the format keeps from block to block
}

// blockScanner reads a text in blocks: one goroutine cuts, a few read, and the blocks are given in their order. A few blocks are in
// memory at one time.
type blockScanner struct {
	file   *textFile
	format format
	text   *text

	cancel context.CancelFunc
	wait   sync.WaitGroup
	queue  chan *parsed // in order
	free   chan *parsed

	now   *parsed
	row   int64
	batch table.Batch
	notes notes
	err   error
	cut   bool
}

// Next gives the rows of the next block.
func (s *blockScanner) Next(ctx context.Context) (*table.Batch, error) {
	if s.err == nil {
		s.err = s.next(ctx)
	}
	if s.err != nil {
		return nil, s.err
	}
	return &s.batch, nil
}

func (s *blockScanner) next(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.cancel == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	for {
		if s.now != nil {
			s.free <- s.now
			s.now = nil
		}
		var ok bool
		select {
		case s.now, ok = <-s.queue:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !ok {
			return io.EOF
		}
		select {
		case <-s.now.done:
		case <-ctx.Done():
			s.now = nil // still being read
			return ctx.Err()
		}
		if s.now.err != nil {
			if at := s.now.errRow; at > 0 {
				return about(s.file.name, fault.Invalidf("row %d: %w", s.row+int64(at), s.now.err))
			}
			return about(s.file.name, s.now.err)
		}
		s.notes.add(&s.now.notes, s.row)
		if s.now.rows == 0 {
			continue
		}
		s.batch = table.Batch{Row: s.row, Size: s.now.rows, Columns: s.now.vectors}
		s.row += int64(s.now.rows)
		return nil
	}
}

// start opens the file and starts the goroutines, which Close ends.
func (s *blockScanner) start() error {
	r, err := s.file.open(s.file.size)
	if err != nil {
		return err
	}
	if s.text, err = s.file.reader(r); err != nil {
		_ = r.Close()
		return about(s.file.name, err)
	}
	s.text.file = r
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	workers := runtime.GOMAXPROCS(0)
	blocks := workers + 2
	s.queue, s.free = make(chan *parsed, blocks), make(chan *parsed, blocks)
	for range blocks {
		s.free <- &parsed{}
	}
	work := make(chan *parsed, blocks)
	s.wait.Go(func() {
		defer close(work)
		defer close(s.queue)
		s.read(ctx, work)
	})
	for range workers {
		s.wait.Go(func() {
			for p := range work {
				if ctx.Err() == nil {
					s.format.parse(p.block, p)
				}
				close(p.done)
			}
		})
	}
	return nil
}

// read cuts the text into blocks of whole rows.
func (s *blockScanner) read(ctx context.Context, work chan<- *parsed) {
	var rest []byte
	for last := false; !last; {
		var p *parsed
		select {
		case p = <-s.free:
		case <-ctx.Done():
			return
		}
		*p = parsed{done: make(chan struct{}), block: append(p.block[:0], rest...), builder: p.builder, vectors: p.vectors}
		rest, last = s.fill(p, rest)
		s.queue <- p // there is a place for each
		if p.err != nil {
			close(p.done)
			return
		}
		work <- p
	}
}

// fill reads a block and returns what lies behind its last row, and whether it is the last.
func (s *blockScanner) fill(p *parsed, rest []byte) ([]byte, bool) {
	for size := blockSize; ; size *= 2 {
		have := len(p.block)
		p.block = append(sized(p.block, max(size, have+blockSize/4))[:0], p.block...)
		n, err := io.ReadFull(s.text, p.block[have:cap(p.block)])
		p.block = p.block[:have+n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			p.err = damaged(err)
			return nil, true
		}
		end := s.format.split(p.block)
		if err != nil {
			if s.text.cut() {
				p.block, s.cut = p.block[:end], true // a last row that the limit has cut is none
			} else if len(p.block)-end > longestRow {
				p.err = errLongRow
			}
			return nil, true
		}
		if end > 0 {
			rest = append(rest[:0], p.block[end:]...)
			p.block = p.block[:end]
			return rest, false
		}
		if len(p.block) > longestRow {
			p.err = errLongRow
			return nil, true
		}
	}
}

// Cut says in words why the text was not read to its end, once Next has returned io.EOF.
func (s *blockScanner) Cut() string {
	if s.cut {
		return fmt.Sprintf("the first %d MiB", s.file.bytes>>20)
	}
	return ""
}

// Findings are what the rows were like.
func (s *blockScanner) Findings() []table.Finding { return s.notes.findings() }

// Close ends the goroutines and waits for them.
func (s *blockScanner) Close() error {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	s.wait.Wait()
	return s.text.Close()
}
