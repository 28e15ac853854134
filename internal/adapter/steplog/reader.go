package steplog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"levada/internal/core/run"
)

// maxLine bounds a line that is put together from pieces.
const maxLine = 256 << 10

// Read calls line for each line of an attempt's log, in order. With follow it goes on until the attempt has ended or ctx is
// done. A log that does not exist has no lines.
func (s *Store) Read(ctx context.Context, runID, taskID string, attempt int, follow bool, line func(run.LogLine) error) error {
	path, err := s.path(runID, taskID, attempt)
	if err != nil {
		return err
	}
	r := &reader{store: s, path: path, emit: line, pieces: make(map[string]*piece)}
	defer r.close()
	idle := 0
	for {
		w, changed := s.writer(path)
		elsewhere := changed != nil
		if w != nil {
			changed = w.wait()
		}
		ended := r.ended()
		read, err := r.drain(ctx)
		if err != nil {
			return err
		}
		if w != nil || read > 0 {
			idle = 0
		} else {
			idle++
		}
		// A crash leaves a log that no one will ever end: two looks without a writer and without news are enough.
		abandoned := w == nil && !elsewhere && r.file != nil && idle > 2
		if !follow || w == nil && ended || abandoned {
			return r.finish()
		}
		if err := r.pause(ctx, changed, w == nil); err != nil {
			return err
		}
	}
}

type reader struct {
	store  *Store
	path   string
	emit   func(run.LogLine) error
	file   *os.File
	buf    *bufio.Reader
	cut    []byte // the beginning of a record whose end is not written yet
	pieces map[string]*piece
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
}

func (r *reader) ended() bool {
	st, err := os.Stat(r.path)
	return err == nil && st.Mode().Perm()&0o200 == 0
}

// pause waits for news: from the writer in this process, or for a while when there is none.
func (r *reader) pause(ctx context.Context, changed <-chan struct{}, poll bool) error {
	var tick <-chan time.Time
	if poll {
		t := time.NewTimer(r.store.opt.PollInterval)
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-tick:
	}
	return nil
}

// drain emits the complete records that are there and returns how many bytes it read.
func (r *reader) drain(ctx context.Context) (int, error) {
	if r.file == nil {
		f, err := os.Open(r.path)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read the log: %w", err)
		}
		r.file, r.buf = f, bufio.NewReaderSize(f, 64<<10)
	}
	total := 0
	for {
		b, err := r.buf.ReadSlice('\n')
		total += len(b)
		r.cut = append(r.cut, b...)
		if errors.Is(err, bufio.ErrBufferFull) && len(r.cut) <= maxLine {
			continue
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return total, fmt.Errorf("read the log: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return total, err
		}
		if err := r.record(bytes.TrimSuffix(r.cut, []byte{'\n'})); err != nil {
			return total, err
		}
		r.cut = r.cut[:0]
	}
}

// finish emits what is left when no more will come.
func (r *reader) finish() error {
	if len(r.cut) > 0 {
		if err := r.record(r.cut); err != nil {
			return err
		}
	}
	for _, stream := range []string{Stdout, Stderr, System} {
		if held := r.pieces[stream]; held != nil {
			if err := r.emit(held.line()); err != nil {
				return err
			}
		}
	}
	return nil
}

// piece is a record, or several that are one line.
type piece struct {
	at     time.Time
	stream string
	text   []byte
}

func (p *piece) line() run.LogLine {
	return run.LogLine{At: p.at, Stream: p.stream, Text: Printable(bytes.TrimSuffix(p.text, []byte{'\r'}))}
}

func (r *reader) record(b []byte) error {
	p, partial := parse(b)
	if held := r.pieces[p.stream]; held != nil {
		held.text = append(held.text, p.text...)
		p = *held
	}
	if partial && len(p.text) < maxLine {
		p.text = bytes.Clone(p.text)
		r.pieces[p.stream] = &p
		return nil
	}
	delete(r.pieces, p.stream)
	return r.emit(p.line())
}

// parse reads one record. What is not a record, such as one that a crash cut short, becomes a system line.
func parse(b []byte) (p piece, partial bool) {
	fields := bytes.SplitN(b, []byte{' '}, 4)
	if len(fields) == 4 && len(fields[2]) == 1 {
		if at, err := time.Parse(time.RFC3339Nano, string(fields[0])); err == nil {
			return piece{at, string(fields[1]), fields[3]}, fields[2][0] == 'P'
		}
	}
	return piece{stream: System, text: b}, false
}

// Printable turns bytes into valid UTF-8 without control characters: each offending byte is shown as \xNN. Tabs stay.
func Printable(b []byte) string {
	clean := true
	for i := 0; i < len(b) && clean; i++ {
		clean = b[i] >= 0x20 && b[i] < 0x7f || b[i] == '\t'
	}
	if clean {
		return string(b)
	}
	var out strings.Builder
	out.Grow(len(b) + 16)
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 || unicode.IsControl(c) && c != '\t' {
			for _, raw := range b[:n] {
				out.WriteString(`\x`)
				if raw < 16 {
					out.WriteByte('0')
				}
				out.WriteString(strconv.FormatUint(uint64(raw), 16))
			}
		} else {
			out.Write(b[:n])
		}
		b = b[n:]
	}
	return out.String()
}
