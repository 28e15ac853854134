package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"levada/internal/cli/console"
	"levada/internal/core/run"
)

// failureLines is how much of a failed task's log is shown by itself.
const failureLines = 20

// printSummary writes how a run ended: its tasks, and what it found out or why it failed.
func (a *app) printSummary(ctx context.Context, s *session, result runResult) error {
	style := a.style(a.deps.Stdout)
	if err := a.printTasks(result.Tasks); err != nil {
		return err
	}
	var b strings.Builder
	r := result.Run
	fmt.Fprintf(&b, "\n%s %s\n", stateWord(r.State, style), endRemark(r))
	for _, n := range r.Notices {
		fmt.Fprintf(&b, "note: %s\n", console.Clean(n))
	}
	writeMetrics(&b, result.Tasks)
	writeOutputs(&b, r.Outputs)
	if r.Failure != nil {
		fmt.Fprintf(&b, "\n%s\n", style.Bad(cleanLines(r.Failure.Message)))
	}
	if r.State == run.Failed {
		a.writeFailureLog(ctx, &b, s, result)
	}
	_, err := io.WriteString(a.deps.Stdout, b.String())
	return err
}

func stateWord(s run.State, style console.Style) string {
	switch s {
	case run.Succeeded:
		return style.Good(string(s))
	case run.Failed:
		return style.Bad(string(s))
	case run.Canceled, run.Canceling:
		return style.Warn(string(s))
	case run.Running:
		return style.Busy(string(s))
	default:
		return style.Dim(string(s))
	}
}

func endRemark(r run.Run) string {
	text := console.Clean(r.DisplayName)
	if r.FinishedAt != nil {
		text += " in " + console.Duration(r.FinishedAt.Sub(r.CreatedAt))
	}
	if r.Cached > 0 {
		text += fmt.Sprintf(", %d from the cache", r.Cached)
	}
	return text + "  (" + r.ID + ")"
}

// printTasks writes the table of a run's tasks.
func (a *app) printTasks(tasks []run.Task) error {
	style := a.style(a.deps.Stdout)
	table := console.NewTable("", "TASK", "STATE", "REMARK")
	for _, t := range tasks {
		if shown(t) {
			table.Add(stateMark(t, style), console.Clean(t.Path), stateWord(t.State, style), taskRemark(t, a.deps.Now()))
		}
	}
	return a.printTable(table)
}

// writeMetrics lists the numbers that tasks recorded in system.Metrics artifacts.
func writeMetrics(b *strings.Builder, tasks []run.Task) {
	var lines []string
	for _, t := range tasks {
		if !t.Kind.Leaf() {
			continue
		}
		for output, list := range t.Outputs.Artifacts {
			for _, artifact := range list {
				if artifact.SchemaTitle != "system.Metrics" {
					continue
				}
				for name, value := range artifact.Metadata {
					// KFP itself notes the name of an artifact among its metadata.
					if name != "display_name" {
						lines = append(lines, fmt.Sprintf("  %s.%s  %s = %s", console.Clean(t.Path), console.Clean(output), console.Clean(name), shortValue(value)))
					}
				}
			}
		}
	}
	writeSection(b, "Metrics", lines)
}

func writeOutputs(b *strings.Builder, v run.Values) {
	var lines []string
	for name, value := range v.Parameters {
		lines = append(lines, fmt.Sprintf("  %s = %s", console.Clean(name), shortValue(value)))
	}
	for name, list := range v.Artifacts {
		for _, artifact := range list {
			lines = append(lines, fmt.Sprintf("  %s  %s, %s  (%s)", console.Clean(name), console.Clean(artifact.SchemaTitle), console.Bytes(artifact.Size), artifact.ID))
		}
	}
	writeSection(b, "Outputs", lines)
}

func writeSection(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	slices.Sort(lines)
	fmt.Fprintf(b, "\n%s\n%s\n", title, strings.Join(lines, "\n"))
}

// shortValue writes a value in one line: a text as it stands, everything else as JSON.
func shortValue(v any) string {
	text, isText := v.(string)
	if !isText {
		body, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		text = string(body)
	}
	return console.Cut(console.Clean(text), 200)
}

// writeFailureLog adds the last lines of the task where the failure began. They are a help, so a log that cannot be
// read is passed over.
func (a *app) writeFailureLog(ctx context.Context, b *strings.Builder, s *session, result runResult) {
	failed := slices.IndexFunc(result.Tasks, func(t run.Task) bool { return isCulprit(t, result.Run.Failure) })
	if failed < 0 {
		return
	}
	t := result.Tasks[failed]
	lines, err := s.LastLines(ctx, t.RunID, t.ID, failureLines)
	if err != nil || len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\nLast lines of %s:\n", console.Clean(t.Path))
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", console.Clean(l.Text))
	}
	fmt.Fprintf(b, "\nAll of it: levada logs %s %s\n", console.ShortID(t.RunID), console.Clean(t.Path))
}

// isCulprit finds the task that a run's failure names, or any failed leaf when it names none.
func isCulprit(t run.Task, f *run.Failure) bool {
	if !t.Kind.Leaf() || t.State != run.Failed {
		return false
	}
	return f == nil || f.Task == "" || f.Task == t.Path
}
