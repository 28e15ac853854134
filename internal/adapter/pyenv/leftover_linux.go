package pyenv

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// killMarked kills the processes that were started with a variable in their environment and returns how many there were.
func killMarked(variable string) int {
	d, err := os.Open("/proc")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0
	}
	killed := 0
	want := []byte("\x00" + variable + "\x00")
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		// The environment of other users' processes cannot be read, that of a process that has ended is empty.
		env, err := os.ReadFile("/proc/" + name + "/environ")
		if err == nil && bytes.Contains(append([]byte{0}, env...), want) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}
