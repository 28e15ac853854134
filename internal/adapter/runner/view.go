package runner

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// placed is something that a step finds at a path of its choice.
type placed struct {
	// Target is the absolute path in the step's eyes.
	Target string
	// Source is the file or directory of this machine that appears there; it must exist. Empty for memory.
	Source string
	// Memory is the size in bytes of a file system in memory, for one without a Source.
	Memory int64
}

// view is the file system as a step sees it: that of the machine, with something else at some paths. Its mounts are made in
// the step's own mount namespace, in order; nobody else sees them, and they go with the step.
type view struct {
	// UserNamespace is needed where the server is not root.
	UserNamespace bool    `json:"user,omitempty"`
	Mounts        []mount `json:"mounts"`
	// Root is the directory that becomes the step's "/" after the mounts; empty when "/" stays what it is.
	Root string `json:"root,omitempty"`

	placed []placed
}

// mount is one step in making a view.
type mount struct {
	Kind mountKind `json:"kind"`
	// Source is what is bound, or where a link leads.
	Source string `json:"source,omitempty"`
	Target string `json:"target"`
	// Memory is a size in bytes.
	Memory int64 `json:"memory,omitempty"`
}

// mountKind says what is made at a mount's target.
type mountKind string

const (
	bindMount   mountKind = "bind"   // the source, with everything below it
	memoryMount mountKind = "memory" // an empty file system in memory
	frameMount  mountKind = "frame"  // an empty directory in memory, for mount points
	makeDir     mountKind = "dir"    // a directory, and those above it
	makeFile    mountKind = "file"   // an empty file
	makeLink    mountKind = "link"   // a symbolic link
)

// maxSiblings bounds the entries of a directory that is built anew to hold a mount point.
const maxSiblings = 512

// viewPlan works out the mounts of one step. The machine's own directories are never changed: where a mount point does not
// exist, the directory that would hold it is replaced by one, below dir, that has the same entries and the mount point too.
type viewPlan struct {
	dir      string
	placed   []placed
	nested   []mount // onto the source of what they lie below
	direct   []mount
	standIns []*standIn
}

// standIn replaces a directory of the machine.
type standIn struct {
	original, at string
	entries      []mount // what is made in it
	binds        []string
}

// planView returns the view in which everything wanted is at its target. On the disk it makes directories below dir, and mount
// points in the sources of what they lie below; the rest is made in memory by the step.
func planView(dir string, wanted []placed) (view, error) {
	p := viewPlan{dir: dir, placed: slices.Clone(wanted)}
	for i, w := range p.placed {
		if !filepath.IsAbs(w.Target) {
			return view{}, fmt.Errorf("mount at %q: want an absolute path", w.Target)
		}
		p.placed[i].Target = resolveExisting(filepath.Clean(w.Target))
	}
	slices.SortStableFunc(p.placed, func(a, b placed) int {
		return cmp.Or(cmp.Compare(len(a.Target), len(b.Target)), strings.Compare(a.Target, b.Target))
	})
	for i, w := range p.placed {
		if i > 0 && p.placed[i-1].Target == w.Target {
			return view{}, fmt.Errorf("two things are to be mounted at %s", w.Target)
		}
		if err := p.place(i); err != nil {
			return view{}, fmt.Errorf("mount at %s: %w", w.Target, err)
		}
	}
	return p.view(), nil
}

// resolveExisting follows the links in the part of a path that exists.
func resolveExisting(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err == nil || path == "/" {
		return cmp.Or(real, path)
	}
	return filepath.Join(resolveExisting(filepath.Dir(path)), filepath.Base(path))
}

// place makes the mount point of one thing.
func (p *viewPlan) place(i int) error {
	w := p.placed[i]
	if w.Target == "/" {
		return errors.New("nothing can take the place of everything")
	}
	if parent, ok := holding(p.placed[:i], w.Target); ok {
		if parent.Source == "" {
			return fmt.Errorf("it lies inside the memory at %s", parent.Target)
		}
		at := parent.Source + strings.TrimPrefix(w.Target, parent.Target)
		p.nested = append(p.nested, w.mount(at))
		return makeMountPoint(at, w.Source)
	}
	p.direct = append(p.direct, w.mount(w.Target))
	if _, err := os.Stat(w.Target); err == nil {
		return nil
	}
	s, err := p.standInFor(filepath.Dir(w.Target))
	if err != nil {
		return err
	}
	kind := makeDir
	if st, err := os.Stat(w.Source); err == nil && !st.IsDir() {
		kind = makeFile
	}
	s.entries = append(s.entries, mount{Kind: kind, Target: filepath.Join(s.at, strings.TrimPrefix(w.Target, s.original))})
	return nil
}

func (w placed) mount(at string) mount {
	if w.Source == "" {
		return mount{Kind: memoryMount, Target: at, Memory: w.Memory}
	}
	return mount{Kind: bindMount, Source: w.Source, Target: at}
}

// holding returns the innermost thing that path lies below.
func holding(list []placed, path string) (placed, bool) {
	for _, w := range slices.Backward(list) {
		if path != w.Target && within(path, w.Target) {
			return w, true
		}
	}
	return placed{}, false
}

// standInFor returns the stand-in for the nearest directory at or above dir that exists.
func (p *viewPlan) standInFor(dir string) (*standIn, error) {
	entries, err := os.ReadDir(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != "/" {
		dir = filepath.Dir(dir)
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(p.standIns, func(s *standIn) bool { return s.original == dir }); i >= 0 {
		return p.standIns[i], nil
	}
	if len(entries) > maxSiblings {
		return nil, fmt.Errorf("%s has %d entries, too many to add one: choose another path", dir, len(entries))
	}
	s := &standIn{original: dir, at: filepath.Join(p.dir, strconv.Itoa(len(p.standIns)))}
	for _, e := range entries {
		to := filepath.Join(s.at, e.Name())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(filepath.Join(dir, e.Name()))
			if err == nil {
				s.entries = append(s.entries, mount{Kind: makeLink, Source: link, Target: to})
			}
			continue
		case e.IsDir():
			s.entries = append(s.entries, mount{Kind: makeDir, Target: to})
		default:
			s.entries = append(s.entries, mount{Kind: makeFile, Target: to})
		}
		s.binds = append(s.binds, e.Name())
	}
	p.standIns = append(p.standIns, s)
	return s, os.MkdirAll(s.at, 0o755)
}

// makeMountPoint makes a directory, or a file where source is something else, and what it lies in.
func makeMountPoint(at, source string) error {
	if source != "" {
		st, err := os.Lstat(source)
		if err != nil {
			return err
		}
		if !st.IsDir() {
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return err
			}
			f, err := os.OpenFile(at, os.O_CREATE|os.O_RDONLY, 0o644)
			if err != nil {
				return err
			}
			return f.Close()
		}
	}
	return os.MkdirAll(at, 0o755)
}

// view orders the mounts: what is nested goes onto the source of what it lies below, innermost first, and comes along when
// that is mounted; then the stand-ins, then the rest.
func (p *viewPlan) view() view {
	v := view{placed: p.placed, Mounts: []mount{}}
	for _, m := range slices.Backward(p.nested) {
		v.Mounts = append(v.Mounts, m)
	}
	slices.SortFunc(p.standIns, func(a, b *standIn) int { return cmp.Compare(len(a.original), len(b.original)) })
	for _, s := range p.standIns {
		if s.original == "/" {
			v.Root = s.at
		}
		v.Mounts = append(v.Mounts, mount{Kind: frameMount, Target: s.at})
		v.Mounts = append(v.Mounts, s.entries...)
		// The entry that holds the stand-in goes first, before there is anything in it that would be mounted along.
		slices.SortStableFunc(s.binds, func(a, b string) int {
			return cmp.Compare(holds(filepath.Join(s.original, b), s.at), holds(filepath.Join(s.original, a), s.at))
		})
		for _, e := range s.binds {
			v.Mounts = append(v.Mounts, mount{Kind: bindMount, Source: filepath.Join(s.original, e), Target: filepath.Join(s.at, e)})
		}
		if s.original != "/" {
			v.Mounts = append(v.Mounts, mount{Kind: bindMount, Source: s.at, Target: v.Root + s.original})
		}
	}
	// Memory goes last: it could hide what is mounted from below it.
	slices.SortStableFunc(p.direct, func(a, b mount) int { return cmp.Compare(min(a.Memory, 1), min(b.Memory, 1)) })
	for _, m := range p.direct {
		m.Target = v.Root + m.Target
		v.Mounts = append(v.Mounts, m)
	}
	return v
}

func holds(dir, path string) int {
	if within(path, dir) {
		return 1
	}
	return 0
}

// real returns where on the machine a path of the step is, and false for one in memory.
func (v view) real(path string) (string, bool) {
	for _, w := range slices.Backward(v.placed) {
		if within(path, w.Target) {
			return w.Source + strings.TrimPrefix(path, w.Target), w.Source != ""
		}
	}
	return path, true
}

// startable returns the error that starting a program would give, as far as that can be told from outside.
func (v view) startable(program string) error {
	path, _ := v.real(program)
	st, err := os.Stat(path)
	if err == nil && st.Mode()&0o111 == 0 {
		return syscall.EACCES
	}
	return err
}
