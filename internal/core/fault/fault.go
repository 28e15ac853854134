// Package fault names the few kinds of failure that a caller can act on.
//
// Services and core packages return these errors; each door turns the kind into
// the status code and body that its client library understands. The package
// knows nothing of HTTP, SQL or any wire format.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of failure an error is, so that a door can choose a status.
type Kind int

// The kinds, from the least to the most specific to a request.
const (
	// Internal is a defect or an unexpected failure of the machine. It is the kind of
	// every error that was not made by this package.
	Internal Kind = iota
	// Invalid is a request that can never succeed as it is written.
	Invalid
	// NotFound is a reference to something that does not exist.
	NotFound
	// Conflict is a request that contradicts the present state, such as a name in use.
	Conflict
	// Unavailable is a failure that a later retry may not meet: shutting down, disk full.
	Unavailable
	// Unimplemented is a call that this version does not offer.
	Unimplemented
	// TooLarge is a request body over its documented limit.
	TooLarge
	// Exhausted is a request that came while as many as can be served were waiting: the same request succeeds later.
	Exhausted
)

// Error is a failure with a kind. Its message is written for the person who sent the request:
// it names the thing, the reason and, where it helps, what to do.
type Error struct {
	Kind    Kind
	Message string
	Cause   error
}

// Error returns the message, which already includes the cause.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the first *Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Invalidf returns an Invalid error. A %w verb keeps the cause.
func Invalidf(format string, args ...any) error { return newf(Invalid, format, args) }

// NotFoundf returns a NotFound error.
func NotFoundf(format string, args ...any) error { return newf(NotFound, format, args) }

// Conflictf returns a Conflict error.
func Conflictf(format string, args ...any) error { return newf(Conflict, format, args) }

// Unavailablef returns an Unavailable error.
func Unavailablef(format string, args ...any) error { return newf(Unavailable, format, args) }

// Unimplementedf returns an Unimplemented error.
func Unimplementedf(format string, args ...any) error { return newf(Unimplemented, format, args) }

// TooLargef returns a TooLarge error.
func TooLargef(format string, args ...any) error { return newf(TooLarge, format, args) }

// Exhaustedf returns an Exhausted error.
func Exhaustedf(format string, args ...any) error { return newf(Exhausted, format, args) }

// Shorten keeps a text that someone else chose from filling a message: it is cut to at most most bytes, and dots say so.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func newf(k Kind, format string, args []any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Message: err.Error(), Cause: errors.Unwrap(err)}
}
