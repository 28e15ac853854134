package blob

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestASweepWaitsForThoseWhoAreAboutToRelyOnAFile(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, err := s.PutReader(context.Background(), strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	s.sweeping.RLock() // as keep does while it looks at the file
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := s.Sweep(context.Background(), time.Now().Add(time.Hour), false, func(func(string) error) error { return nil })
		if err != nil {
			t.Error(err)
		}
	}()
	// The sweep is at the file once it keeps others from sharing the lock.
	for s.sweeping.TryRLock() {
		s.sweeping.RUnlock()
		select {
		case <-done:
			t.Fatal("the sweep went on")
		default:
		}
	}
	if _, err := os.Stat(s.file(strings.TrimPrefix(info.Digest, filePrefix))); err != nil {
		t.Errorf("the file, while it is held: %v", err)
	}
	s.sweeping.RUnlock()
	<-done
}
