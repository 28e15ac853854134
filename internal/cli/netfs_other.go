//go:build !linux

package cli

// networkFileSystem cannot tell here.
func networkFileSystem(string) string { return "" }
