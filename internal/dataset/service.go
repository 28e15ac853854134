package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
	"levada/internal/core/table/profile"
)

// Options are what a Service is made of.
type Options struct {
	Store     Store
	Artifacts Artifacts
	Blobs     Blobs
	Tables    Tables
	Logger    *slog.Logger
	Now       func() time.Time
	// MostBytes bounds the tables that are read; 0 means that none are.
	MostBytes int64
	// Quiet says that nothing else has work for the machine. A table waits for that, but not longer than Patience; without Quiet it does not
	// wait. The default of Patience is a minute.
	Quiet    func() bool
	Patience time.Duration
	// Paused leaves everything to the next process.
	Paused bool
}

// Service looks at the data that tasks make: it has tables profiled, one at a time, and notes what reports say. What is to be looked at is
// in the store's queue until it has been, so that nothing is forgotten when the process dies.
type Service struct {
	o      Options
	ctx    context.Context //nolint:containedctx // the lifetime of the service, not of a request
	stop   context.CancelFunc
	loops  sync.WaitGroup
	tables chan struct{}

	measured cachedReports
}

// The bounds of the work on one table.
const (
	// mostTries is how often a table is read whose reading ended without an answer.
	mostTries = 3
	// longestProfile and longestRows bound how long a table is read, which may have to wait for all else on the machine again and again, and
	// how long rows are compared while somebody waits.
	longestProfile = 24 * time.Hour
	longestRows    = 2 * time.Minute
)

// Pauses of the loops.
const (
	settling = 500 * time.Millisecond // so that what comes together is looked at together
	again    = 5 * time.Second        // after a failure
	looking  = 250 * time.Millisecond // between two looks whether it is quiet
)

// Open starts the work.
func Open(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	s := &Service{o: o, tables: make(chan struct{}, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if o.Paused {
		return s
	}
	s.loops.Go(s.lookAtReports)
	if o.MostBytes > 0 {
		s.loops.Go(s.lookAtTables)
	}
	return s
}

// Close ends the work and waits for it. What was being done is done again by the next process.
func (s *Service) Close() {
	s.stop()
	s.loops.Wait()
}

// pause waits, and reports whether the service goes on.
func (s *Service) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// lookAtReports notes what reports say, and passes it on that there may be tables.
func (s *Service) lookAtReports() {
	for {
		select {
		case s.tables <- struct{}{}:
		default: // it has not looked yet
		}
		if err := s.noteReports(); err != nil && s.ctx.Err() == nil {
			s.o.Logger.Warn("artifacts wait to be looked at for reports; trying again", "in", again, "error", err)
			if !s.pause(again) {
				return
			}
			continue
		}
		select {
		case <-s.o.Store.UnseenSignal():
		case <-s.ctx.Done():
			return
		}
		if !s.pause(settling) {
			return
		}
	}
}

// noteReports empties the queue of what may be reports.
func (s *Service) noteReports() error {
	for {
		list, err := s.o.Store.Unseen(s.ctx, observe.MaybeReport, 100)
		if err != nil || len(list) == 0 {
			return err
		}
		var others []string
		for _, a := range list {
			r, err := s.report(a)
			if err != nil {
				return err
			}
			if r == nil {
				others = append(others, a.ID)
				continue
			}
			if err := s.o.Store.Seen(s.ctx, []string{a.ID}, nil, r); err != nil {
				return err
			}
			s.measured.forget()
		}
		if len(others) > 0 {
			if err := s.o.Store.Seen(s.ctx, others, nil, nil); err != nil {
				return err
			}
		}
	}
}

// report reads an artifact that may be a report; nil is one that is none, or whose content is gone.
func (s *Service) report(a run.Artifact) (*observe.Stored, error) {
	f, err := s.o.Blobs.Open(s.ctx, a.Digest, "")
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil //nolint:nilnil // there is nothing to note
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if !observe.LooksLikeReport(head[:n]) {
		return nil, nil //nolint:nilnil // as above
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, observe.MostReport+1))
	if err != nil {
		return nil, err
	}
	r, err := observe.ParseReport(text)
	if err != nil || len(text) > observe.MostReport {
		return nil, nil //nolint:nilnil // it is some other JSON
	}
	return &observe.Stored{Result: r, ArtifactID: a.ID, RunID: a.RunID, TaskID: a.TaskID, Task: a.TaskName}, nil
}

// lookAtTables has the tables in the queue profiled, one after the other.
func (s *Service) lookAtTables() {
	tries := map[string]int{}
	for {
		list, err := s.o.Store.Unseen(s.ctx, observe.Table, 1)
		if err == nil && len(list) == 1 {
			err = s.look(list[0], tries)
		}
		switch {
		case s.ctx.Err() != nil:
			return
		case err != nil:
			s.o.Logger.Warn("a table waits to be profiled; trying again", "in", again, "error", err)
			if !s.pause(again) {
				return
			}
		case len(list) == 0:
			clear(tries)
			select {
			case <-s.tables:
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// look has a table profiled, unless its content was before, with all figures. What cannot be read is noted with its reason; an error is worth another try.
func (s *Service) look(a run.Artifact, tries map[string]int) error {
	switch was, err := s.o.Store.Profile(s.ctx, a.Digest); {
	case fault.KindOf(err) == fault.NotFound:
	case err != nil:
		return err
	case was.State != observe.Ready || figuresOf(was.Table) >= profile.Figures:
		return s.o.Store.Seen(s.ctx, []string{a.ID}, nil, nil)
	}
	p := observe.Profile{Digest: a.Digest, State: observe.Ready}
	switch {
	case a.Size > s.o.MostBytes:
		p.State, p.Reason = observe.Failed, tooLarge(a.Size, s.o.MostBytes)
	case !s.awaitQuiet():
		return s.ctx.Err()
	default:
		begun := s.o.Now()
		text, err := s.profile(a)
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if p.Took = s.o.Now().Sub(begun); err != nil {
			kind := fault.KindOf(err)
			tries[a.Digest]++
			if kind != fault.Invalid && kind != fault.TooLarge && kind != fault.NotFound && tries[a.Digest] < mostTries {
				return err
			}
			p.State, p.Reason = observe.Failed, fault.Shorten(err.Error(), longestReason)
		}
		p.Table = text
	}
	p.At = s.o.Now()
	return s.o.Store.Seen(s.ctx, []string{a.ID}, &p, nil)
}

// figuresOf is the version of the figures of a stored profile.
func figuresOf(text json.RawMessage) int {
	var p struct {
		Figures int `json:"figures"`
	}
	_ = json.Unmarshal(text, &p) // what cannot be read is made again
	return p.Figures
}

// longestReason bounds the reason that is stored, in bytes.
const longestReason = 1000

func tooLarge(size, most int64) string {
	return fault.TooLargef("it has %d MiB, and tables above %d MiB are not profiled (setting profile_size)", size>>20, most>>20).Error()
}

func (s *Service) profile(a run.Artifact) (json.RawMessage, error) {
	content, err := s.content(s.ctx, a)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, longestProfile)
	defer cancel()
	text, err := s.o.Tables.Profile(ctx, content)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fault.TooLargef("reading it took longer than %s", longestProfile)
	}
	return text, err
}

// content says where a table is.
func (s *Service) content(ctx context.Context, a run.Artifact) (observe.Content, error) {
	files, err := s.o.Blobs.Locate(ctx, a.Digest)
	name := a.Name
	if a.CustomPath != "" {
		name = path.Base(a.CustomPath)
	}
	return observe.Content{Name: name, Directory: strings.HasPrefix(a.Digest, "dir-"), Files: files}, err
}

// awaitQuiet waits until the machine has nothing else to do, for some time at most. It reports whether the service goes on.
func (s *Service) awaitQuiet() bool {
	if s.o.Quiet == nil {
		return s.ctx.Err() == nil
	}
	quiet := 0
	for end := s.o.Now().Add(s.o.Patience); quiet < 2 && s.o.Now().Before(end); {
		if quiet++; !s.o.Quiet() {
			quiet = 0
		}
		if quiet < 2 && !s.pause(looking) {
			return false
		}
	}
	return s.ctx.Err() == nil
}
