// Package changes tells whoever shows something that it has changed: not what it is now, only that it is worth asking again.
//
// It is told of each commit and passes that on to its subscribers. A subscriber that is slow, or not there, holds nobody up and
// takes no memory for it: what it has not taken yet is a set of names that stays small. It must not know what the things are
// that change, nor who subscribes. Start reading at Feed.Publish.
package changes

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/change"
)

// pause is the shortest time between two answers to one subscriber: what changes within it is told together.
const pause = 100 * time.Millisecond

// slack is added to the time for which a subscriber says to have been away: the request that says so has been on its way too.
const slack = time.Second

// Feed passes changes on. Its methods may be called from any goroutine.
type Feed struct {
	now     func() time.Time
	started time.Time
	// listening is how many subscribers there are.
	listening atomic.Int32

	mu sync.Mutex
	// last is when each topic changed last.
	last        map[change.Topic]time.Time
	subscribers map[*Subscription]struct{}
}

// New returns a feed.
func New(now func() time.Time) *Feed {
	return &Feed{now: now, started: now(), last: map[change.Topic]time.Time{}, subscribers: map[*Subscription]struct{}{}}
}

// Listening reports whether anybody wants to know which things change.
func (f *Feed) Listening() bool { return f.listening.Load() > 0 }

// Publish tells of what a commit has changed. It waits for nobody.
func (f *Feed) Publish(s *change.Set) {
	if s.Empty() {
		return
	}
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Each(func(t change.Topic) { f.last[t] = now })
	for sub := range f.subscribers {
		sub.add(s)
	}
}

// Subscribe begins a subscription to topics. A subscriber that has been away says for how long: it is told at once of the topics that
// have changed since, and of all when this feed is not as old as that.
func (f *Feed) Subscribe(topics []change.Topic, away time.Duration) *Subscription {
	sub := &Subscription{feed: f, topics: map[change.Topic]bool{}, signal: make(chan struct{}, 1)}
	for _, t := range topics {
		sub.topics[t] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	since := f.now().Add(-away - slack)
	var missed change.Set
	for t := range sub.topics {
		if away > 0 && (f.started.After(since) || f.last[t].After(since)) {
			missed.Add(t, "")
		}
	}
	sub.add(&missed)
	f.subscribers[sub] = struct{}{}
	f.listening.Add(1)
	return sub
}

// Subscription is what one subscriber has not been told yet.
type Subscription struct {
	feed   *Feed
	topics map[change.Topic]bool
	signal chan struct{}

	mu      sync.Mutex
	pending change.Set
	told    time.Time
}

func (s *Subscription) add(set *change.Set) {
	s.mu.Lock()
	s.pending.Merge(set, func(t change.Topic) bool { return s.topics[t] })
	waiting := !s.pending.Empty()
	s.mu.Unlock()
	if waiting {
		s.wake()
	}
}

// wake lets Next look, now or when it is called.
func (s *Subscription) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// Next waits until something has changed, and returns all that has since the last call. It returns nothing when ctx is done. The first
// change after a quiet time is told at once. One goroutine at a time may call it.
func (s *Subscription) Next(ctx context.Context) []change.Notice {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.signal:
		}
		if !s.rest(ctx) {
			s.wake() // for the next call
			return nil
		}
		select {
		case <-s.signal: // before it is taken what it stands for: a signal that comes later is for what comes later
		default:
		}
		s.mu.Lock()
		taken := s.pending
		s.pending = change.Set{}
		s.mu.Unlock()
		if !taken.Empty() {
			s.told = s.feed.now()
			return taken.Notices()
		}
	}
}

// rest waits until the pause since the last answer is over, and reports whether it is.
func (s *Subscription) rest(ctx context.Context) bool {
	wait := pause - s.feed.now().Sub(s.told)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Close ends the subscription. Closing twice is the same as closing once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if _, open := s.feed.subscribers[s]; open {
		delete(s.feed.subscribers, s)
		s.feed.listening.Add(-1)
	}
}
