package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/run"
)

// maxFollowed bounds how many tasks have their log followed for the live display.
const maxFollowed = 16

// progress shows what a run does: as a block that redraws itself on a terminal, as one line per change elsewhere.
type progress struct {
	app     *app
	session *session
	out     io.Writer
	live    bool
	asJSON  bool
	style   console.Style

	mu    sync.Mutex // guards what follows: the logs come from other goroutines
	run   run.Run
	tasks []run.Task     // in the order of their creation
	index map[string]int // task path to index in tasks
	lines map[string]string
	// following holds the tasks whose log is being followed, by id.
	following map[string]bool
}

func (a *app) newProgress(s *session, r run.Run, asJSON bool) *progress {
	out := a.deps.Stdout
	if asJSON {
		out = a.deps.Stderr // standard output is for the JSON alone
	}
	_, _, terminal := console.Size(out)
	return &progress{app: a, session: s, out: out, asJSON: asJSON, live: terminal && a.environ["TERM"] != "dumb",
		style: a.style(out), run: r, index: map[string]int{}, lines: map[string]string{}, following: map[string]bool{}}
}

// watch returns when the run is final. It may be called again after it was interrupted.
func (p *progress) watch(ctx context.Context) (runResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()

	if p.live {
		background.Go(func() { p.redraw(ctx) })
	} else if len(p.tasks) == 0 {
		p.printf("%s (%s)", console.Clean(p.run.DisplayName), p.run.ID)
	}
	err := p.session.Watch(ctx, p.run.ID, client.Watcher{
		Run: func(r run.Run) { p.mu.Lock(); p.run = r; p.mu.Unlock() },
		Task: func(t run.Task) {
			if p.noteTask(t) && p.live {
				background.Go(func() { p.followLog(ctx, t) })
			}
		},
	})
	cancel()
	background.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return runResult{Run: p.run, Tasks: p.tasks}, err
}

// noteTask takes a task's new state in and reports whether its log should be followed from now on.
func (p *progress) noteTask(t run.Task) bool {
	p.mu.Lock()
	i, known := p.index[t.Path]
	changed := true
	if known {
		changed = p.tasks[i].State != t.State
		p.tasks[i] = t
	} else {
		p.index[t.Path] = len(p.tasks)
		p.tasks = append(p.tasks, t)
	}
	follow := t.Kind.Leaf() && t.State == run.Running && !p.following[t.ID] && len(p.following) < maxFollowed
	if follow {
		p.following[t.ID] = true
	}
	if t.State.Final() {
		delete(p.lines, t.ID)
	}
	p.mu.Unlock()
	if changed && !p.live && shown(t) && t.State != run.Pending {
		p.printf("%s", p.plainLine(t))
	}
	return follow
}

// shown leaves out the groups, whose tasks speak for them, unless they were passed over whole.
func shown(t run.Task) bool { return t.Kind.Leaf() || t.State == run.Skipped }

func (p *progress) printf(format string, args ...any) {
	fmt.Fprintf(p.out, "%s  %s\n", p.app.deps.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func (p *progress) plainLine(t run.Task) string {
	line := fmt.Sprintf("%-9s  %s", t.State, console.Clean(t.Path))
	if extra := taskRemark(t, p.app.deps.Now()); extra != "" {
		line += "  " + extra
	}
	return line
}

// taskRemark says beside a task what its state does not: how long, from the cache, why.
func taskRemark(t run.Task, now time.Time) string {
	var parts []string
	if t.Cached {
		parts = append(parts, "cached")
	} else if t.StartedAt != nil {
		end := now
		if t.FinishedAt != nil {
			end = *t.FinishedAt
		}
		if t.State.Final() || t.State == run.Running || t.State == run.Canceling {
			parts = append(parts, console.Duration(end.Sub(*t.StartedAt)))
		}
	}
	if t.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("attempt %d", t.Attempts))
	}
	if t.Failure != nil && t.State == run.Failed {
		parts = append(parts, console.Clean(t.Failure.Message))
	} else if t.Reason != "" {
		parts = append(parts, console.Clean(t.Reason))
	}
	return strings.Join(parts, ", ")
}

// followLog keeps the last line that a running task printed. A log that cannot be read only leaves that line empty.
func (p *progress) followLog(ctx context.Context, t run.Task) {
	_ = p.session.Logs(ctx, t.RunID, t.ID, 0, true, func(l run.LogLine) error {
		if text := strings.TrimSpace(console.Clean(l.Text)); text != "" {
			p.mu.Lock()
			p.lines[t.ID] = text
			p.mu.Unlock()
		}
		return nil
	})
	p.mu.Lock()
	delete(p.following, t.ID)
	p.mu.Unlock()
}

// redraw shows the block ten times a second until ctx is done, and takes it away then.
func (p *progress) redraw(ctx context.Context) {
	screen := console.NewScreen(p.out)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for frame := 0; ; frame++ {
		columns, rows, _ := console.Size(p.out)
		// A terminal that went away cannot be told so; the run ends as it would.
		_ = screen.Draw(p.block(columns, rows-1, frame))
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = screen.Erase()
			return
		}
	}
}

// block is what the display shows, at most rows lines of at most columns cells.
func (p *progress) block(columns, rows, frame int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.app.deps.Now()
	spinner := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[frame%10]
	var visible []run.Task
	done := 0
	for _, t := range p.tasks {
		if shown(t) {
			visible = append(visible, t)
			if t.State.Final() {
				done++
			}
		}
	}
	head := fmt.Sprintf("%s %s  %s  %d/%d tasks", p.style.Busy(string(spinner)), p.style.Bold(console.Clean(p.run.DisplayName)),
		console.Duration(now.Sub(p.run.CreatedAt)), done, len(visible))
	lines := []string{console.Cut(head, columns)}
	visible, left := fit(visible, rows-2)
	width := nameWidth(visible, columns)
	for _, t := range visible {
		lines = append(lines, console.Cut(p.liveLine(t, now, spinner, width), columns))
	}
	if left > 0 {
		lines = append(lines, p.style.Dim(fmt.Sprintf("  … and %d more", left)))
	}
	return lines
}

// fit chooses the tasks that a small screen has room for: first those that do something, then the newest.
func fit(tasks []run.Task, rows int) (chosen []run.Task, left int) {
	if len(tasks) <= rows {
		return tasks, 0
	}
	rows = max(rows, 1)
	order := make([]int, len(tasks))
	for i := range order {
		order[i] = i
	}
	urgency := func(t run.Task) int {
		switch t.State {
		case run.Running, run.Canceling:
			return 0
		case run.Failed:
			return 1
		case run.Pending:
			return 3
		default:
			return 2
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := urgency(tasks[a]) - urgency(tasks[b]); d != 0 {
			return d
		}
		return b - a
	})
	order = order[:rows]
	slices.Sort(order)
	for _, i := range order {
		chosen = append(chosen, tasks[i])
	}
	return chosen, len(tasks) - rows
}

func nameWidth(tasks []run.Task, columns int) int {
	width := 0
	for _, t := range tasks {
		width = max(width, console.Width(console.Clean(t.Path)))
	}
	return min(width, max(columns/2, 10))
}

func (p *progress) liveLine(t run.Task, now time.Time, spinner rune, width int) string {
	mark := stateMark(t, p.style)
	if t.State == run.Running || t.State == run.Canceling {
		mark = p.style.Busy(string(spinner))
	}
	name := console.Pad(console.Cut(console.Clean(t.Path), width), width)
	line := fmt.Sprintf("  %s %s  %s", mark, name, p.style.Dim(taskRemark(t, now)))
	if text := p.lines[t.ID]; text != "" {
		line += "  " + p.style.Dim(text)
	}
	return line
}

// stateMark is one cell that says how a task stands.
func stateMark(t run.Task, style console.Style) string {
	switch t.State {
	case run.Succeeded:
		return style.Good("✓")
	case run.Failed:
		return style.Bad("✗")
	case run.Skipped:
		return style.Dim("-")
	case run.Canceled:
		return style.Warn("■")
	case run.Running, run.Canceling:
		return style.Busy("●")
	default:
		return style.Dim("·")
	}
}
