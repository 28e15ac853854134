package runner

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// devices are the accelerators of this machine. A step that asks for some gets that many to itself, and sees no others; one
// that asks for none sees them all, as any process does.
type devices struct {
	mu   sync.Mutex
	all  []int
	free []int
}

var nvidiaDevice = regexp.MustCompile(`^nvidia([0-9]+)$`)

// findDevices lists the NVIDIA devices by their number.
func findDevices(dir string) *devices {
	d := &devices{}
	names, err := filepath.Glob(filepath.Join(dir, "nvidia*"))
	if err != nil {
		return d
	}
	for _, n := range names {
		if m := nvidiaDevice.FindStringSubmatch(filepath.Base(n)); m != nil {
			if i, err := strconv.Atoi(m[1]); err == nil {
				d.all = append(d.all, i)
			}
		}
	}
	slices.Sort(d.all)
	d.free = slices.Clone(d.all)
	return d
}

func (d *devices) count() int { return len(d.all) }

// take returns at most n devices that nobody has, and what gives them back. The gate has admitted no more steps than there are
// devices for.
func (d *devices) take(n int) (list []int, giveBack func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = min(n, len(d.free))
	list = slices.Clone(d.free[:n])
	d.free = slices.Clone(d.free[n:])
	return list, d.giver(list)
}

// occupy notes that a step of an earlier server has devices.
func (d *devices) occupy(list []int) (giveBack func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = slices.DeleteFunc(d.free, func(i int) bool { return slices.Contains(list, i) })
	return d.giver(list)
}

func (d *devices) giver(list []int) func() {
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.free = append(d.free, list...)
		slices.Sort(d.free)
	}
}

// visible is the value of CUDA_VISIBLE_DEVICES for a list of devices.
func visible(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// Accelerators counts the accelerators of this machine.
func (r *Runner) Accelerators() int { return r.devices.count() }
