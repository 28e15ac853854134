package run_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/run"
)

func failed(id, pipeline, task string, reason run.Reason, message string) run.Brief {
	at := time.Date(2026, 1, 1, 0, 0, int(id[0]), 0, time.UTC)
	return run.Brief{ID: id, PipelineName: pipeline, State: run.Failed, CreatedAt: at, FinishedAt: &at,
		Failure: &run.Failure{Reason: reason, Task: task, Message: message}}
}

func TestFailuresOfOneKindInOneTaskAreOneCause(t *testing.T) {
	got := run.Causes([]run.Brief{
		failed("a", "p", "loop/0/train", run.ReasonExit, `task "train" failed: the step ended with exit code 1: ValueError: 3 rows of 'x' are NaN`),
		failed("c", "p", "loop/17/train", run.ReasonExit, `task "train" failed: the step ended with exit code 1: ValueError: 41 rows of 'y' are NaN`),
		failed("b", "p", "loop/2/train", run.ReasonExit, `task "train" failed: the step ended with exit code 1: KeyError: 'x'`),
		failed("d", "q", "loop/2/train", run.ReasonExit, `task "train" failed: the step ended with exit code 1: KeyError: 'x'`),
		failed("e", "p", "one", run.ReasonEnvironment, `task "one" failed: no such package: six==9.9 (https://packages.example/simple)`),
		failed("f", "q", "two", run.ReasonEnvironment, `task "two" failed: no such package: six==9.8 (https://packages.example/simple)`),
	})
	type line struct {
		Task, Pipeline string
		Count          int
		Newest         string
		First          int
	}
	var lines []line
	for _, c := range got {
		lines = append(lines, line{c.Task, c.Pipeline, c.Count, c.Newest.ID, c.FirstAt.Second()})
	}
	want := []line{
		{"", "", 2, "f", 41},
		{"loop/*/train", "q", 1, "d", 40},
		{"loop/*/train", "p", 2, "c", 37},
		{"loop/*/train", "p", 1, "b", 38},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if m := got[2].Message; m != "the step ended with exit code 1: ValueError: 41 rows of 'y' are NaN" {
		t.Errorf("message %q, want that of the newest, without the task", m)
	}
}

func TestAFailureWithoutAReasonAndOneOfAMegabyteAreCauses(t *testing.T) {
	long := failed("a", "p", "t", run.ReasonExit, strings.Repeat("ü", 1<<19))
	got := run.Causes([]run.Brief{{ID: "x", State: run.Failed}, long})
	if len(got) != 2 || len(got[0].Message) > 1100 || !utf8.ValidString(got[0].Message) || got[1].Message == "" {
		t.Errorf("%+v", got)
	}
}
