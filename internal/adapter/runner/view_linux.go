package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// EnterCommand is the first argument with which the program starts itself to become a step in a view of its own:
//
//	levada EnterCommand VIEW PROGRAM ARG...
//
// ARG... includes the step's own name for itself. Without PROGRAM only the view is tried.
const EnterCommand = "__step"

// Enter makes the mounts of a view in the mount namespace that this process was started in, and becomes the step. It returns
// only when that is not possible, with the exit status that a shell would give.
func Enter(args, environ []string) int {
	if err := enter(args, environ); err != nil {
		fmt.Fprintln(os.Stderr, "levada:", err)
		return 126
	}
	return 0
}

func enter(args, environ []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s is for Levada's own use", EnterCommand)
	}
	var v view
	if err := json.Unmarshal([]byte(args[0]), &v); err != nil {
		return fmt.Errorf("read the step's view: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := v.mount(); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if v.UserNamespace {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
			return fmt.Errorf("give up privileges: %w", err)
		}
	}
	if len(args) < 3 {
		return nil
	}
	// The system forgets this where rights change, as they do in a user namespace.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	return fmt.Errorf("start %s: %w", args[1], syscall.Exec(args[1], args[2:], environ))
}

// mount makes the mounts; python/stepmounts.py does the same for the steps it forks.
func (v view) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	for _, m := range v.Mounts {
		if err := m.make(); err != nil {
			return fmt.Errorf("%s at %s: %w", m.Kind, m.Target, err)
		}
	}
	if v.Root == "" {
		return nil
	}
	if err := os.Chdir(v.Root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		// The root of an initial RAM disk cannot be put aside, but it can be covered.
		if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("change the root: %w", err)
		}
		return unix.Chroot(".")
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return nil
}

func (m mount) make() error {
	const memory = unix.MS_NOSUID | unix.MS_NODEV
	switch m.Kind {
	case bindMount:
		return unix.Mount(m.Source, m.Target, "", unix.MS_BIND|unix.MS_REC, "")
	case memoryMount:
		return unix.Mount("tmpfs", m.Target, "tmpfs", memory, "mode=1777,size="+strconv.FormatInt(m.Memory, 10))
	case frameMount:
		return unix.Mount("tmpfs", m.Target, "tmpfs", memory, "mode=755,size=1m")
	case makeDir:
		return os.MkdirAll(m.Target, 0o755)
	case makeLink:
		return os.Symlink(m.Source, m.Target)
	case makeFile:
		return errors.Join(os.MkdirAll(filepath.Dir(m.Target), 0o755), os.WriteFile(m.Target, nil, 0o644))
	}
	return errors.New("there is no such kind of mount")
}

// wrap makes a command start in the view. The program is this one, as it was when it was started: the file may have been
// replaced by a newer version since.
func (v view) wrap(program string, argv []string, attr *syscall.SysProcAttr) (string, []string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", nil, err
	}
	attr.Cloneflags |= unix.CLONE_NEWNS
	if v.UserNamespace {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT}
	}
	return "/proc/self/exe", append([]string{"levada", EnterCommand, string(text), program}, argv...), nil
}

// probeViews tries a view with all its parts and reports whether it takes a user namespace. dir is an empty directory.
func probeViews(dir string) (user bool, err error) {
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return false, err
	}
	v, err := planView(filepath.Join(dir, "view"), []placed{
		{Target: "/tmp", Source: filepath.Join(dir, "tmp")}, {Target: "/levada-mount-point", Memory: 1 << 20},
	})
	if err != nil {
		return false, err
	}
	if os.Geteuid() == 0 {
		if err = v.try(); err == nil {
			return false, nil
		}
	}
	v.UserNamespace = true
	return true, errors.Join(err, v.try())
}

// try starts a process in the view that ends at once.
func (v view) try() error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = "/" // the directory of this process may be one that the view hides
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	_, argv, err := v.wrap("", nil, cmd.SysProcAttr)
	if err != nil {
		return err
	}
	cmd.Args = argv[:3]
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
