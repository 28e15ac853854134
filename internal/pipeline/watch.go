package pipeline

import (
	"context"
	"sync"

	"levada/internal/core/run"
)

// Update is a change of a run that a watcher is told of. Exactly one field is set.
type Update struct {
	Run  *run.Run
	Task *run.Task
}

// Watch returns the run, its tasks, and a channel of what changes from that moment on. The channel is closed when the run is
// final or ctx is done. A reader that is too slow is not waited for: it is given only the newest state of each task.
func (s *Service) Watch(ctx context.Context, runID string) (run.Run, []run.Task, <-chan Update, error) {
	var tasks []run.Task
	r, updates, err := s.watch(ctx, runID, func() (err error) {
		tasks, err = s.deps.Store.Tasks(ctx, runID)
		return err
	})
	return r, tasks, updates, err
}

// EncodedTasks calls yield with the JSON of one task after the other, until one call fails.
type EncodedTasks func(yield func(task []byte) error) error

// WatchEncoded is Watch for those who only hand tasks on: it gives them as they are stored, while they are read. They are to be read
// before the first update is: an update is newer than they are.
func (s *Service) WatchEncoded(ctx context.Context, runID string) (run.Run, EncodedTasks, <-chan Update, error) {
	tasks := func(yield func([]byte) error) error { return s.deps.Store.EncodedTasks(ctx, runID, yield) }
	r, updates, err := s.watch(ctx, runID, func() error { return nil })
	return r, tasks, updates, err
}

// handedOver is how many updates wait for a reader, so that it can tell when it has read all there are.
const handedOver = 64

func (s *Service) watch(ctx context.Context, runID string, read func() error) (run.Run, <-chan Update, error) {
	var w *watcher
	a := s.actor(runID)
	if a != nil {
		w = a.watchers.add()
	}
	// Read after registering, so that no change falls between.
	r, err := s.deps.Store.GetRun(ctx, runID)
	if err == nil {
		err = read()
	}
	if err != nil {
		if w != nil {
			a.watchers.remove(w)
		}
		return run.Run{}, nil, err
	}
	out := make(chan Update, handedOver)
	if w == nil {
		close(out)
		return r, out, nil
	}
	go func() {
		defer close(out)
		defer a.watchers.remove(w)
		w.forward(ctx, out)
	}()
	return r, out, nil
}

// watchers are those who follow a run.
type watchers struct {
	mu     sync.Mutex
	all    map[*watcher]bool
	closed bool
}

// watcher holds what its reader has not seen yet: the newest run and the newest state of each changed task.
type watcher struct {
	mu     sync.Mutex
	run    *run.Run
	tasks  map[string]run.Task
	order  []string
	closed bool
	signal chan struct{}
}

func (ws *watchers) add() *watcher {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := &watcher{tasks: map[string]run.Task{}, signal: make(chan struct{}, 1), closed: ws.closed}
	if ws.closed {
		w.signal <- struct{}{}
		return w
	}
	if ws.all == nil {
		ws.all = map[*watcher]bool{}
	}
	ws.all[w] = true
	return w
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, w)
}

func (ws *watchers) publish(r run.Run, tasks []run.Task) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		w.change(func() {
			w.run = &r
			for _, t := range tasks {
				if _, waiting := w.tasks[t.Path]; !waiting {
					w.order = append(w.order, t.Path)
				}
				w.tasks[t.Path] = t
			}
		})
	}
}

func (ws *watchers) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	for w := range ws.all {
		w.change(func() { w.closed = true })
	}
}

func (w *watcher) change(f func()) {
	w.mu.Lock()
	f()
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// forward hands changes to out until the run is final or ctx is done.
func (w *watcher) forward(ctx context.Context, out chan<- Update) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.signal:
		}
		w.mu.Lock()
		r, tasks, order, closed := w.run, w.tasks, w.order, w.closed
		w.run, w.tasks, w.order = nil, map[string]run.Task{}, nil
		w.mu.Unlock()
		updates := make([]Update, 0, len(order)+1)
		for _, path := range order {
			t := tasks[path]
			updates = append(updates, Update{Task: &t})
		}
		if r != nil {
			updates = append(updates, Update{Run: r})
		}
		for _, u := range updates {
			select {
			case out <- u:
			case <-ctx.Done():
				return
			}
		}
		if closed {
			return
		}
	}
}
