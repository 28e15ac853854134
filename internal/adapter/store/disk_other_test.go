//go:build !linux

package store_test

// diskChild is for systems where a process can refuse its own system calls.
func diskChild() {}
