package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/config"
	"levada/internal/core/declare"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/traffic"
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
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return out, wrong, nil
		} else if err != nil {
			return nil, []string{fmt.Sprintf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))}, nil
		}
		if len(doc.Content) == 0 || isPipeline(doc.Content[0]) {
			continue
		}
		if len(text) > declare.MaxText {
			return nil, nil, fault.TooLargef("%s is larger than %d bytes", file, declare.MaxText)
		}
		r, line, err := a.declaredBy(ctx, file, doc.Content[0], cfg)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s:%d: %v", file, line, err))
			continue
		}
		out = append(out, r)
	}
}

// isPipeline reports whether a document is a compiled pipeline, or what one asks of Kubernetes.
func isPipeline(n *yaml.Node) bool {
	return declare.Key(n, "kind") == nil && (declare.Key(n, "pipelineInfo") != nil || declare.Key(n, "pipelineSpec") != nil || declare.Key(n, "platforms") != nil)
}

// declaredBy reads a document. With an error comes the line that it is about.
func (a *app) declaredBy(ctx context.Context, file string, n *yaml.Node, cfg config.Config) (r declare.Resource, line int, err error) {
	if n.Kind != yaml.MappingNode {
		return r, n.Line, fault.Invalidf("want a mapping with kind and name")
	}
	fields := map[string]any{}
	if err := n.Decode(&fields); err != nil {
		return r, n.Line, fault.Invalidf("%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	pipeline, named := fields["file"].(string)
	if _, given := fields["file"]; given && !named {
		return r, declare.Key(n, "file").Line, fault.Invalidf("file: want the path of a pipeline")
	}
	suite, held := fields["suite_file"].(string)
	if _, given := fields["suite_file"]; given && !held {
		return r, declare.Key(n, "suite_file").Line, fault.Invalidf("suite_file: want the path of expectations")
	}
	delete(fields, "file")
	delete(fields, "suite_file")
	if r, line, err = declare.Decode(n, fields); err != nil {
		return r, line, err
	}
	if r.Endpoint != nil && r.Endpoint.Traffic.Split == nil {
		r.Endpoint.Traffic.Split = []traffic.Share{} // the one version gets all: the server fills it in
	}
	r.At = fmt.Sprintf("%s:%d", file, n.Line)
	if named {
		if r.Kind != declare.Pipeline {
			return r, declare.Key(n, "file").Line, fault.Invalidf("a %s has no field file", r.Kind)
		}
		spec, err := a.specification(ctx, compileRequest{file: beside(file, pipeline), config: cfg})
		if err != nil {
			return r, declare.Key(n, "file").Line, err
		}
		r.Spec = string(spec)
	}
	if held {
		if r.Kind != declare.Monitor {
			return r, declare.Key(n, "suite_file").Line, fault.Invalidf("a %s has no field suite_file", r.Kind)
		}
		if r.Suite != "" {
			return r, declare.Key(n, "suite_file").Line, fault.Invalidf("give suite or suite_file, one of them")
		}
		if r.Suite, err = suiteText(beside(file, suite)); err != nil {
			return r, declare.Key(n, "suite_file").Line, err
		}
	}
	return r, n.Line, r.Check()
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
