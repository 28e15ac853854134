// Package status has what failures are called on the wire, for the doors that speak HTTP or gRPC: one table for all of them. It knows no
// door.
package status

import (
	"net/http"

	"levada/internal/core/fault"
)

// ClientGone is written to nobody: the client has closed the connection. The number is nginx's.
const ClientGone = 499

// HTTP is the HTTP status of a kind of failure.
func HTTP(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Unimplemented:
		return http.StatusNotImplemented
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Exhausted:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// Codes of gRPC (grpc/grpc, doc/statuscodes.md), which google.rpc.Code has as well.
const (
	Canceled           = 1
	Unknown            = 2
	InvalidArgument    = 3
	DeadlineExceeded   = 4
	NotFound           = 5
	AlreadyExists      = 6
	ResourceExhausted  = 8
	FailedPrecondition = 9
	Aborted            = 10
	Unimplemented      = 12
	Internal           = 13
	Unavailable        = 14
)

// GRPC is the gRPC code of a kind of failure. A conflict is Aborted; who means a name in use says AlreadyExists.
func GRPC(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return InvalidArgument
	case fault.NotFound:
		return NotFound
	case fault.Conflict:
		return Aborted
	case fault.Unavailable:
		return Unavailable
	case fault.Unimplemented:
		return Unimplemented
	case fault.TooLarge, fault.Exhausted:
		return ResourceExhausted
	}
	return Internal
}
