package trigger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
)

const (
	// maxFiles bounds how many files a trigger looks at.
	maxFiles = 10_000
	// maxRemembered bounds how many files a trigger remembers: those that are gone are forgotten first, the oldest of them.
	maxRemembered = 2 * maxFiles
	// soon is when a file that may still be being written is looked at again.
	soon = time.Second
	// maxBackOff is how long at most to wait until a bucket is looked at again that could not be.
	maxBackOff = 5 * time.Minute
)

// looking is what the loop that looks for events knows of a trigger. Nobody else writes it, or reads more than at.
type looking struct {
	// at is when to look next. It is written with Events.mu held, so that others may tell of it.
	at time.Time
	// failed is how many looks in a row have failed.
	failed int
	// files are those that were acted upon, read from the store at the first look; seen are those that were different in the last one.
	files map[string]event.FileState
	seen  map[string]event.FileState
	// crossed are the runs whose metric is beyond the line, or that are late.
	crossed map[string]string
}

// looksFor reports whether the events of a source have to be looked for.
func looksFor(s event.Source) bool { return s.File != nil || s.Metric != nil || s.Late != nil }

// looksAtBucket reports whether they are looked for in a bucket.
func looksAtBucket(s event.Source) bool { return s.File != nil && s.File.InBucket() }

// lookLoop looks for events, in buckets or elsewhere, until ctx is done. It is apart from the loop that starts runs, because reading a
// large file takes its time; and buckets are apart, because one that does not answer keeps those waiting who ask it.
func (e *Events) lookLoop(ctx context.Context, buckets bool, signal <-chan struct{}) {
	timer := newAlarm()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.rings:
		case <-signal:
		}
		timer.Reset(e.lookDue(ctx, buckets))
	}
}

// lookDue looks at all that is due and returns how long to sleep.
func (e *Events) lookDue(ctx context.Context, buckets bool) time.Duration {
	e.mu.Lock()
	var all []*watched
	for _, w := range e.triggers {
		if looksFor(w.trigger.On) && looksAtBucket(w.trigger.On) == buckets {
			all = append(all, w)
		}
	}
	e.mu.Unlock()
	slices.SortFunc(all, func(a, b *watched) int { return a.look.at.Compare(b.look.at) })
	pause := maxPause
	for _, w := range all {
		if ctx.Err() != nil {
			return maxPause
		}
		if !w.look.at.After(e.now()) {
			e.look(ctx, w)
		}
		pause = min(pause, max(w.look.at.Sub(e.now()), 0))
	}
	return pause
}

// look looks for events of one trigger and says when to do so next.
func (e *Events) look(ctx context.Context, w *watched) {
	var again time.Duration
	var err error
	switch on := w.trigger.On; {
	case on.File != nil:
		again, err = e.lookAtFiles(ctx, w, on.File)
	case on.Late != nil:
		again, err = event.Poll(on.Late.PollSeconds), e.lookAtRuns(ctx, w, on.Late)
	default:
		again, err = event.Poll(on.Metric.PollSeconds), e.lookAtMetrics(ctx, w, on.Metric)
	}
	again = w.look.backOff(again, err != nil && looksAtBucket(w.trigger.On))
	e.mu.Lock()
	defer e.mu.Unlock()
	w.look.at = e.now().Add(again)
	if ctx.Err() != nil {
		return
	}
	w.lookFailure = ""
	if err != nil {
		what := "nothing can be seen"
		if _, some := errors.AsType[*unseen](err); some {
			what = "not all can be seen"
		}
		w.lookFailure = fault.Shorten(fmt.Sprintf("%s: %v", what, err), 2000)
	}
	if w.lookFailure != "" && w.lookFailure != w.failure {
		e.deps.Logger.Warn("a trigger cannot look for its events", "trigger", w.trigger.Name, "error", err)
	}
	if e.triggers[w.trigger.ID] == w {
		if err := e.note(ctx, w); err != nil && ctx.Err() == nil {
			e.deps.Logger.Warn("what is wrong with a trigger cannot be noted", "trigger", w.trigger.Name, "error", err)
		}
	}
}

// backOff is when to look again: after each failure in twice the time, up to maxBackOff, so that what is out of order is not asked more
// than what is not.
func (l *looking) backOff(again time.Duration, failed bool) time.Duration {
	if !failed {
		l.failed = 0
		return again
	}
	l.failed++
	return max(again, min(again<<min(l.failed, 10), maxBackOff))
}

// baseline is what a new trigger remembers: what is there already is no event.
func (e *Events) baseline(ctx context.Context, on event.Source) ([]event.Mark, error) {
	var marks []event.Mark
	switch {
	case on.File != nil:
		files, err := e.deps.Files.List(ctx, on.File.Path, maxFiles)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		for _, f := range files { // not their digests: reading them all could take long
			marks = append(marks, fileMark(f))
		}
	case on.Metric != nil:
		values, err := e.deps.Metrics.Values(ctx, on.Metric.Experiment, on.Metric.Metric)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			if on.Metric.Crossed(v.Value) {
				marks = append(marks, event.Mark{Name: v.RunID, Value: beyond})
			}
		}
	}
	return marks, nil
}

func fileMark(f event.FileState) event.Mark {
	body, _ := json.Marshal(f) // two numbers and a text
	return event.Mark{Name: f.Path, Value: string(body)}
}

// lookAtFiles finds files that are new or have other content. One that goes away and comes back as it was is not new.
func (e *Events) lookAtFiles(ctx context.Context, w *watched, on *event.FileSource) (again time.Duration, err error) {
	again = on.Poll()
	l := &w.look
	if l.files == nil {
		if l.files, err = e.rememberedFiles(ctx, w); err != nil {
			return again, err
		}
	}
	files, err := e.deps.Files.List(ctx, on.Path, maxFiles)
	if err != nil && !l.expected(on, err) {
		return again, err
	}
	seen := map[string]event.FileState{}
	there := make(map[string]bool, len(files))
	var unread error // one that cannot be read keeps none of the others
	unreadable := 0
	for _, f := range files {
		there[f.Path] = true
		before, known := l.files[f.Path]
		if known && before.Same(f) {
			continue
		}
		now, whole, err := e.settled(ctx, l, f, seen)
		if err != nil && ctx.Err() != nil {
			return again, err
		}
		if err != nil {
			seen[f.Path], unread = f, cmp.Or(unread, err)
			unreadable++
			continue
		}
		if !whole {
			continue
		}
		var firings []event.Firing
		if !known || before.Digest != now.Digest {
			firings = append(firings, e.firing(w, fileEvent(now, known, e.now())))
		}
		if err := e.record(ctx, w, firings, []event.Mark{fileMark(now)}); err != nil {
			return again, err
		}
		l.files[f.Path] = now
	}
	l.seen = seen
	if len(seen) > unreadable { // there are some that may be whole in a moment
		again = min(again, soon)
	}
	if err := e.forgetFiles(ctx, w, there); err != nil {
		return again, err
	}
	if unread != nil && unreadable < len(files) {
		unread = &unseen{unread}
	}
	return again, unread
}

// unseen is why some of what a trigger looks at cannot be seen, when the rest was.
type unseen struct{ error }

// Unwrap gives the reason.
func (u *unseen) Unwrap() error { return u.error }

// rememberedFiles are those that a trigger has acted upon.
func (e *Events) rememberedFiles(ctx context.Context, w *watched) (map[string]event.FileState, error) {
	marks, err := e.deps.Store.Marks(ctx, w.trigger.ID)
	if err != nil {
		return nil, err
	}
	out := make(map[string]event.FileState, len(marks))
	for name, value := range marks {
		f := event.FileState{Path: name}
		if json.Unmarshal([]byte(value), &f) == nil {
			out[name] = f
		}
	}
	return out, nil
}

// settled returns a file with its digest once it is whole: when two looks saw it alike, since it may still be being written. An object of
// a bucket appears whole, and has its digest. What is not whole is added to seen.
func (e *Events) settled(ctx context.Context, l *looking, f event.FileState, seen map[string]event.FileState) (now event.FileState, whole bool, err error) {
	if f.Digest != "" {
		return f, true, nil
	}
	if last, twice := l.seen[f.Path]; !twice || !last.Same(f) {
		seen[f.Path] = f
		return f, false, nil
	}
	now, err = e.deps.Files.Digest(ctx, f.Path)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return now, false, nil
	case err != nil:
		return now, false, err
	case !now.Same(f):
		seen[f.Path] = now
		return now, false, nil
	}
	return now, true, nil
}

// expected reports whether an error says only that a file has not come yet. A directory that was there must not be taken for one.
func (l *looking) expected(on *event.FileSource, err error) bool {
	missing, ok := errors.AsType[*fs.PathError](err)
	if fault.KindOf(err) != fault.NotFound || !ok || missing.Path != path.Clean(on.Path) {
		return false
	}
	for name := range l.files {
		if strings.HasPrefix(name, missing.Path+"/") {
			return false
		}
	}
	return true
}

func fileEvent(f event.FileState, known bool, at time.Time) event.Event {
	change := "created"
	if known {
		change = "changed"
	}
	return event.Event{ID: fmt.Sprintf("file/%s/%d/%s", f.Path, f.ModifiedNS, f.Digest), Kind: event.File, At: at, Data: map[string]any{
		"path": f.Path, "name": path.Base(f.Path), "stem": stem(f.Path), "directory": event.Directory(f.Path), "size": float64(f.Size), "digest": f.Digest, "change": change,
		"modified": time.Unix(0, f.ModifiedNS).UTC().Format(time.RFC3339Nano),
	}}
}

// stem is the name of a file up to its first dot: 2013-04 of 2013-04.csv.gz. It often names a partition.
func stem(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".")
	return name
}

// forgetFiles forgets files that are gone when there are too many to remember.
func (e *Events) forgetFiles(ctx context.Context, w *watched, there map[string]bool) error {
	most := len(w.look.files) - maxRemembered
	if most <= 0 {
		return nil
	}
	var gone []event.FileState
	for name, f := range w.look.files {
		if !there[name] {
			gone = append(gone, f)
		}
	}
	slices.SortFunc(gone, func(a, b event.FileState) int { return cmp.Compare(a.ModifiedNS, b.ModifiedNS) })
	var marks []event.Mark
	for _, f := range gone[:min(most, len(gone))] {
		marks = append(marks, event.Mark{Name: f.Path})
		delete(w.look.files, f.Path)
	}
	return e.record(ctx, w, nil, marks)
}

// beyond is what is remembered of a run whose metric is beyond the line.
const beyond = "beyond"

// lookAtMetrics finds runs whose metric has crossed the line. When a value comes back and crosses it again, that is another event; what
// happens between two looks is not seen.
func (e *Events) lookAtMetrics(ctx context.Context, w *watched, on *event.MetricSource) (err error) {
	l := &w.look
	if l.crossed == nil {
		if l.crossed, err = e.deps.Store.Marks(ctx, w.trigger.ID); err != nil {
			return err
		}
	}
	values, err := e.deps.Metrics.Values(ctx, on.Experiment, on.Metric)
	if err != nil {
		return err
	}
	for _, v := range values {
		crossed, before := on.Crossed(v.Value), l.crossed[v.RunID] != ""
		if crossed == before {
			continue
		}
		mark, firings := event.Mark{Name: v.RunID}, []event.Firing(nil)
		if crossed {
			mark.Value = beyond
			cause, err := e.deps.Store.CauseOf(ctx, v.RunID)
			if err != nil {
				return err
			}
			ev := metricEvent(v, on, e.now())
			ev.Cause = cause
			firings = append(firings, e.firing(w, ev))
		}
		if err := e.record(ctx, w, firings, []event.Mark{mark}); err != nil {
			return err
		}
		if crossed {
			l.crossed[v.RunID] = beyond
		} else {
			delete(l.crossed, v.RunID)
		}
	}
	return nil
}

func metricEvent(v event.MetricValue, on *event.MetricSource, at time.Time) event.Event {
	value := max(min(v.Value, math.MaxFloat64), -math.MaxFloat64) // JSON has no infinity
	line := on.Above
	if line == nil {
		line = on.Below
	}
	return event.Event{ID: fmt.Sprintf("metric/%s/%s/%d/%d", v.RunID, on.Metric, v.Step, v.TimeMS), Kind: event.Metric, At: at, Data: map[string]any{
		"run_id": v.RunID, "experiment": on.Experiment, "metric": on.Metric, "value": value, "step": float64(v.Step), "line": *line,
	}}
}
