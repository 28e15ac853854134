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

// usage is what attempts used, by "task attempt".
type usage map[string]run.Usage

func (u usage) Usage(_ context.Context, _, task string, attempt int) (run.Usage, error) {
	found, ok := u[task+" "+string(rune('0'+attempt))]
	if !ok {
		return found, fault.NotFoundf("not measured")
	}
	return found, nil
}

func TestTheEnvironmentOfATaskIsTheOneThatItRanInOrThatItsResultIsFrom(t *testing.T) {
	lists := packages{"env": {"python==3.11.9", "pandas==2.2.1"}}
	measured := usage{}
	svc, maker := openMaker(t, func(o *pipeline.Options) { o.Packages, o.Usage = lists, measured })
	of := func(runID string) run.TaskEnvironment {
		t.Helper()
		e, err := svc.TaskEnvironment(context.Background(), runID, "make")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := wait(t, svc, start(t, svc, makesFile, "a").ID)
	again := wait(t, svc, start(t, svc, makesFile, "a").ID)
	want := run.TaskEnvironment{Digest: "env", Packages: lists["env"]}
	if diff := cmp.Diff(want, of(first.ID)) + cmp.Diff(want, of(again.ID)); diff != "" || again.Cached != 1 {
		t.Error(diff)
	}
	maker.setEnvironment("gone")
	if e := of(wait(t, svc, start(t, svc, makesFile, "b").ID).ID); e.Digest != "gone" || len(e.Packages) > 0 || !strings.Contains(e.Note, "removed") {
		t.Errorf("%+v", e)
	}

	uncached, err := svc.Submit(context.Background(), pipeline.Submission{Spec: []byte(makesFile), CacheOff: true, Parameters: map[string]any{"text": "c"}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, svc, uncached.ID)
	if e := of(uncached.ID); e.Digest != "" || e.Note == "" {
		t.Errorf("%+v", e)
	}
	measured[run.TaskID(uncached.ID, "make")+" 1"] = run.Usage{Environment: "env", PeakBytes: 5}
	if diff := cmp.Diff(want, of(uncached.ID)); diff != "" {
		t.Error(diff)
	}
	if u, err := svc.TaskUsage(context.Background(), uncached.ID, "make", 0); err != nil || u.PeakBytes != 5 {
		t.Errorf("%+v, %v", u, err)
	}
	for _, r := range []run.Run{first, again} {
		if _, err := svc.TaskUsage(context.Background(), r.ID, "make", 0); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v, want NotFound", err)
		}
	}
}
