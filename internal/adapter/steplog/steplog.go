// Package steplog keeps what steps print: one file per attempt, written line by line with times.
//
// A file is in the CRI log format of Kubernetes: "<RFC 3339 time> <stream> <F|P> <text>", one record a line, where P marks a
// piece of a longer line and the text is the step's own bytes. Readers turn the bytes into valid UTF-8. The package knows
// no runs and no processes; start reading at Store.Open for writing and Store.Read for reading.
package steplog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"levada/internal/core/fault"
)

// The streams of a log.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	// System holds what Levada itself says about the attempt.
	System = "system"
)

// Options configure a Store. Only Dir is required.
type Options struct {
	// Dir holds the logs: <run>/<task>/<attempt>.log.
	Dir string
	// MaxBytes is how much of an attempt's output is kept from its beginning. Default 32 MiB.
	MaxBytes int64
	// TailBytes is how much is kept from the end once MaxBytes is reached. Default 1 MiB.
	TailBytes int64
	// Clock gives the times of the records. Default time.Now.
	Clock func() time.Time
	// Logger hears of logs that could not be written. Default: nobody.
	Logger *slog.Logger
	// PollInterval is how often a file without a writer in this process is looked at. Default 250 ms.
	PollInterval time.Duration
}

// Store is a directory of logs. It is safe for concurrent use.
type Store struct {
	opt Options

	mu   sync.Mutex
	live map[string]*Writer
	// elsewhere holds the logs that another process writes; a channel is closed when its log has ended.
	elsewhere map[string]chan struct{}
}

// New returns the store of a directory, which is made when the first log is.
func New(opt Options) *Store {
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = 32 << 20
	}
	if opt.TailBytes <= 0 {
		opt.TailBytes = 1 << 20
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.PollInterval <= 0 {
		opt.PollInterval = 250 * time.Millisecond
	}
	return &Store{opt: opt, live: make(map[string]*Writer), elsewhere: make(map[string]chan struct{})}
}

// Dir is the directory of the logs.
func (s *Store) Dir() string { return s.opt.Dir }

// Expect says that another process writes the log of an attempt: who follows it waits until End or Writer.Close, also while there is no
// news for long.
func (s *Store) Expect(runID, taskID string, attempt int) error {
	path, err := s.path(runID, taskID, attempt)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.elsewhere[path] == nil {
		s.elsewhere[path] = make(chan struct{})
	}
	return nil
}

// End ends the log of an attempt that has no writer here, as Writer.Close does. A log that does not exist is no error.
func (s *Store) End(runID, taskID string, attempt int) error {
	path, err := s.path(runID, taskID, attempt)
	if err != nil {
		return err
	}
	defer s.arrived(path)
	if err := os.Chmod(path, endedMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end the log of task %s, attempt %d: %w", taskID, attempt, err)
	}
	return nil
}

// Open returns the writer of an attempt's log. An existing log is continued, so that what was said while the attempt was
// prepared stays. Each attempt has at most one writer at a time.
func (s *Store) Open(runID, taskID string, attempt int) (*Writer, error) {
	path, err := s.path(runID, taskID, attempt)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[path] != nil {
		return nil, fault.Conflictf("log of task %s, attempt %d: it is being written already", taskID, attempt)
	}
	f, size, err := openLog(path)
	if err != nil {
		return nil, fmt.Errorf("open the log of task %s, attempt %d: %w", taskID, attempt, err)
	}
	w := newWriter(s, path, f, size)
	s.live[path] = w
	return w, nil
}

func openLog(path string) (*os.File, int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, 0, err
	}
	// A closed log is read-only; see Writer.Close.
	if err := os.Chmod(path, 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, 0, err
	}
	size, err := endRecord(f)
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

// endRecord closes a record that a crash cut short.
func endRecord(f *os.File) (int64, error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return 0, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, st.Size()-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return st.Size(), nil
	}
	_, err = f.Write([]byte{'\n'})
	return st.Size() + 1, err
}

// DeleteRun removes the logs of a run. A run without logs is no error.
func (s *Store) DeleteRun(runID string) error {
	if err := safeElement(runID); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.opt.Dir, runID)); err != nil {
		return fmt.Errorf("delete the logs of run %s: %w", runID, err)
	}
	return nil
}

func (s *Store) path(runID, taskID string, attempt int) (string, error) {
	if err := errors.Join(safeElement(runID), safeElement(taskID)); err != nil {
		return "", err
	}
	if attempt < 1 {
		return "", fault.Invalidf("log of task %s: attempt %d: attempts count from 1", taskID, attempt)
	}
	return filepath.Join(s.opt.Dir, runID, taskID, strconv.Itoa(attempt)+".log"), nil
}

// writer returns the writer of a log in this process, or else the channel that tells when a log of another one has ended.
func (s *Store) writer(path string) (*Writer, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[path], s.elsewhere[path]
}

// arrived takes Expect back.
func (s *Store) arrived(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.elsewhere[path]; c != nil {
		close(c)
		delete(s.elsewhere, path)
	}
}

// safeElement refuses ids that would leave the directory.
func safeElement(id string) error {
	if id == "" || len(id) > 128 || id[0] == '.' {
		return fault.Invalidf("log: %q is not an id: want 1 to 128 letters, digits, '-', '_' and '.', not starting with '.'", id)
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fault.Invalidf("log: %q is not an id: want letters, digits, '-', '_' and '.'", id)
		}
	}
	return nil
}
