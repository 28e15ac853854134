package series

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"levada/internal/core/track"
)

// A segment is a file that never changes: blocks of points, then for each run where its blocks are and what they sum up to,
// then a directory of the runs. Only the directory is held in memory.
//
// Segments of the first form do not say where in a block its lowest and highest values are. They are read as they are, and
// written anew in the second form when they are merged.
const (
	segmentMagic = "LVMSEG2\n"
	magicOfFirst = "LVMSEG1\n"
	footerSize   = 8 + 4 + 4 + 8 // offset, length and checksum of the directory, magic
)

type segment struct {
	seq  uint64
	path string
	file *os.File
	size int64
	// covers is the newest log whose points are in this segment or in older ones.
	covers uint64
	// replaces are the segments that this one was merged from.
	replaces []uint64
	runs     []dirEntry
	// located says that it is of the second form.
	located bool
	// refs counts the store and its readers; the last one closes the file.
	refs atomic.Int32

	mu       sync.Mutex // guards the entry that was read last
	lastRun  string
	lastRead runEntry
}

// dirEntry says where the entry of a run is.
type dirEntry struct {
	runID  string
	offset int64
	length int
}

// runEntry are the metrics of a run in one segment, in the order of their keys.
type runEntry []keyEntry

type keyEntry struct {
	stat   track.Stat
	blocks []blockRef
}

// blockRef says where a block is and what is in it. Only the times and steps of first and last are set.
type blockRef struct {
	offset           int64
	length           int
	count            int
	first, last      track.Point
	minStep, maxStep int64
	// low and high are the first points, by time, with the lowest and the highest value that is a number; that is NaN when there is
	// none. Their times and steps are known when located is set.
	low, high track.Point
	located   bool
}

func (e runEntry) blocks(key string) []blockRef {
	i, found := slices.BinarySearchFunc(e, key, func(k keyEntry, key string) int { return cmp.Compare(k.stat.Key, key) })
	if !found {
		return nil
	}
	return e[i].blocks
}

// segmentWriter writes a segment under another name; finish gives it its own.
type segmentWriter struct {
	dir    string
	seq    uint64
	file   *os.File
	buffer []byte
	offset int64 // of the beginning of buffer in the file
	runs   []dirEntry
	entry  []byte
	keys   int
	run    string
	magic  string
	err    error
}

func newSegmentWriter(dir string, seq uint64) (*segmentWriter, error) {
	f, err := os.OpenFile(filepath.Join(dir, segmentName(seq)+".tmp"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &segmentWriter{dir: dir, seq: seq, file: f, buffer: []byte(segmentMagic), magic: segmentMagic}, nil
}

// add writes the points of one metric, which are in the order of history. Runs and their keys must come in order.
func (w *segmentWriter) add(runID, key string, pts []track.Point) {
	var refs []blockRef
	stat := track.NewStat(key, pts[0])
	for i, p := range pts {
		if i > 0 {
			stat.Add(p)
		}
	}
	for len(pts) > 0 {
		n := min(len(pts), blockPoints)
		refs = append(refs, w.block(pts[:n]))
		pts = pts[n:]
	}
	w.addKey(runID, keyEntry{stat: stat, blocks: refs})
}

func (w *segmentWriter) block(pts []track.Point) blockRef {
	ref := describe(pts)
	ref.offset = w.offset + int64(len(w.buffer))
	before := len(w.buffer)
	w.buffer = appendBlock(w.buffer, pts)
	ref.length = len(w.buffer) - before
	w.spill()
	return ref
}

// copyBlock takes a block of another segment as it is.
func (w *segmentWriter) copyBlock(ref blockRef, raw []byte) blockRef {
	ref.offset = w.offset + int64(len(w.buffer))
	w.buffer = append(w.buffer, raw...)
	w.spill()
	return ref
}

func describe(pts []track.Point) blockRef {
	nan := track.Point{Time: pts[0].Time, Step: pts[0].Step, Value: math.NaN()}
	ref := blockRef{count: len(pts), first: pts[0], last: pts[len(pts)-1], minStep: pts[0].Step, maxStep: pts[0].Step,
		low: nan, high: nan, located: true}
	for _, p := range pts {
		ref.minStep, ref.maxStep = min(ref.minStep, p.Step), max(ref.maxStep, p.Step)
		ref.low, ref.high = lower(ref.low, p), higher(ref.high, p)
	}
	return ref
}

// lower returns the point with the lower value, a when neither is; NaN is no value.
func lower(a, b track.Point) track.Point {
	if math.IsNaN(a.Value) || b.Value < a.Value {
		return b
	}
	return a
}

// higher is lower for the higher value.
func higher(a, b track.Point) track.Point {
	if math.IsNaN(a.Value) || b.Value > a.Value {
		return b
	}
	return a
}

// spill writes the buffer out when it is large.
func (w *segmentWriter) spill() {
	if len(w.buffer) < 1<<20 || w.err != nil {
		return
	}
	_, w.err = w.file.Write(w.buffer)
	w.offset += int64(len(w.buffer))
	w.buffer = w.buffer[:0]
}

func (w *segmentWriter) addKey(runID string, k keyEntry) {
	if runID != w.run {
		w.endRun()
		w.run = runID
	}
	w.keys++
	w.entry = appendKey(w.entry, k, w.magic == segmentMagic)
}

// endRun keeps the entry of the run that is complete.
func (w *segmentWriter) endRun() {
	if w.keys == 0 {
		return
	}
	body := append(binary.AppendUvarint(nil, uint64(w.keys)), w.entry...)
	body = binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
	w.runs = append(w.runs, dirEntry{runID: w.run, offset: w.offset + int64(len(w.buffer)), length: len(body)})
	w.buffer = append(w.buffer, body...)
	w.entry, w.keys = w.entry[:0], 0
	w.spill()
}

// finish writes directory and footer, syncs, and gives the file its name.
func (w *segmentWriter) finish(covers uint64, replaces []uint64) (*segment, error) {
	w.endRun()
	dirOffset := w.offset + int64(len(w.buffer))
	dir := binary.AppendUvarint(nil, covers)
	dir = binary.AppendUvarint(dir, uint64(len(replaces)))
	for _, r := range replaces {
		dir = binary.AppendUvarint(dir, r)
	}
	dir = binary.AppendUvarint(dir, uint64(len(w.runs)))
	for _, r := range w.runs {
		dir = appendText(dir, r.runID)
		dir = binary.AppendUvarint(dir, uint64(r.offset))
		dir = binary.AppendUvarint(dir, uint64(r.length))
	}
	w.buffer = append(w.buffer, dir...)
	w.buffer = binary.LittleEndian.AppendUint64(w.buffer, uint64(dirOffset))
	w.buffer = binary.LittleEndian.AppendUint32(w.buffer, uint32(len(dir)))
	w.buffer = binary.LittleEndian.AppendUint32(w.buffer, crc32.Checksum(dir, castagnoli))
	w.buffer = append(w.buffer, w.magic...)
	if w.err == nil {
		_, w.err = w.file.Write(w.buffer)
	}
	size := w.offset + int64(len(w.buffer))
	if w.err == nil {
		w.err = w.file.Sync()
	}
	path := filepath.Join(w.dir, segmentName(w.seq))
	if w.err == nil {
		w.err = os.Rename(w.file.Name(), path)
	}
	if w.err == nil {
		if w.err = syncDir(w.dir); w.err != nil {
			// Its points will be written again, to another segment: they must not be found twice.
			w.err = errors.Join(w.err, os.Remove(path))
		}
	}
	if w.err != nil {
		return nil, errors.Join(w.err, w.discard())
	}
	g := &segment{seq: w.seq, path: path, file: w.file, size: size, covers: covers, replaces: replaces, runs: w.runs, located: w.magic == segmentMagic}
	g.refs.Store(1)
	return g, nil
}

func (w *segmentWriter) discard() error {
	err := os.Remove(w.file.Name())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(w.file.Close(), err)
}

// appendKey appends the entry of one metric. What a single block repeats of the sum is left out. located asks for the places of the
// lowest and highest values.
func appendKey(out []byte, k keyEntry, located bool) []byte {
	s := k.stat
	out = appendText(out, s.Key)
	out = binary.AppendUvarint(out, uint64(s.Count))
	out = binary.AppendVarint(out, s.Latest.Time)
	out = binary.AppendVarint(out, s.Latest.Step)
	out = appendFloat(out, s.Latest.Value)
	out = appendFloat(out, s.Min)
	out = appendFloat(out, s.Max)
	out = binary.AppendVarint(out, s.MaxTime-s.Latest.Time)
	out = binary.AppendUvarint(out, uint64(len(k.blocks)))
	end := int64(0)
	for _, b := range k.blocks {
		out = binary.AppendVarint(out, b.offset-end)
		end = b.offset + int64(b.length)
		out = binary.AppendUvarint(out, uint64(b.length))
		out = binary.AppendVarint(out, b.first.Time-s.Latest.Time)
		out = binary.AppendVarint(out, b.first.Step-s.Latest.Step)
		out = binary.AppendVarint(out, b.last.Time-b.first.Time)
		out = binary.AppendVarint(out, b.last.Step-b.first.Step)
		out = binary.AppendVarint(out, b.minStep-b.first.Step)
		out = binary.AppendVarint(out, b.maxStep-b.last.Step)
		if len(k.blocks) > 1 {
			out = binary.AppendUvarint(out, uint64(b.count))
			out = appendFloat(out, b.low.Value)
			out = appendFloat(out, b.high.Value)
			if located {
				out = appendPlace(out, b, b.low)
				out = appendPlace(out, b, b.high)
			}
		}
	}
	return out
}

// appendPlace appends when a point of a block is.
func appendPlace(out []byte, b blockRef, p track.Point) []byte {
	return binary.AppendVarint(binary.AppendVarint(out, p.Time-b.first.Time), p.Step-b.first.Step)
}

func readPlace(r *byteReader, b *blockRef, p *track.Point) {
	p.Time = b.first.Time + r.varint()
	p.Step = b.first.Step + r.varint()
}

func appendFloat(out []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
}

func readKey(r *byteReader, located bool) keyEntry {
	var k keyEntry
	s := &k.stat
	s.Key = r.text()
	s.Count = int64(r.uvarint())
	s.Latest.Time = r.varint()
	s.Latest.Step = r.varint()
	s.Latest.Value = math.Float64frombits(r.uint64())
	s.Min = math.Float64frombits(r.uint64())
	s.Max = math.Float64frombits(r.uint64())
	s.MaxTime = s.Latest.Time + r.varint()
	n := r.count(8)
	k.blocks = make([]blockRef, n)
	end := int64(0)
	for i := range k.blocks {
		b := &k.blocks[i]
		b.offset = end + r.varint()
		b.length = int(r.uvarint() & math.MaxInt32)
		end = b.offset + int64(b.length)
		b.first.Time = s.Latest.Time + r.varint()
		b.first.Step = s.Latest.Step + r.varint()
		b.last.Time = b.first.Time + r.varint()
		b.last.Step = b.first.Step + r.varint()
		b.minStep = b.first.Step + r.varint()
		b.maxStep = b.last.Step + r.varint()
		b.count, b.low.Value, b.high.Value = int(s.Count), s.Min, s.Max
		if n > 1 {
			b.count = int(r.uvarint() & math.MaxInt32)
			b.low.Value = math.Float64frombits(r.uint64())
			b.high.Value = math.Float64frombits(r.uint64())
			if b.located = located; located {
				readPlace(r, b, &b.low)
				readPlace(r, b, &b.high)
			}
		}
	}
	return k
}

func openSegment(path string) (_ *segment, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	damaged := func(what string) error { return fmt.Errorf("%w: segment %s: %s", errDamaged, path, what) }
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	foot := make([]byte, footerSize)
	if info.Size() < int64(len(segmentMagic)+footerSize) {
		return nil, damaged("it is cut off")
	}
	if _, err := f.ReadAt(foot, info.Size()-footerSize); err != nil {
		return nil, err
	}
	offset, length := int64(binary.LittleEndian.Uint64(foot)), int64(binary.LittleEndian.Uint32(foot[8:]))
	magic := string(foot[16:])
	if magic != segmentMagic && magic != magicOfFirst || offset < 0 || offset+length != info.Size()-footerSize {
		return nil, damaged("its end is not that of a segment")
	}
	dir := make([]byte, length)
	if _, err := f.ReadAt(dir, offset); err != nil {
		return nil, err
	}
	if crc32.Checksum(dir, castagnoli) != binary.LittleEndian.Uint32(foot[12:]) {
		return nil, damaged("its directory does not match its checksum")
	}
	g := &segment{path: path, file: f, size: info.Size(), located: magic == segmentMagic}
	g.refs.Store(1)
	if _, err := fmt.Sscanf(filepath.Base(path), "seg-%d", &g.seq); err != nil {
		return nil, err
	}
	r := byteReader{in: dir}
	g.covers = r.uvarint()
	for range r.count(1) {
		g.replaces = append(g.replaces, r.uvarint())
	}
	g.runs = make([]dirEntry, r.count(3))
	for i := range g.runs {
		g.runs[i] = dirEntry{runID: r.text(), offset: int64(r.uvarint()), length: int(r.uvarint() & math.MaxInt32)}
	}
	if r.bad || len(r.in) > 0 {
		return nil, damaged("its directory cannot be decoded")
	}
	return g, nil
}

// release gives up one reference.
func (g *segment) release() error {
	if g.refs.Add(-1) > 0 {
		return nil
	}
	return g.file.Close()
}

// entry returns what the segment holds of a run; nothing when it holds nothing.
func (g *segment) entry(runID string) (runEntry, error) {
	i, found := slices.BinarySearchFunc(g.runs, runID, func(d dirEntry, id string) int { return cmp.Compare(d.runID, id) })
	if !found {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lastRun == runID {
		return g.lastRead, nil
	}
	e, err := g.readEntry(g.runs[i])
	if err == nil {
		g.lastRun, g.lastRead = runID, e
	}
	return e, err
}

func (g *segment) readEntry(d dirEntry) (runEntry, error) {
	body := make([]byte, d.length)
	if _, err := g.file.ReadAt(body, d.offset); err != nil {
		return nil, fmt.Errorf("read segment %s: %w", g.path, err)
	}
	damaged := fmt.Errorf("%w: segment %s: the entry of run %s cannot be decoded", errDamaged, g.path, d.runID)
	if len(body) < 4 || crc32.Checksum(body[:len(body)-4], castagnoli) != binary.LittleEndian.Uint32(body[len(body)-4:]) {
		return nil, damaged
	}
	r := byteReader{in: body[:len(body)-4]}
	e := make(runEntry, r.count(30))
	for i := range e {
		e[i] = readKey(&r, g.located)
	}
	if r.bad || len(r.in) > 0 {
		return nil, damaged
	}
	return e, nil
}

func (g *segment) raw(b blockRef) ([]byte, error) {
	if b.offset < 0 || b.offset+int64(b.length) > g.size {
		return nil, fmt.Errorf("%w: segment %s: a block lies outside", errDamaged, g.path)
	}
	raw := make([]byte, b.length)
	if _, err := g.file.ReadAt(raw, b.offset); err != nil {
		return nil, fmt.Errorf("read segment %s: %w", g.path, err)
	}
	return raw, nil
}

func (g *segment) points(b blockRef) ([]track.Point, error) {
	raw, err := g.raw(b)
	if err != nil {
		return nil, err
	}
	pts, err := readBlock(raw)
	if err != nil {
		return nil, fmt.Errorf("segment %s, offset %d: %w", g.path, b.offset, err)
	}
	return pts, nil
}
