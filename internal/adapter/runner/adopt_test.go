package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"levada/internal/adapter/runner"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// leaves runs a step until it says "started" in its log, and then has its server go away. The step must go on.
func (f *fixture) leaves(s *run.Step) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := f.Runner.Run(ctx, s)
		ended <- err
	}()
	started := errors.New("started")
	err := f.logs.Read(ctx, s.Job.RunID, s.TaskID, s.Attempt, true, func(l run.LogLine) error {
		if l.Text == "started" {
			return started
		}
		return nil
	})
	if !errors.Is(err, started) {
		f.t.Fatalf("the step did not start: %v", err)
	}
	f.Detach()
	cancel()
	if err := <-ended; err == nil {
		f.t.Fatal("the step ended before its server")
	}
	if err := f.Close(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

// next is the runner of the next server on the same data.
func (f *fixture) after(open ...*run.Step) *fixture {
	f.t.Helper()
	n := newFixture(f.t, func(o *runner.Options) {
		o.DataDir, o.Supervised = f.data, true
		o.Blobs, o.Logs = f.blobs, f.logs
	})
	n.data, n.blobs, n.logs = f.data, f.blobs, f.logs
	var ids []run.AttemptID
	for _, s := range open {
		ids = append(ids, s.ID())
	}
	if err := n.Recover(f.t.Context(), ids); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// waits is a step that writes a line to a file, waits until another file exists, and gives a result.
func (f *fixture) waits(mode string) (s *run.Step, lines func() []string, release func()) {
	dir := f.t.TempDir()
	effect, gate := filepath.Join(dir, "effect"), filepath.Join(dir, "gate")
	if mode == "warm" {
		s = f.python(fmt.Sprintf(`
def f(out: Output[Dataset]) -> str:
    import os, time
    open(%q, 'a').write(str(os.getpid()) + '\n')
    print('started', flush=True)
    while not os.path.exists(%q):
        time.sleep(0.005)
    open(out.path, 'w').write('content')
    print('finished')
    return 'result'
`, effect, gate))
	} else {
		s = f.command("alpine", "sh", "-c", fmt.Sprintf(
			`echo $$ >> %q; echo started; while ! [ -e %q ]; do sleep 0.01; done; echo content > {{$.outputs.artifacts['out'].path}}; `+
				`printf result > {{$.outputs.parameters['Output'].output_file}}; echo finished`, effect, gate))
	}
	parameter(s, "Output", ir.String)
	artifact(s, "out", "system.Dataset")
	lines = func() []string {
		b, err := os.ReadFile(effect)
		if err != nil {
			f.t.Fatal(err)
		}
		return strings.Fields(string(b))
	}
	release = func() {
		if err := os.WriteFile(gate, nil, 0o644); err != nil {
			f.t.Error(err)
		}
	}
	return s, lines, release
}

func startedBoth(t *testing.T, test func(t *testing.T, mode string)) {
	for _, mode := range []string{"exec", "warm"} {
		t.Run(mode, func(t *testing.T) { test(t, mode) })
	}
}

func TestTheNextServerAdoptsARunningStep(t *testing.T) {
	startedBoth(t, func(t *testing.T, mode string) {
		first := newFixture(t, supervised)
		s, lines, release := first.waits(mode)
		first.leaves(s)
		second := first.after(s)
		time.AfterFunc(50*time.Millisecond, release)
		v := second.must(s)
		if v.Parameters["Output"] != "result" || v.Artifacts["out"][0].Digest == "" {
			t.Errorf("%+v", v)
		}
		if got := lines(); len(got) != 1 {
			t.Errorf("the step ran %d times", len(got))
		}
		contains(t, second.log(s), "started", "finished")
		if st := second.Stats(); st.Adopted != 1 || st.Warm+st.Executed != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAStepThatEndedWhileNoServerWasThereCounts(t *testing.T) {
	startedBoth(t, func(t *testing.T, mode string) {
		first := newFixture(t, supervised)
		s, lines, release := first.waits(mode)
		first.leaves(s)
		release()
		await(t, "the supervisor to end", func() bool { return first.Supervisor() == 0 })
		// The result can be had as often as it is asked for, until it is settled.
		for range 2 {
			second := first.after(s)
			v, err := second.Runner.Run(t.Context(), s)
			if err != nil || v.Parameters["Output"] != "result" || v.Artifacts["out"][0].Digest == "" {
				t.Errorf("%+v, %v", v, err)
			}
			second.Detach()
			if err := second.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got := lines(); len(got) != 1 {
			t.Errorf("the step ran %d times", len(got))
		}
	})
}

func TestAFailureWhileNoServerWasThereIsTheSame(t *testing.T) {
	first := newFixture(t, supervised)
	gate := filepath.Join(t.TempDir(), "gate")
	s := first.python(fmt.Sprintf("def f():\n    import os, time\n    print('started', flush=True)\n    while not os.path.exists(%q): time.sleep(0.005)\n"+
		"    raise ValueError('no good')", gate))
	first.leaves(s)
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	second := first.after(s)
	contains(t, second.fails(t.Context(), s, run.ReasonExit).Message, "ValueError: no good")
}

func TestAnAdoptedStepCanBeCancelled(t *testing.T) {
	startedBoth(t, func(t *testing.T, mode string) {
		first := newFixture(t, supervised)
		s, lines, _ := first.waits(mode)
		first.leaves(s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		second := first.after(s)
		second.fails(ctx, s, run.ReasonCanceled)
		gone(t, lines()[0])
	})
}

func TestAnAdoptedStepThatIgnoresSIGTERMIsKilled(t *testing.T) {
	first := newFixture(t, supervised)
	s := first.command("alpine", "sh", "-c", `trap "" TERM; echo started; while :; do sleep 0.01; done`)
	first.leaves(s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	first.after(s).fails(ctx, s, run.ReasonCanceled)
}

func TestLimitsHoldWhileNoServerIsThere(t *testing.T) {
	first := newFixture(t, supervised)
	s := first.command("alpine", "sh", "-c", "echo started; sleep 600")
	s.Kubernetes = &ir.KubernetesExecutor{ActiveDeadlineSeconds: "1"}
	first.leaves(s)
	await(t, "the supervisor to end the step and itself", func() bool { return first.Supervisor() == 0 })
	first.after(s).fails(t.Context(), s, run.ReasonTimeout)
}

func TestAStepOfARunThatNoLongerWaitsForItIsEnded(t *testing.T) {
	startedBoth(t, func(t *testing.T, mode string) {
		first := newFixture(t, supervised)
		s, lines, _ := first.waits(mode)
		first.leaves(s)
		second := first.after()
		gone(t, lines()[0])
		if left, _ := filepath.Glob(filepath.Join(second.data, "work", "*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestWhenTheSupervisorIsKilledTheAttemptIsLostAndNothingOfItRuns(t *testing.T) {
	startedBoth(t, func(t *testing.T, mode string) {
		f := newFixture(t, supervised)
		s, lines, _ := f.waits(mode)
		ended := make(chan error, 1)
		go func() {
			_, err := f.Runner.Run(context.Background(), s)
			ended <- err
		}()
		await(t, "the step to start", func() bool { return strings.Contains(f.log(s), "started") })
		if err := syscall.Kill(f.Supervisor(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var lost *run.Failure
		if err := <-ended; !errors.As(err, &lost) || lost.Reason != run.ReasonLost {
			t.Fatalf("got %v", err)
		}
		gone(t, lines()[0])
		// The next attempt gets a new supervisor.
		f.must(f.python("def f(): pass"))
	})
}

func TestWhenServerAndSupervisorAreKilledTheNextServerEndsWhatIsLeft(t *testing.T) {
	startedBoth(t, func(t *testing.T, mode string) {
		first := newFixture(t, supervised)
		s, lines, _ := first.waits(mode)
		first.leaves(s)
		if err := syscall.Kill(first.Supervisor(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		second := first.after(s)
		contains(t, second.fails(t.Context(), s, run.ReasonLost).Message, "was killed")
		gone(t, lines()[0])
	})
}

func TestAServiceManagerThatEndsEverythingIsNotTheStepsFailure(t *testing.T) {
	first := newFixture(t, supervised)
	s, lines, _ := first.waits("exec")
	first.leaves(s)
	pid, err := strconv.Atoi(lines()[0])
	if err != nil {
		t.Fatal(err)
	}
	supervisor := first.Supervisor()
	if err := errors.Join(syscall.Kill(-pid, syscall.SIGTERM), syscall.Kill(supervisor, syscall.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	first.after(s).fails(t.Context(), s, run.ReasonLost)
}

func TestARecordFromBeforeTheMachineWasRestartedMeansNothing(t *testing.T) {
	f := newFixture(t, supervised)
	s, lines, release := f.waits("exec")
	release()
	if _, err := f.Runner.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.data, "work", s.Job.RunID, s.TaskID+".1", "record")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Skip("no boot id on this system")
	}
	old := strings.ReplaceAll(string(b), strings.TrimSpace(string(boot)), "another")
	old = strings.ReplaceAll(old, `"ended":true`, `"ended":false`)
	if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, f.after(s).fails(t.Context(), s, run.ReasonLost).Message, "restarted")
	if n := len(lines()); n != 1 {
		t.Errorf("the step ran %d times", n)
	}
}

// gone waits until a process has ended: it was signalled, and the system needs a moment.
func gone(t *testing.T, pid string) {
	t.Helper()
	await(t, "process "+pid+" to end", func() bool {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(b), ") Z ")
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("waited in vain for " + what)
		}
	}
}
