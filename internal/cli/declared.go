package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"levada/internal/config"
	"levada/internal/core/declare"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

// declarations reads what a file, or the files *.yaml and *.yml of a directory, declare. Documents in them that are compiled pipelines
// are left out.
func (a *app) declarations(ctx context.Context, path string, cfg config.Config) ([]declare.Resource, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Invalidf("%w", err)
	}
	files := []string{path}
	if info.IsDir() {
		files = nil
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	var out []declare.Resource
	var wrong []string
	for _, file := range files {
		list, faults, err := a.declaredIn(ctx, file, cfg)
		if err != nil {
			return nil, err
		}
		out, wrong = append(out, list...), append(wrong, faults...)
	}
	if len(wrong) > 0 {
		return nil, fault.Invalidf("%s", strings.Join(wrong, "\n"))
	}
	if len(out) == 0 && !info.IsDir() {
		return nil, fault.Invalidf("%s declares nothing", path)
	}
	return out, nil
}

// declaredIn reads the documents of a file.
func (a *app) declaredIn(ctx context.Context, file string, cfg config.Config) (out []declare.Resource, wrong []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fault.Invalidf("%w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, ir.MaxBytes+1))
	if err != nil {
		return nil, nil, err
	}
	out, problems := declare.Parse(string(text), func(line int) string { return fmt.Sprintf("%s:%d", file, line) }, declare.Beside{
		Pipeline: func(path string) (string, error) {
			spec, err := a.specification(ctx, compileRequest{file: beside(file, path), config: cfg})
			return string(spec), err
		},
		Suite:  func(path string) (string, error) { return suiteText(beside(file, path)) },
		Schema: func(path string) (string, error) { return schemaText(beside(file, path)) },
	})
	for _, p := range problems {
		wrong = append(wrong, fmt.Sprintf("%s:%d: %s", file, p.Line, p.Message))
	}
	return out, wrong, nil
}

// beside is a path that a file names, from where that file is.
func beside(file, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// setOf is the name of the set of a path unless one is given: that of the directory, or of the file without its ending.
func setOf(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	name := filepath.Base(full)
	if ext := filepath.Ext(name); slices.Contains([]string{".yaml", ".yml"}, ext) {
		name = strings.TrimSuffix(name, ext)
	}
	return name, nil
}
