package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// logLine is one line of `levada logs -o json`, which prints one object per line.
type logLine struct {
	Task string `json:"task"`
	run.LogLine
}

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var attempt int
	cmd := &cobra.Command{
		Use:   "logs RUN [TASK]",
		Short: "Show what the steps of a run printed",
		Long: "Show what the steps of a run printed: those of one task (an id, a path or an unambiguous name), or of all tasks,\n" +
			"each line after its task's name. With -o json every line is an object of its own.",
		Example: "  levada logs latest train\n  levada logs latest -f\n  levada logs 3f2a train --attempt 1",
		Args:    cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the task or run has ended")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "attempt, counted from 1 (default: the newest); needs TASK")
	out := addOutput(cmd)
	a.addServer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if attempt < 0 || (attempt > 0 && len(args) == 1) {
			return fault.Invalidf("--attempt wants a number from 1 on, and the TASK it is of")
		}
		open := a.look
		if follow {
			open = a.with
		}
		return open(cmd, func(ctx context.Context, s *session) error {
			r, err := findRun(ctx, s, args[0])
			if err != nil {
				return err
			}
			p := &logPrinter{app: a, json: out.json()}
			if len(args) == 2 {
				t, err := s.Task(ctx, r.ID, args[1])
				if err != nil {
					return err
				}
				if attempt > max(t.Attempts, 1) {
					return fault.NotFoundf("task %s has been started %d times: it has no attempt %d", t.Path, t.Attempts, attempt)
				}
				return s.Logs(ctx, r.ID, t.ID, attempt, follow, p.printer(t, false))
			}
			if follow {
				return followAllLogs(ctx, s, r, p)
			}
			return printAllLogs(ctx, s, r, p)
		})
	}
	return cmd
}

// logPrinter writes lines of several tasks, whole and one at a time.
type logPrinter struct {
	app  *app
	json bool
	mu   sync.Mutex
}

func (p *logPrinter) printer(t run.Task, prefixed bool) func(run.LogLine) error {
	style := p.app.style(p.app.deps.Stdout)
	prefix := ""
	if prefixed {
		prefix = style.Dim(console.Clean(t.Path) + " | ")
	}
	return func(l run.LogLine) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.json {
			return p.line(logLine{Task: t.Path, LogLine: l})
		}
		text := console.Clean(l.Text)
		if l.Stream == "system" {
			text = style.Dim(text)
		}
		_, err := io.WriteString(p.app.deps.Stdout, prefix+text+"\n")
		return err
	}
}

func printAllLogs(ctx context.Context, s *session, r run.Run, p *logPrinter) error {
	tasks, err := s.Tasks(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if !t.Kind.Leaf() || t.Attempts == 0 && !t.Cached {
			continue
		}
		if err := s.Logs(ctx, r.ID, t.ID, 0, false, p.printer(t, true)); err != nil {
			return err
		}
	}
	return nil
}

// followAllLogs follows every task that has started, from its beginning, until the run ends. A task that is tried
// again is followed again.
func followAllLogs(ctx context.Context, s *session, r run.Run, p *logPrinter) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var followers sync.WaitGroup
	defer followers.Wait()
	seen := map[string]int{} // the newest attempt that is followed, by task id
	err := s.Watch(ctx, r.ID, client.Watcher{Run: func(run.Run) {}, Task: func(t run.Task) {
		if !t.Kind.Leaf() || t.Attempts <= seen[t.ID] {
			return
		}
		seen[t.ID] = t.Attempts
		followers.Go(func() {
			if err := s.Logs(ctx, r.ID, t.ID, t.Attempts, true, p.printer(t, true)); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("follow %s: %w", t.Path, err))
			}
		})
	}})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return cause
		}
		cancel(err)
		return err
	}
	followers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return nil
}

// line writes one object per line, which is easier to stream than one list.
func (p *logPrinter) line(l logLine) error {
	return compactJSON(p.app.deps.Stdout, l)
}
