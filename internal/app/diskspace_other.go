//go:build !linux && !darwin && !freebsd

package app

// diskSpace knows nothing here.
func diskSpace(string) (total, free int64) { return 0, 0 }
