//go:build !linux

package aside

import (
	"syscall"
	"time"
)

func apart() *syscall.SysProcAttr { return nil }

// giveWay leaves the process as it is.
func giveWay([]string) {}

// processorTime is not known.
func processorTime() time.Duration { return 0 }
