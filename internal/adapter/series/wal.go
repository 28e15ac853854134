package series

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/track"
)

// A log file holds batches as they came: a header of 8 bytes, then records of length, checksum and body. A record that was
// cut off by a crash was never acknowledged, because acknowledging waits for the sync.
const (
	logMagic   = "LVMLOG1\n"
	maxRecord  = 64 << 20
	recordHead = 8
)

func logName(seq uint64) string     { return fmt.Sprintf("log-%016d", seq) }
func segmentName(seq uint64) string { return fmt.Sprintf("seg-%016d", seq) }

// files are the numbers of the files of a store, in order.
type files struct{ logs, segments []uint64 }

// listFiles finds the files of a store and removes what a crash left half-written.
func listFiles(dir string) (files, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return files{}, err
	}
	var f files
	for _, e := range entries {
		kind, number, _ := strings.Cut(e.Name(), "-")
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return files{}, err
			}
			continue
		}
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			continue // not ours
		}
		switch kind {
		case "log":
			f.logs = append(f.logs, seq)
		case "seg":
			f.segments = append(f.segments, seq)
		}
	}
	slices.Sort(f.logs)
	slices.Sort(f.segments)
	return f, nil
}

// wal is the log that batches go to at present.
type wal struct {
	seq  uint64
	file *os.File
	size int64
}

func createLog(dir string, seq uint64) (*wal, error) {
	f, err := os.OpenFile(filepath.Join(dir, logName(seq)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(logMagic)
	if err == nil {
		err = errors.Join(f.Sync(), syncDir(dir))
	}
	if err != nil {
		// The log before it stays the newest: a bad record at its end must not be taken for damage.
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return &wal{seq: seq, file: f, size: int64(len(logMagic))}, nil
}

// write appends records and syncs. After a failure the file ends where it ended before, as far as the disk allows.
func (w *wal) write(records []byte) error {
	_, err := w.file.Write(records)
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		_, seek := w.file.Seek(w.size, io.SeekStart)
		return errors.Join(err, w.file.Truncate(w.size), seek)
	}
	w.size += int64(len(records))
	return nil
}

func (w *wal) close() error { return w.file.Close() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// appendRecord appends a batch as a record.
func appendRecord(out []byte, b batch) []byte {
	start := len(out)
	out = append(out, make([]byte, recordHead)...)
	out = appendText(out, b.RunID)
	out = binary.AppendUvarint(out, uint64(len(b.Metrics)))
	var before track.Point
	key := ""
	for _, m := range b.Metrics {
		// Neighbours often have the key in common: an empty one stands for that of the neighbour.
		same := m.Key == key
		if same {
			out = append(out, 0)
		} else {
			out = appendText(out, m.Key)
		}
		key = m.Key
		out = binary.AppendVarint(out, m.Time-before.Time)
		out = binary.AppendVarint(out, m.Step-before.Step)
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(m.Value))
		before = m.Point
	}
	body := out[start+recordHead:]
	binary.LittleEndian.PutUint32(out[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(out[start+4:], crc32.Checksum(body, castagnoli))
	return out
}

// recordSize is the most bytes that a batch needs as a record.
func recordSize(b batch) int64 {
	const number = binary.MaxVarintLen64
	size, key := int64(recordHead+2*number+len(b.RunID)), ""
	for _, m := range b.Metrics {
		size += 3*number + 8
		if m.Key != key {
			size += int64(len(m.Key))
		}
		key = m.Key
	}
	return size
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// decodeRecord reads the body of a record.
func decodeRecord(body []byte) (batch, error) {
	r := byteReader{in: body}
	b := batch{RunID: r.text()}
	n := r.count(11) // an empty key, two differences and a value
	b.Metrics = make([]track.Metric, 0, n)
	var before track.Point
	key := ""
	for range n {
		if k := r.text(); k != "" {
			key = k
		}
		before.Time += r.varint()
		before.Step += r.varint()
		before.Value = math.Float64frombits(r.uint64())
		b.Metrics = append(b.Metrics, track.Metric{Key: key, Point: before})
	}
	if r.bad || len(r.in) > 0 || n == 0 {
		return batch{}, errDamaged
	}
	return b, nil
}

// replay applies the records of a log and returns how many there were. A bad record at the end of the newest log was being
// written when the process died: it is cut off, so that it is not taken for damage when there is a newer log. When whole records
// follow it they are kept, and so is a copy of the log as it was found: what was acknowledged may be in them, and a record says
// by itself whether it is whole. In an older log a bad record is damage.
func replay(path string, newest bool, log *slog.Logger, apply func(batch) error) (int, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := &recordReader{in: bufio.NewReaderSize(f, 1<<20)}
	for n := 0; ; n++ {
		body, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case errors.Is(err, errCutOff) && newest && in.good == 0:
			log.Warn("a metric log that was being begun when the process died is removed", "path", path)
			return n, os.Remove(path)
		case errors.Is(err, errCutOff) && newest:
			kept, mendErr := mend(f, in.good, log, apply)
			return n + kept, mendErr
		case errors.Is(err, errCutOff), errors.Is(err, errDamaged):
			return n, fmt.Errorf("%w: log %s, record %d: %w", errDamaged, path, n+1, err)
		case err != nil:
			return n, fmt.Errorf("read metric log %s, record %d: %w", path, n+1, err)
		}
		b, err := decodeRecord(body)
		if err != nil {
			return n, fmt.Errorf("%w: log %s, record %d cannot be decoded", errDamaged, path, n+1)
		}
		if err := apply(b); err != nil {
			return n, err
		}
	}
}

// mend takes the bad record at an offset out of a log, with everything behind it that is not whole, and returns how many records
// behind it were applied.
func mend(f *os.File, good int64, log *slog.Logger, apply func(batch) error) (int, error) {
	path := f.Name()
	all, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	rest := wholeRecords(all[good:])
	if len(rest) == 0 {
		log.Warn("the end of the newest metric log was not whole and is cut off: the process died while it wrote it", "path", path, "bytes", int64(len(all))-good)
		return 0, errors.Join(f.Truncate(good), f.Sync())
	}
	aside := filepath.Join(filepath.Dir(path), "damaged-"+filepath.Base(path))
	if err := os.Link(path, aside); err != nil && !errors.Is(err, os.ErrExist) {
		return 0, err
	}
	mended := all[:good:good]
	for i, r := range rest {
		b, err := decodeRecord(r[recordHead:])
		if err == nil {
			err = apply(b)
		}
		if err != nil {
			return i, err
		}
		mended = append(mended, r...)
	}
	log.Error("a record in the middle of the newest metric log is damaged: the points in it are lost, those around it are kept",
		"path", path, "offset", good, "records_behind", len(rest), "copy", aside)
	temp := path + ".tmp"
	if err := writeSynced(temp, mended); err != nil {
		return len(rest), err
	}
	return len(rest), errors.Join(os.Rename(temp, path), syncDir(filepath.Dir(path)))
}

// wholeRecords returns the records behind a bad one, each with its head, up to the next that is not whole.
func wholeRecords(bad []byte) [][]byte {
	next := func(in []byte) []byte {
		if len(in) < recordHead {
			return nil
		}
		size := int64(binary.LittleEndian.Uint32(in))
		if size == 0 || size > maxRecord || size > int64(len(in)-recordHead) {
			return nil
		}
		return in[:recordHead+size]
	}
	var out [][]byte
	for r := next(bad); r != nil; r = next(bad) {
		bad = bad[len(r):]
		body := next(bad)
		if body == nil || crc32.Checksum(body[recordHead:], castagnoli) != binary.LittleEndian.Uint32(body[4:]) {
			return out
		}
		if _, err := decodeRecord(body[recordHead:]); err != nil {
			return out
		}
		out = append(out, body)
	}
	return out
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// errCutOff is wrapped by what a crash can do to a record that was being written. A disk that cannot be read is something else:
// what is there must not be cut off for it.
var errCutOff = errors.New("it is not whole")

// recordReader reads the bodies of records. good is where the last whole record ended.
type recordReader struct {
	in   *bufio.Reader
	good int64
}

func (r *recordReader) next() ([]byte, error) {
	if r.good == 0 {
		if err := r.head(); err != nil {
			return nil, err
		}
	}
	var h [recordHead]byte
	if _, err := io.ReadFull(r.in, h[:]); err != nil {
		return nil, cutOff(err) // io.EOF only when there is no further byte
	}
	size := binary.LittleEndian.Uint32(h[:])
	if size == 0 || size > maxRecord {
		// Zeros are what a file system may show where a write did not reach the disk, and they would match their checksum.
		return nil, fmt.Errorf("%w: its length is absurd", errCutOff)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r.in, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, cutOff(err)
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(h[4:]) {
		return nil, fmt.Errorf("%w: it does not match its checksum", errCutOff)
	}
	r.good += int64(recordHead) + int64(size)
	return body, nil
}

// head reads the beginning of the file. It is on disk before any record is written, so a log that is longer is damaged when it has
// another.
func (r *recordReader) head() error {
	head := make([]byte, len(logMagic))
	_, err := io.ReadFull(r.in, head)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return cutOff(err)
	}
	if string(head) != logMagic {
		if _, err := r.in.Peek(1); errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the file does not begin as a log does", errCutOff)
		}
		return fmt.Errorf("%w: the file does not begin as a log does", errDamaged)
	}
	r.good = int64(len(logMagic))
	return nil
}

// cutOff marks the end of the file in the middle of something.
func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the file ends in it", errCutOff)
	}
	return err
}
