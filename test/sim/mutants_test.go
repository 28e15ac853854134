package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutant is a bug that is put into the product: in a copy of one file, which only this test's compiler sees.
type mutant struct {
	name, file, old, new string
}

// mutants are bugs of the kinds that the simulator is for. Those marked "was" are ones that it has found.
var mutants = []mutant{
	{"a false condition is taken for true", "internal/core/engine/settle.go", "if !yes {", "if false && !yes {"},
	{"a failed task does not keep back those after it", "internal/core/engine/settle.go", "case run.Failed:\n\t\t\treturn fmt.Sprintf(\"task %q before it failed\", u.name)", "case run.Failed:"},
	{"a skipped task does not keep back those after it", "internal/core/engine/settle.go", "case run.Skipped:\n\t\t\treturn fmt.Sprintf(\"task %q before it was skipped\", u.name)", "case run.Skipped:"},
	{"an exit handler is skipped after a failure", "internal/core/engine/settle.go", "p.Strategy == ir.AllUpstreamCompleted", "p.Strategy == ir.AllUpstreamCompleted && n.parent == nil"},
	{"a loop runs one iteration too many at once", "internal/core/engine/settle.go", "loop.open < limit", "loop.open <= limit"},
	{"a loop counts no iteration as under way", "internal/core/engine/apply.go", "n.parent.open++\n", ""},
	{"a group with a failed member succeeds", "internal/core/engine/settle.go", "e.State = bad.state\n", ""},
	{"a group is not tried again", "internal/core/engine/settle.go", "if at, again := n.retryAt(d.now); again {\n", "if at, again := n.retryAt(d.now); again && n.path == \"\" {\n"},
	{"one retry too many", "internal/core/engine/node.go", "n.failures >= p.MaxRetryCount", "n.failures > p.MaxRetryCount"},
	{"pauses do not grow", "internal/core/engine/node.go", "math.Pow(factor, float64(n.failures))", "math.Pow(factor, 0)"},
	{"a permanent failure is tried again", "internal/core/engine/engine.go", "&& !c.Failure.Permanent()", ""},
	{"attempts of a group's second try count from one again", "internal/core/engine/node.go", "n.attempt = s.attempts[n.path]", "s.attempts[n.path] = 0"},
	{"a late report is believed", "internal/core/engine/engine.go", "n.phase != phaseRunning || n.attempt != attempt {", "n.phase == phaseFinal {"},
	{"a cancel leaves what waits for a retry", "internal/core/engine/node.go", "n.phase == phaseReady || n.phase == phaseWaiting", "n.phase == phaseReady"},
	{"a cancel leaves what has not started", "internal/core/engine/engine.go", "range d.unstarted() {", "range d.unstarted()[:0] {"},
	{"was: an attempt lost while its run is cancelled waits for ever", "internal/core/engine/engine.go", "\tcase d.canceling:\n\t\treturn d.command(Stopped", "\tcase false:\n\t\treturn d.command(Stopped"},
	{"OneOf takes the last that ran", "internal/core/engine/bind.go", "out.Parameters[key] = v\n\t\t\t\tbreak", "out.Parameters[key] = v"},
	{"Collected keeps the outputs of failed iterations", "internal/core/engine/bind.go", "v, ok := it.outputs.Parameters[key]; ok && it.state == run.Succeeded", "v, ok := it.outputs.Parameters[key]; ok || it.state == run.Failed"},
	{"a null input replaces the default", "internal/core/engine/bind.go", "case has:\n\t\t\treturn d, nil", "case has && ok:\n\t\t\treturn d, nil"},
	{"the tasks of an earlier try stay", "internal/core/engine/apply.go", "s.removed = append(s.removed, n.path)", "_ = n.path"},
	{"steps start before their launch is stored", "internal/pipeline/actor.go", "	if len(events) > 0 {\n\t\tif err := a.store", "	a.carryOut(ctx, events)\n\tif len(events) > 0 {\n\t\tif err := a.store"},
	{"a restart forgets what was running", "internal/pipeline/recover.go", "a.pending = append(a.pending, engine.Event{Type: engine.TaskLaunched, Task: task})", "_ = task"},
	{"a restart forgets what was ready", "internal/pipeline/recover.go", "a.pending = append(a.pending, engine.Event{Type: engine.TaskReady, Task: task})", "_ = task"},
	{"a restart counts events from one less", "internal/pipeline/recover.go", "a.seq = int64(len(log.records))", "a.seq = int64(len(log.records)) - 1"},
	{"was: a half-reported commit is a conflict when the log cannot be read", "internal/pipeline/actor.go", "	if err != nil {\n\t\treturn err\n\t}\n\tif !slices.EqualFunc(log", "	if err != nil {\n\t\treturn conflict\n\t}\n\tif !slices.EqualFunc(log"},
	{"an error of the disk is taken for success", "internal/pipeline/actor.go", "		case err == nil:\n\t\t\treturn nil\n\t\tcase ctx.Err()", "		case err == nil || fault.KindOf(err) == fault.Unavailable:\n\t\t\treturn nil\n\t\tcase ctx.Err()"},
	{"was: an error of the disk ends a run", "internal/pipeline/actor.go", "case !uncertain(err):", "case fault.KindOf(err) != fault.Unavailable:"},
	{"a cancel is acknowledged before it is stored", "internal/pipeline/actor.go", "	now := a.now()\n\tvar events", "	now := a.now()\n\tfor _, m := range batch {\n\t\tif m.done != nil {\n\t\t\tm.done <- nil\n\t\t}\n\t}\n\tbatch = slices.Clone(batch)\n\tfor i := range batch {\n\t\tbatch[i].done = nil\n\t}\n\tvar events"},
	{"was: a cancel that came too late is acknowledged", "internal/pipeline/actor.go", "if a.run.State.Final() && a.run.State != run.Canceled {", "if false {"},
	{"a cancel does not stop what runs", "internal/pipeline/actor.go", "a.stopAll(errCanceled)", "_ = errCanceled"},
	{"was: a run whose creation was half reported waits for the next restart", "internal/pipeline/submit.go", "		s.resume(id)\n", ""},
	{"was: a clock that goes back makes time go back", "internal/pipeline/actor.go", "if t := a.svc.now(); t.After(a.last) {", "if t := a.svc.now(); true {"},
	{"was: a group that is tried again at once loses what was just reported", "internal/pipeline/actor.go", "	var events []engine.Event\n\tfor _, m := range batch {", "	var events []engine.Event\n\tfor _, m := range append(batch, message{command: engine.Wake{}}) {"},
	{"was: of two retries due at the same moment the second waits for ever", "internal/pipeline/actor.go", "	a.wakeAt = t\n\tif t.IsZero()", "	if t.Equal(a.wakeAt) {\n\t\treturn\n\t}\n\ta.wakeAt = t\n\tif t.IsZero()"},
	{"a result is given up before it is stored", "internal/pipeline/actor.go", "	now := a.now()\n\tvar events", "	now := a.now()\n\tfor _, m := range batch {\n\t\tif m.stored != nil {\n\t\t\tm.stored()\n\t\t}\n\t}\n\tvar events"},
	{"a restart starts what runs a second time", "internal/pipeline/recover.go", "open = append(open, a.state.Step(task).ID())", "_ = open"},
	{"was: a retry that comes while its run ends starts a second actor", "internal/pipeline/retry.go", "if err := s.gone(ctx, id); err != nil {", "if err := error(nil); err != nil {"},
	{"a retry does not keep what succeeded", "internal/core/engine/retry.go", "(n.state == run.Succeeded || n.state == run.Skipped)", "n.state == run.Skipped"},
	{"a retry keeps the exit handler", "internal/core/engine/retry.go", "if redo[j] {", "if false && redo[j] {"},
	{"places are not given back at the end", "internal/pipeline/actor.go", "	defer a.releaseAll()\n", ""},
	{"a watcher misses the last change", "internal/pipeline/watch.go", "w.tasks[t.Path] = t\n", "if !r.State.Final() {\n\t\t\t\t\tw.tasks[t.Path] = t\n\t\t\t\t}\n"},
	{"was: a cache that cannot be read fails the task", "internal/pipeline/step.go", "\t\treturn lookup, nil, nil\n\t}\n\tif old :=", "\t\tif fault.KindOf(err) != fault.NotFound {\n\t\t\treturn nil, nil, err\n\t\t}\n\t\treturn lookup, nil, nil\n\t}\n\tif old :="},
	{"the cache does not look at parameters", "internal/core/cachekey/cachekey.go", "b.add(run.PartParameter, name, readable(v), v)", "_ = v"},
	{"the cache does not look at artifacts", "internal/core/cachekey/cachekey.go", "b.artifact(name, s.Inputs.Artifacts[name])", "_ = name"},
	{"a run that is shutting down reports its steps as failed", "internal/pipeline/step.go", "return nil // shutting down", "break // shutting down"},
}

var mutantsFlag = regexp.MustCompile(os.Getenv("SIM_MUTANTS")) // "." for all of them

// TestEachBugIsFound shows that the simulator finds bugs: it plants them one by one and runs seeds until one breaks a promise.
// It compiles the product once for each, so it runs only when it is asked for: make sim-mutants.
func TestEachBugIsFound(t *testing.T) {
	if os.Getenv("SIM_MUTANTS") == "" {
		t.Skip("compiles the product dozens of times; run make sim-mutants")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		if !mutantsFlag.MatchString(m.name) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			seed, how := m.hunt(t, root)
			t.Logf("found by seed %s: %s", seed, how)
		})
	}
}

// A table of bugs that can no longer be planted would show nothing.
func TestEachBugHasItsPlace(t *testing.T) {
	for _, m := range mutants {
		source, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), m.old) {
			t.Errorf("%s: %s does not hold the text to replace any more: %q", m.name, m.file, m.old)
		}
	}
}

// hunt returns the first seed that finds the bug, and what it breaks.
func (m mutant) hunt(t *testing.T, root string) (seed, how string) {
	t.Helper()
	const seeds = 6_000
	file := filepath.Join(root, m.file)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-overlay", list, "-tags", "grpcnotrace", "-run", "TestSchedules", "-seeds", fmt.Sprint(seeds), ".")
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`seed (\d+): (.*)`).FindStringSubmatch(string(out))
	if found == nil {
		t.Fatalf("%d seeds do not find it:\n%.2000s", seeds, out)
	}
	return found[1], found[2]
}
