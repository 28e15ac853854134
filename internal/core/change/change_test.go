package change_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/change"
)

func all(change.Topic) bool { return true }

func TestASetNamesEachThingOnceAndTopicsInTheirOrder(t *testing.T) {
	var s change.Set
	if !s.Empty() {
		t.Error("a new set is not empty")
	}
	s.Add(change.Models, "")
	for _, id := range []string{"b", "a", "b"} {
		s.Add(change.Runs, id)
	}
	want := []change.Notice{{Topic: change.Runs, IDs: []string{"a", "b"}}, {Topic: change.Models}}
	if diff := cmp.Diff(want, s.Notices()); diff != "" {
		t.Error(diff)
	}
}

func TestATopicOfWhichAnythingMayHaveChangedNamesNothing(t *testing.T) {
	for _, ids := range [][]string{{"a", ""}, {"", "a"}} {
		var s change.Set
		for _, id := range ids {
			s.Add(change.Runs, id)
		}
		if diff := cmp.Diff([]change.Notice{{Topic: change.Runs}}, s.Notices()); diff != "" {
			t.Errorf("%q: %s", ids, diff)
		}
	}
}

func TestASetDoesNotGrowWithoutEnd(t *testing.T) {
	var s, whole change.Set
	for i := range change.MaxIDs {
		s.Add(change.Runs, fmt.Sprint(i))
	}
	s.Add(change.Runs, "0")
	if n := len(s.Notices()[0].IDs); n != change.MaxIDs {
		t.Fatalf("%d ids, want %d", n, change.MaxIDs)
	}
	whole.Merge(&s, all)
	whole.Add(change.Runs, "one more")
	if ids := whole.Notices()[0].IDs; ids != nil {
		t.Errorf("%d ids, want none", len(ids))
	}
}

func TestOnlyWantedTopicsAreMerged(t *testing.T) {
	var from, s change.Set
	from.Add(change.Runs, "a")
	from.Add(change.System, "")
	s.Add(change.Runs, "b")
	s.Merge(&from, func(t change.Topic) bool { return t == change.Runs })
	if diff := cmp.Diff([]change.Notice{{Topic: change.Runs, IDs: []string{"a", "b"}}}, s.Notices()); diff != "" {
		t.Error(diff)
	}
}
