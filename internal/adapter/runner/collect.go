package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

const (
	maxExecutorOutput = 64 << 20
	maxParameter      = 16 << 20
)

func outputError(format string, args ...any) error {
	return &run.Failure{Reason: run.ReasonOutput, Message: fmt.Sprintf(format, args...)}
}

// reported is the executor output file as SDKs write it. The name of the custom path differs between them.
type reported struct {
	ParameterValues map[string]any `json:"parameterValues"`
	Artifacts       map[string]struct {
		Artifacts []reportedArtifact `json:"artifacts"`
	} `json:"artifacts"`

	// mark precedes the bare words NaN, Infinity and -Infinity that Python wrote as numbers; "" when there are none.
	mark string
}

type reportedArtifact struct {
	Name        string         `json:"name"`
	URI         string         `json:"uri"`
	Metadata    map[string]any `json:"metadata"`
	CustomSnake string         `json:"custom_path"`
	CustomCamel string         `json:"customPath"`
}

// collect reads and stores what a step that succeeded has produced.
func (a *attempt) collect(ctx context.Context) (run.Values, error) {
	out := run.Values{}
	root, err := os.OpenRoot(a.layout.root)
	if err != nil {
		return out, fmt.Errorf("read the outputs: %w", err)
	}
	defer root.Close()
	rep, err := a.readReport(root)
	if err != nil {
		return out, err
	}
	defs := outputs(a.step.Component)
	for _, name := range sortedKeys(defs.Parameters) {
		v, err := a.parameter(root, rep, name, defs.Parameters[name].ParameterType)
		if err != nil {
			return out, err
		}
		if v != absent {
			setKey(&out.Parameters, name, v)
		}
	}
	c := collector{attempt: a, stored: make(map[string]run.BlobInfo)}
	for _, name := range sortedKeys(defs.Artifacts) {
		list, err := c.artifacts(ctx, rep, name, defs.Artifacts[name])
		if err != nil {
			return out, err
		}
		setKey(&out.Artifacts, name, list)
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// readReport returns the executor output, nil when the step wrote none.
func (a *attempt) readReport(root *os.Root) (*reported, error) {
	b, err := a.readFile(root, a.layout.outputFile(), maxExecutorOutput)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, outputError("the executor output file could not be read: %v", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	rep, err := parseReport(b)
	if err != nil {
		return nil, outputError("the executor output file is not what kfp writes: %v", err)
	}
	return rep, nil
}

// parseReport reads an executor output. Python writes NaN and Infinity, which JSON does not have: in the metadata of an
// artifact they become strings, in a parameter they are left marked for nonFinite to find.
func parseReport(b []byte) (*reported, error) {
	rep := new(reported)
	err := json.Unmarshal(b, rep)
	if err == nil {
		return rep, nil
	}
	mark := "number "
	for bytes.Contains(b, []byte(mark)) {
		mark += "_"
	}
	rep = &reported{mark: mark}
	if json.Unmarshal(quoteNonFinite(b, mark), rep) != nil {
		return nil, err
	}
	for _, output := range rep.Artifacts {
		for _, a := range output.Artifacts {
			for k, v := range a.Metadata {
				a.Metadata[k] = rep.unmark(v)
			}
		}
	}
	return rep, nil
}

// unmark makes plain strings of the marked words in a value.
func (r *reported) unmark(v any) any {
	switch v := v.(type) {
	case string:
		return strings.TrimPrefix(v, r.mark)
	case []any:
		for i, e := range v {
			v[i] = r.unmark(e)
		}
	case map[string]any:
		for k, e := range v {
			v[k] = r.unmark(e)
		}
	}
	return v
}

// nonFinite finds a marked word in a value, at any depth.
func (r *reported) nonFinite(v any) (word string, found bool) {
	if r.mark == "" {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return strings.CutPrefix(v, r.mark)
	case []any:
		for _, e := range v {
			if word, found := r.nonFinite(e); found {
				return word, true
			}
		}
	case map[string]any:
		for _, e := range v {
			if word, found := r.nonFinite(e); found {
				return word, true
			}
		}
	}
	return "", false
}

// readFile reads a file of the attempt's directory without following links out of it.
func (a *attempt) readFile(root *os.Root, path string, limit int64) ([]byte, error) {
	rel, err := filepath.Rel(a.layout.root, path)
	if err != nil {
		return nil, err
	}
	st, err := root.Stat(rel)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("it has %d bytes and at most %d are accepted: write large values as artifacts", st.Size(), limit)
	}
	f, err := root.Open(rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

const onlyFinite = "JSON has no such number; return a finite number, or declare the output as a string and return text"

// absent marks an output parameter that the step did not give; a step that wrote a report may leave out some.
var absent = new(int)

func (a *attempt) parameter(root *os.Root, rep *reported, name string, t ir.ParameterType) (any, error) {
	if rep != nil {
		if v, ok := rep.ParameterValues[name]; ok {
			if word, found := rep.nonFinite(v); found {
				return nil, outputError("output parameter %q: want %s, got %s: %s", name, t, word, onlyFinite)
			}
			v, err := ir.Convert(v, t)
			if err != nil {
				return nil, outputError("output parameter %q: %v", name, err)
			}
			return v, nil
		}
	}
	b, err := a.readFile(root, a.layout.parameter(name), maxParameter)
	switch {
	case errors.Is(err, fs.ErrNotExist) && rep != nil:
		return absent, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, outputError("output parameter %q is missing: the step ended well but wrote neither the executor output file nor %s",
			name, filepath.Join("params", name))
	case err != nil:
		return nil, outputError("output parameter %q could not be read: %v", name, err)
	}
	v, err := parseParameter(string(b), t)
	if err != nil {
		return nil, outputError("output parameter %q: %v", name, err)
	}
	return v, nil
}

// parseParameter reads a parameter file. As upstream does, a string is taken as it was written, line break included, and
// white space around any other value is ignored.
func parseParameter(text string, t ir.ParameterType) (any, error) {
	trimmed := strings.TrimSpace(text)
	bad := func() error { return fmt.Errorf("want %s, the file holds %q", t, shorten(trimmed)) }
	switch t {
	case ir.NumberInteger:
		n, err := strconv.ParseInt(trimmed, 10, 64)
		if err != nil {
			return nil, bad()
		}
		return float64(n), nil
	case ir.NumberDouble:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			return nil, bad()
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("want %s, the file holds %q: %s", t, shorten(trimmed), onlyFinite)
		}
		return f, nil
	case ir.Boolean:
		v, err := strconv.ParseBool(trimmed)
		if err != nil {
			return nil, bad()
		}
		return v, nil
	case ir.List, ir.Struct, ir.TaskConfig, ir.TaskFinalStatus:
		var v any
		if json.Unmarshal([]byte(trimmed), &v) != nil {
			return nil, bad()
		}
		return ir.Convert(v, t)
	}
	return text, nil
}

// quoteNonFinite turns the bare words NaN, Infinity and -Infinity into strings that begin with mark.
func quoteNonFinite(b []byte, mark string) []byte {
	var out []byte
	inString := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		if inString {
			if c == '\\' && i+1 < len(b) {
				out = append(out, c)
				i++
				c = b[i]
			} else if c == '"' {
				inString = false
			}
			out = append(out, c)
			continue
		}
		word := ""
		for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
			if bytes.HasPrefix(b[i:], []byte(w)) {
				word = w
			}
		}
		if word != "" {
			out = append(out, '"')
			out = append(out, mark...)
			out = append(out, word...)
			out = append(out, '"')
			i += len(word) - 1
			continue
		}
		inString = c == '"'
		out = append(out, c)
	}
	return out
}
