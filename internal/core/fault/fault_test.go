package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"levada/internal/core/fault"
)

func TestKindsSurviveWrapping(t *testing.T) {
	err := fmt.Errorf("list runs: %w", fault.Conflictf("name in use: %w", io.EOF))
	if fault.KindOf(err) != fault.Conflict || !errors.Is(err, io.EOF) {
		t.Errorf("kind %v, is EOF %v", fault.KindOf(err), errors.Is(err, io.EOF))
	}
	if got, want := err.Error(), "list runs: name in use: EOF"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if fault.KindOf(io.EOF) != fault.Internal || fault.KindOf(nil) != fault.Internal {
		t.Error("an error of another make, and none, are Internal")
	}
}
