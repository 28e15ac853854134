package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/config"
	"levada/internal/core/declare"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/traffic"
)

// maxDeclaration bounds a file that declares resources, in bytes.
const maxDeclaration = 4 << 20

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
		if len(text) > maxDeclaration {
			return nil, nil, fault.TooLargef("%s is larger than %d bytes", file, maxDeclaration)
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
	return child(n, "kind") == nil && (child(n, "pipelineInfo") != nil || child(n, "pipelineSpec") != nil || child(n, "platforms") != nil)
}

// child returns the key of a mapping, for its line, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i]
			}
		}
	}
	return nil
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
		return r, child(n, "file").Line, fault.Invalidf("file: want the path of a pipeline")
	}
	suite, held := fields["suite_file"].(string)
	if _, given := fields["suite_file"]; given && !held {
		return r, child(n, "suite_file").Line, fault.Invalidf("suite_file: want the path of expectations")
	}
	delete(fields, "file")
	delete(fields, "suite_file")
	text, err := json.Marshal(fields)
	if err != nil {
		return r, n.Line, fault.Invalidf("it holds what JSON cannot: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&r); err != nil {
		line, err := lineOf(n, err)
		return r, line, err
	}
	if r.Endpoint != nil && r.Endpoint.Traffic.Split == nil {
		r.Endpoint.Traffic.Split = []traffic.Share{} // the one version gets all: the server fills it in
	}
	r.At = fmt.Sprintf("%s:%d", file, n.Line)
	if named {
		if r.Kind != declare.Pipeline {
			return r, child(n, "file").Line, fault.Invalidf("a %s has no field file", r.Kind)
		}
		spec, err := a.specification(ctx, compileRequest{file: beside(file, pipeline), config: cfg})
		if err != nil {
			return r, child(n, "file").Line, err
		}
		r.Spec = string(spec)
	}
	if held {
		if r.Kind != declare.Monitor {
			return r, child(n, "suite_file").Line, fault.Invalidf("a %s has no field suite_file", r.Kind)
		}
		if r.Suite != "" {
			return r, child(n, "suite_file").Line, fault.Invalidf("give suite or suite_file, one of them")
		}
		if r.Suite, err = suiteText(beside(file, suite)); err != nil {
			return r, child(n, "suite_file").Line, err
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

var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// lineOf finds the line that an error of encoding/json is about.
func lineOf(n *yaml.Node, err error) (int, error) {
	if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
		line := n.Line
		if key := search(n, found[1]); key != nil {
			line = key.Line
		}
		return line, fault.Invalidf("there is no field %s", found[1])
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at := n
		for part := range strings.SplitSeq(wrong.Field, ".") {
			if key := search(at, part); key != nil {
				at = key
			}
		}
		return at.Line, fault.Invalidf("%s: want %s, got %s", wrong.Field, wordFor(wrong.Type), wrong.Value)
	}
	return n.Line, fault.Invalidf("%w", err)
}

// wordFor says what a type of Go is in a file.
func wordFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "a list"
	default:
		return "a mapping"
	}
}

// search finds the first key of a name at any depth.
func search(n *yaml.Node, key string) *yaml.Node {
	if found := child(n, key); found != nil {
		return found
	}
	for _, c := range n.Content {
		if found := search(c, key); found != nil {
			return found
		}
	}
	return nil
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
