package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAViewThatCannotBeHadIsRefused(t *testing.T) {
	dir, crowded := t.TempDir(), t.TempDir()
	for i := range maxSiblings + 1 {
		if err := os.Mkdir(filepath.Join(crowded, fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		wanted []placed
		want   string
	}{
		{[]placed{{Target: "relative", Source: dir}}, "want an absolute path"},
		{[]placed{{Target: "/", Source: dir}}, "nothing can take the place of everything"},
		{[]placed{{Target: "/x", Source: dir}, {Target: "/x/", Source: dir}}, "two things"},
		{[]placed{{Target: "/x", Memory: 1 << 20}, {Target: "/x/y", Source: dir}}, "inside the memory at /x"},
		{[]placed{{Target: filepath.Join(crowded, "new"), Source: dir}}, "too many to add one"},
		{[]placed{{Target: "/etc/hostname/x", Source: dir}}, "/etc/hostname"},
	} {
		if _, err := planView(filepath.Join(t.TempDir(), "view"), c.wanted); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.wanted, err, c.want)
		}
	}
}

func TestAPathInAViewIsFoundOnTheMachine(t *testing.T) {
	tmp, ws := t.TempDir(), t.TempDir()
	v := view{placed: []placed{{Target: "/tmp", Source: tmp}, {Target: "/tmp/shared", Source: "/tmp/shared"}, {Target: "/kfp-workspace", Source: ws}, {Target: "/mem", Memory: 1}}}
	for path, want := range map[string]string{
		"/tmp/x": tmp + "/x", "/tmp": tmp, "/tmp/shared/x": "/tmp/shared/x", "/kfp-workspace/a/b": ws + "/a/b", "/etc/x": "/etc/x", "/tmpfile": "/tmpfile",
	} {
		if got, ok := v.real(path); got != want || !ok {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
	if _, ok := v.real("/mem/x"); ok {
		t.Error("a path in memory is said to be on the machine")
	}
}

func TestDevicesAreHandedOutOnceAndGivenBack(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"nvidia1", "nvidia0", "nvidiactl", "nvidia-uvm", "nvidia2"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := findDevices(dir)
	adopted := d.occupy([]int{1})
	first, back := d.take(1)
	second, _ := d.take(5)
	if d.count() != 3 || visible(first) != "0" || visible(second) != "2" {
		t.Errorf("%d devices; first %v, second %v", d.count(), first, second)
	}
	back()
	adopted()
	if third, _ := d.take(5); visible(third) != "0,1" {
		t.Errorf("third %v", third)
	}
}

func TestAMaskHidesLongerSecretsFirstAndLeavesShortOnesAlone(t *testing.T) {
	m := newMask([][]byte{[]byte("pass"), []byte("password1"), []byte("abc"), []byte("-----BEGIN KEY-----\nlonglonglonglong\n}\n")})
	got := string(m.text([]byte("password1 pass abc } longlonglonglong -----BEGIN KEY-----")))
	if want := "*** *** abc } *** ***"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if newMask([][]byte{[]byte("ab")}).text([]byte("ab")) == nil {
		t.Error("a mask of nothing hides everything")
	}
}
