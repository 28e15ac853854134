package changes_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/changes"
	"levada/internal/core/change"
)

func setOf(t change.Topic, ids ...string) *change.Set {
	var s change.Set
	for _, id := range ids {
		s.Add(t, id)
	}
	return &s
}

func TestTheFirstChangeIsToldAtOnceAndTheOthersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := changes.New(time.Now)
		sub := f.Subscribe(change.Topics(), 0)
		defer sub.Close()
		began := time.Now()
		f.Publish(setOf(change.Runs, "a"))
		if diff := cmp.Diff([]change.Notice{{Topic: change.Runs, IDs: []string{"a"}}}, sub.Next(t.Context())); diff != "" {
			t.Error(diff)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the first was told after %v", waited)
		}
		for i := range 5 {
			f.Publish(setOf(change.Runs, fmt.Sprint(i)))
			time.Sleep(10 * time.Millisecond)
		}
		got := sub.Next(t.Context())
		if diff := cmp.Diff([]change.Notice{{Topic: change.Runs, IDs: []string{"0", "1", "2", "3", "4"}}}, got); diff != "" {
			t.Error(diff)
		}
		if waited := time.Since(began); waited != 100*time.Millisecond {
			t.Errorf("the others were told after %v", waited)
		}
	})
}

func TestNobodyIsToldOfTopicsThatWereNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := changes.New(time.Now)
		sub := f.Subscribe([]change.Topic{change.Models}, 0)
		defer sub.Close()
		f.Publish(setOf(change.Runs, "a"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if got := sub.Next(ctx); got != nil {
			t.Errorf("got %v", got)
		}
	})
}

func TestASubscriberThatDoesNotReadHoldsNobodyUpAndLearnsThatItMissedMuch(t *testing.T) {
	f := changes.New(time.Now)
	slow := f.Subscribe(change.Topics(), 0)
	defer slow.Close()
	for i := range 100_000 {
		f.Publish(setOf(change.TrackedRuns, fmt.Sprint(i)))
	}
	if diff := cmp.Diff([]change.Notice{{Topic: change.TrackedRuns}}, slow.Next(t.Context())); diff != "" {
		t.Error(diff)
	}
}

func TestWhoWasAwayIsToldWhatChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := changes.New(time.Now)
		time.Sleep(time.Hour)
		f.Publish(setOf(change.Runs, "a"))
		time.Sleep(time.Minute)
		f.Publish(setOf(change.Models, ""))
		time.Sleep(5 * time.Second)
		next := func(away time.Duration) []change.Notice {
			sub := f.Subscribe([]change.Topic{change.Runs, change.Models, change.System}, away)
			defer sub.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return sub.Next(ctx)
		}
		for _, c := range []struct {
			away time.Duration
			want []change.Notice
		}{
			{0, nil}, // it has just begun to look
			{3 * time.Second, nil},
			{10 * time.Second, []change.Notice{{Topic: change.Models}}},
			{2 * time.Minute, []change.Notice{{Topic: change.Runs}, {Topic: change.Models}}},
			{2 * time.Hour, []change.Notice{{Topic: change.Runs}, {Topic: change.Models}, {Topic: change.System}}}, // longer than there is a feed
		} {
			if diff := cmp.Diff(c.want, next(c.away)); diff != "" {
				t.Errorf("away for %v: %s", c.away, diff)
			}
		}
		if f.Listening() {
			t.Error("somebody is still listening")
		}
	})
}

func TestAChangeWithinThePauseIsNotLostWhenTheWaitIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := changes.New(time.Now)
		sub := f.Subscribe([]change.Topic{change.Runs}, 0)
		defer sub.Close()
		f.Publish(setOf(change.Runs, "a"))
		sub.Next(t.Context())
		f.Publish(setOf(change.Runs, "b"))
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if got := sub.Next(short); got != nil {
			t.Errorf("got %v within the pause", got)
		}
		long, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if diff := cmp.Diff([]change.Notice{{Topic: change.Runs, IDs: []string{"b"}}}, sub.Next(long)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNoChangeIsLostBetweenManyWritersAndReaders(t *testing.T) {
	f := changes.New(time.Now)
	const writers, each = 8, 20
	var writing, reading sync.WaitGroup
	for range 3 {
		sub := f.Subscribe([]change.Topic{change.Runs}, 0)
		reading.Go(func() {
			defer sub.Close()
			seen := map[string]bool{}
			for len(seen) < writers*each {
				for _, n := range sub.Next(t.Context()) {
					for _, id := range n.IDs {
						seen[id] = true
					}
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				f.Publish(setOf(change.Runs, fmt.Sprintf("%d/%d", w, i)))
			}
		})
	}
	writing.Wait()
	reading.Wait()
	if f.Listening() {
		t.Error("somebody is still listening")
	}
}

// BenchmarkPublish measures what a commit pays for telling of itself.
func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{0, 1, 10, 100} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			f := changes.New(time.Now)
			for range subscribers {
				f.Subscribe(change.Topics(), 0)
			}
			set := setOf(change.TrackedRuns, "a")
			for b.Loop() {
				f.Publish(set)
			}
		})
	}
}
