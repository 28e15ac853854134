//go:build !linux

package runner

import (
	"errors"
	"syscall"
)

// EnterCommand is used on Linux only.
const EnterCommand = "__step"

// Enter is used on Linux only.
func Enter(_, _ []string) int { return 126 }

func (v view) wrap(string, []string, *syscall.SysProcAttr) (string, []string, error) {
	return "", nil, errors.New("mount namespaces are a part of Linux")
}

func probeViews(string) (user bool, err error) {
	return false, errors.New("mount namespaces are a part of Linux")
}
