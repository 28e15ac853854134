package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

func TestATaskShowsItsCommandAndItsPackages(t *testing.T) {
	svc, m := openMaker(t, func(o *pipeline.Options) {
		o.Packages = packages{"env": {"python==3.11.9", "pandas==2.2.1"}}
	})
	want := pipeline.StepSource{Component: "comp-make", Image: "x", Arguments: []string{"run"}, Environment: run.TaskEnvironment{Digest: "env", Packages: []string{"python==3.11.9", "pandas==2.2.1"}}}
	made := start(t, svc, makesFile, "a")
	wait(t, svc, made.ID)
	reused := start(t, svc, makesFile, "a")
	wait(t, svc, reused.ID)
	m.setEnvironment("gone")
	changed := start(t, svc, makesFile, "a")
	wait(t, svc, changed.ID)
	off := start(t, svc, strings.Replace(makesFile, "enableCache: true", "enableCache: false", 1), "a")
	wait(t, svc, off.ID)
	known := want.Environment
	for _, c := range []struct {
		what, run   string
		environment run.TaskEnvironment
	}{
		{"one that ran", made.ID, known},
		{"one whose result was reused", reused.ID, known},
		{"one whose environment is gone", changed.ID, run.TaskEnvironment{Digest: "gone", Packages: []string{}}},
		{"one that was not looked up", off.ID, run.TaskEnvironment{Packages: []string{}}},
	} {
		want.Environment = c.environment
		got, err := svc.StepSource(context.Background(), c.run, "make")
		if (got.Environment.Note == "") != (len(c.environment.Packages) > 0) {
			t.Errorf("%s: note %q", c.what, got.Environment.Note)
		}
		got.Environment.Note = ""
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", c.what, err, diff)
		}
	}
	if _, err := svc.StepSource(context.Background(), made.ID, "nothing"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}
