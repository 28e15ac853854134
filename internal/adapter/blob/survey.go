package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// tree is what is to be stored of a directory.
type tree struct {
	leaves []leaf
	// sources are the real paths of the files, each once.
	sources []string
}

// leaf is a file, or a directory with nothing in it, whose path ends with a slash.
type leaf struct {
	path   string
	source int
}

// surveyor walks a directory that a step has made, and that may hold anything.
type surveyor struct {
	root  string // real path
	tree  tree
	index map[string]int
	// above are the real paths of the directories that are being walked, to notice links that lead back up.
	above []string
}

// survey lists what a directory holds, following the links that stay inside. It reads no file.
func survey(ctx context.Context, dir string) (tree, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return tree{}, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return tree{}, err
	}
	s := &surveyor{root: root, index: map[string]int{}}
	if err := s.walk(ctx, root, ""); err != nil {
		return tree{}, err
	}
	// An empty directory has no leaves but its own, which the manifest leaves out.
	s.tree.leaves = slices.DeleteFunc(s.tree.leaves, func(l leaf) bool { return l.path == "" })
	return s.tree, nil
}

// walk adds what is in the directory at a real path under a prefix, which is empty or ends with a slash.
func (s *surveyor) walk(ctx context.Context, dir, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(s.above) == maxDepth {
		return fault.Invalidf("%s lies more than %d directories deep", prefix, maxDepth)
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return s.add(leaf{path: prefix})
	}
	s.above = append(s.above, dir)
	defer func() { s.above = s.above[:len(s.above)-1] }()
	for _, e := range found {
		if err := s.visit(ctx, filepath.Join(dir, e.Name()), prefix+e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (s *surveyor) visit(ctx context.Context, real, path string) error {
	if err := checkName(path); err != nil {
		return fault.Invalidf("%w: rename it to store it", err)
	}
	info, err := os.Lstat(real)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if real, info, err = s.follow(real, path); err != nil {
			return err
		}
	}
	switch {
	case info.IsDir():
		return s.walk(ctx, real, path+"/")
	case info.Mode().IsRegular():
		i, ok := s.index[real]
		if !ok {
			i = len(s.tree.sources)
			s.index[real] = i
			s.tree.sources = append(s.tree.sources, real)
		}
		return s.add(leaf{path: path, source: i})
	}
	return fault.Invalidf("%s is a %s; only files and directories can be stored", path, describe(info.Mode()))
}

// follow returns what a link inside the directory leads to, if that is inside as well.
func (s *surveyor) follow(link, path string) (string, fs.FileInfo, error) {
	target, err := filepath.EvalSymlinks(link)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fault.Invalidf("%s is a link to something that does not exist; remove it", path)
	}
	if err != nil {
		return "", nil, fault.Invalidf("%s is a link that cannot be followed: %w", path, err)
	}
	inside, err := filepath.Rel(s.root, target)
	if err != nil || !filepath.IsLocal(inside) {
		return "", nil, fault.Invalidf("%s is a link to something outside the directory; copy the content instead", path)
	}
	if slices.ContainsFunc(s.above, func(dir string) bool {
		return dir == target || strings.HasPrefix(dir, target+string(filepath.Separator))
	}) {
		return "", nil, fault.Invalidf("%s is a link to a directory that it is in; remove it", path)
	}
	info, err := os.Lstat(target)
	if err != nil {
		return "", nil, fmt.Errorf("follow link %s: %w", path, err)
	}
	return target, info, nil
}

func (s *surveyor) add(l leaf) error {
	if len(s.tree.leaves) == maxEntries {
		return fault.Invalidf("it holds more than %d files; pack them into fewer", maxEntries)
	}
	s.tree.leaves = append(s.tree.leaves, l)
	return nil
}
