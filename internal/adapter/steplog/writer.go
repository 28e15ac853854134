package steplog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// maxPiece is the longest text of one record, as in Kubernetes; longer lines are split.
const maxPiece = 16 << 10

// Writer writes one attempt's log. It is safe for concurrent use and never makes a step wait for more than the disk. A
// full disk does not stop the step: the failure is remembered and returned by Close.
type Writer struct {
	store *Store
	path  string

	mu      sync.Mutex
	file    *os.File
	size    int64 // bytes in the file
	buf     []byte
	partial map[string][]byte
	tail    []byte // records past MaxBytes; nil until then
	dropped int64
	lines   int64
	failed  error
	closed  bool
	hide    func([]byte) []byte
	longest int           // bytes that may be the beginning of something to hide
	changed chan struct{} // closed and replaced when the file grew or the writer closed
}

func newWriter(s *Store, path string, f *os.File, size int64) *Writer {
	return &Writer{
		store: s, path: path, file: f, size: size,
		partial: make(map[string][]byte, 2), changed: make(chan struct{}),
	}
}

// Write adds bytes of a stream; complete lines are in the file when it returns.
func (w *Writer) Write(stream string, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	stamp := w.stamp()
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		p = rest
		if held := w.partial[stream]; len(held) > 0 {
			line = append(held, line...)
			w.partial[stream] = line[:0]
		}
		if w.hide != nil && (whole || len(line) > maxPiece+w.longest) {
			line = w.hide(line)
		}
		for len(line) > maxPiece && (whole || len(line) > maxPiece+w.longest) {
			w.record(stamp, stream, 'P', line[:maxPiece])
			line = line[maxPiece:]
		}
		if whole {
			w.record(stamp, stream, 'F', line)
			continue
		}
		w.partial[stream] = append(w.partial[stream][:0], line...)
	}
	w.flush()
}

// Hide has every line go through a function before it is stored: one that replaces what must not be seen, none of it longer than
// longest.
func (w *Writer) Hide(hide func([]byte) []byte, longest int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hide, w.longest = hide, longest
}

// System adds a line of Levada's own.
func (w *Writer) System(format string, args ...any) {
	w.Write(System, fmt.Appendf(nil, format+"\n", args...))
}

// Detach ends this writer but not the attempt: a follower goes on waiting for the next writer.
func (w *Writer) Detach() error { return w.end(false) }

// Close ends the log: followers return once they have read it all. It reports whether anything could not be stored.
func (w *Writer) Close() error { return w.end(true) }

// endedMode is how other processes know that the attempt of a log has ended: nobody may write it any more.
const endedMode = 0o444

// end closes the file, and the log with it when the attempt has ended.
func (w *Writer) end(ended bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	stamp := w.stamp()
	for _, stream := range []string{Stdout, Stderr, System} {
		if rest := w.partial[stream]; len(rest) > 0 {
			if w.hide != nil {
				rest = w.hide(rest)
			}
			w.record(stamp, stream, 'F', rest)
		}
	}
	w.writeTail(stamp)
	w.flush()
	w.closed = true
	err := w.failed
	if ended {
		err = errors.Join(err, w.file.Chmod(endedMode))
	}
	err = errors.Join(err, w.file.Close())
	w.store.mu.Lock()
	delete(w.store.live, w.path)
	w.store.mu.Unlock()
	close(w.changed)
	if ended {
		w.store.arrived(w.path)
	}
	return err
}

func (w *Writer) stamp() []byte {
	return w.store.opt.Clock().UTC().AppendFormat(make([]byte, 0, len(time.RFC3339Nano)), time.RFC3339Nano)
}

// record formats one record into the buffer or, once the file is full, into the tail.
func (w *Writer) record(stamp []byte, stream string, tag byte, text []byte) {
	to := &w.buf
	full := w.size+int64(len(w.buf)) >= w.store.opt.MaxBytes
	if full && stream != System || w.tail != nil {
		if w.tail == nil {
			w.note(stamp, "the output is longer than %d bytes: from here on only its last %d bytes are kept",
				w.store.opt.MaxBytes, w.store.opt.TailBytes)
			w.tail = make([]byte, 0, 2*w.store.opt.TailBytes+2*maxPiece)
		}
		to = &w.tail
	}
	*to = append(*to, stamp...)
	*to = append(*to, ' ')
	*to = append(*to, stream...)
	*to = append(*to, ' ', tag, ' ')
	*to = append(*to, text...)
	*to = append(*to, '\n')
	if w.tail != nil && int64(len(w.tail)) > 2*w.store.opt.TailBytes {
		w.trimTail()
	}
	if len(w.buf) > 256<<10 {
		w.flush()
	}
}

func (w *Writer) note(stamp []byte, format string, args ...any) {
	w.buf = fmt.Appendf(append(w.buf, stamp...), " "+System+" F "+format+"\n", args...)
}

// trimTail forgets whole records until at most TailBytes are left.
func (w *Writer) trimTail() {
	cut := len(w.tail) - int(w.store.opt.TailBytes)
	if i := bytes.IndexByte(w.tail[cut:], '\n'); i >= 0 {
		cut += i + 1
	}
	w.dropped += int64(cut)
	w.lines += int64(bytes.Count(w.tail[:cut], []byte{'\n'}))
	w.tail = w.tail[:copy(w.tail, w.tail[cut:])]
}

func (w *Writer) writeTail(stamp []byte) {
	if w.tail == nil {
		return
	}
	if int64(len(w.tail)) > w.store.opt.TailBytes {
		w.trimTail()
	}
	if w.dropped > 0 {
		w.note(stamp, "%d lines (%d bytes) of output were dropped here", w.lines, w.dropped)
	}
	w.buf = append(w.buf, w.tail...)
	w.tail = nil
}

// flush writes the buffer and wakes the followers.
func (w *Writer) flush() {
	if len(w.buf) == 0 {
		return
	}
	n, err := w.file.Write(w.buf)
	w.size += int64(n)
	w.buf = w.buf[:0]
	if err != nil && w.failed == nil {
		w.failed = fmt.Errorf("write the log: %w", err)
		w.store.opt.Logger.Error("a step's log could not be written; the step goes on", "file", w.path, "error", err)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait returns a channel that is closed at the next change. Take it before reading the file, so that no change is missed.
func (w *Writer) wait() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}
