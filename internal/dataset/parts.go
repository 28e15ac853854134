package dataset

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"levada/internal/core/fault"
)

// record is a row by hashes of its key and of its other columns.
type record struct {
	one, two uint64 // of the key
	rest     uint64
	row      int64
}

func (r record) key(o record) int {
	return cmp.Or(cmp.Compare(r.one, o.one), cmp.Compare(r.two, o.two))
}

const (
	recordSize = 32
	partCount  = 256
	// inMemory is how many bytes of records are in memory before they go to files, for each of two tables.
	inMemory = 128 << 20
	// largestPart bounds the records of a part that are compared at once. A part is that large when very many rows have one key.
	largestPart = 512 << 20
)

// parts are records, those with equal keys in one part. They are in memory as long as they fit, then in files.
type parts struct {
	temp    string
	buffers [partCount][]byte
	held    int
	dir     string
	sizes   [partCount]int64 // in files
}

func newParts(temp string) *parts { return &parts{temp: temp} }

func (p *parts) add(r record) error {
	k := r.one >> 56
	b := p.buffers[k]
	b = binary.LittleEndian.AppendUint64(b, r.one)
	b = binary.LittleEndian.AppendUint64(b, r.two)
	b = binary.LittleEndian.AppendUint64(b, r.rest)
	p.buffers[k] = binary.LittleEndian.AppendUint64(b, uint64(r.row))
	if p.held += recordSize; p.held < inMemory {
		return nil
	}
	return p.spill()
}

// spill moves what is in memory to files.
func (p *parts) spill() error {
	if p.dir == "" {
		dir, err := os.MkdirTemp(p.temp, "levada-diff-")
		if err != nil {
			return fault.Unavailablef("compare rows: what does not fit into memory needs a temporary directory: %w", err)
		}
		p.dir = dir
	}
	for k, b := range p.buffers {
		if len(b) == 0 {
			continue
		}
		f, err := os.OpenFile(p.file(k), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err == nil {
			_, err = f.Write(b)
			if e := f.Close(); err == nil {
				err = e
			}
		}
		if err != nil {
			return fault.Unavailablef("compare rows: %w", err)
		}
		p.sizes[k] += int64(len(b))
		p.buffers[k] = b[:0]
	}
	p.held = 0
	return nil
}

func (p *parts) file(k int) string { return fmt.Sprintf("%s/%03d", p.dir, k) }

// part returns the records of a part, sorted by key and by the other columns.
func (p *parts) part(k int) ([]record, error) {
	if size := p.sizes[k] + int64(len(p.buffers[k])); size > largestPart {
		return nil, fault.Invalidf("compare rows: too many rows have the same key (%d share a few keys); name columns that tell rows apart", size/recordSize)
	}
	var b []byte
	if p.sizes[k] > 0 {
		var err error
		if b, err = os.ReadFile(p.file(k)); err != nil {
			return nil, fault.Unavailablef("compare rows: %w", err)
		}
		_ = os.Remove(p.file(k))
	}
	b = append(b, p.buffers[k]...)
	p.buffers[k] = nil
	out := make([]record, 0, len(b)/recordSize)
	for ; len(b) >= recordSize; b = b[recordSize:] {
		out = append(out, record{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]),
			int64(binary.LittleEndian.Uint64(b[24:]))})
	}
	slices.SortFunc(out, func(x, y record) int {
		return cmp.Or(x.key(y), cmp.Compare(x.rest, y.rest), cmp.Compare(x.row, y.row))
	})
	return out, nil
}

func (p *parts) close() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}
