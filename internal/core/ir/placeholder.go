package ir

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// placeholder is one {{$…}} in a text.
type placeholder struct {
	text string // the whole placeholder
	kind string // "inputs.parameters", "outputs.artifacts", …, or the name of a run-level one
	name string // the input or output, empty for a run-level one
	rest string // what follows: ".path", ".metadata['k']", ".output_file"
}

// The grammar is that of the KFP compiler's placeholders.py: {{$}}, {{$.inputs.parameters['x']}},
// {{$.outputs.artifacts['y'].path}}, {{$.outputs.output_file}}, {{$.pipeline_job_name}}. Vertex adds
// {{$.json_escape[n]…}} around any of them; n is at most 2, because each level may double the text.
var (
	anyPlaceholder = regexp.MustCompile(`\{\{\$(?:\.[^{}]*)?\}\}`)
	reference      = regexp.MustCompile(`^(inputs|outputs)\.(parameters|artifacts)\[(?:'([^']*)'|"([^"]*)")\]((?:\.[A-Za-z_]+|\[(?:'[^']*'|"[^"]*")\])*)$`)
	jsonEscape     = regexp.MustCompile(`^json_escape\[([0-2])\]\.?`)
)

func findPlaceholders(s string) []placeholder {
	if !strings.Contains(s, "{{$") {
		return nil
	}
	var found []placeholder
	for _, text := range anyPlaceholder.FindAllString(s, -1) {
		found = append(found, readPlaceholder(text))
	}
	return found
}

func readPlaceholder(text string) placeholder {
	body := strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(text, "{{$"), "}}"), ".")
	body = jsonEscape.ReplaceAllString(body, "")
	if m := reference.FindStringSubmatch(body); m != nil {
		return placeholder{text, m[1] + "." + m[2], m[3] + m[4], m[5]}
	}
	return placeholder{text: text, kind: body}
}

// scope is what placeholders may refer to.
type scope struct {
	input *ExecutorInput
	run   Placeholders
	// text is set for the values of parameters: there only the run's names and the task's parameters mean something, and what
	// else looks like a placeholder is the author's text, as for KFP's driver.
	text bool
}

// expand replaces every placeholder in s, from left to right. Replaced text is not looked at again, so a value that contains
// a placeholder stays as it is.
func (c scope) expand(s string) (string, error) {
	if !strings.Contains(s, "{{$") {
		return s, nil
	}
	var failed error
	out := anyPlaceholder.ReplaceAllStringFunc(s, func(text string) string {
		p := readPlaceholder(text)
		v, err := c.value(p)
		if c.text && (err != nil || !c.known(p)) {
			return text
		}
		if err != nil && failed == nil {
			failed = err
		}
		rendered := Text(v)
		if m := jsonEscape.FindStringSubmatch(strings.TrimPrefix(text, "{{$.")); m != nil {
			for range m[1][0] - '0' {
				quoted := JSON(rendered)
				rendered = quoted[1 : len(quoted)-1]
			}
		}
		return rendered
	})
	return out, failed
}

// known reports whether a placeholder in the value of a parameter means something.
func (c scope) known(p placeholder) bool {
	if p.kind == "inputs.parameters" {
		_, ok := c.input.Inputs.ParameterValues[p.name]
		return ok
	}
	_, ok := c.run.lookup(p.kind)
	return ok
}

func (c scope) value(p placeholder) (any, error) {
	unknown := fault.Invalidf("unknown placeholder %s", shorten(p.text))
	if v, ok := c.run.lookup(p.kind); ok {
		return v, nil
	}
	if c.input == nil {
		return nil, unknown
	}
	switch p.kind {
	case "":
		return JSON(c.input), nil
	case "outputs.output_file", "outputMetadataUri":
		return c.input.Outputs.OutputFile, nil
	case "inputs.parameters":
		v, ok := c.input.Inputs.ParameterValues[p.name]
		if !ok || p.rest != "" {
			if p.rest == "" {
				return nil, nil // an optional input that was not given
			}
			return nil, unknown
		}
		return v, nil
	case "outputs.parameters":
		out, ok := c.input.Outputs.Parameters[p.name]
		if !ok || p.rest != ".output_file" {
			return nil, unknown
		}
		return out.OutputFile, nil
	case "inputs.artifacts":
		return artifactField(c.input.Inputs.Artifacts[p.name], p)
	case "outputs.artifacts":
		return artifactField(c.input.Outputs.Artifacts[p.name], p)
	}
	return nil, unknown
}

func artifactField(list ArtifactList, p placeholder) (any, error) {
	if len(list.Artifacts) == 0 {
		if p.rest == "" {
			return []any{}, nil
		}
		return nil, nil // an optional artifact that was not given
	}
	a := list.Artifacts[0]
	switch field := p.rest; {
	case field == "":
		return list.Artifacts, nil // how a container gets a list of artifacts
	case field == ".uri":
		return a.URI, nil
	case field == ".path":
		return LocalPath(a.URI), nil
	case field == ".name":
		return a.Name, nil
	case field == ".metadata":
		if a.Metadata == nil {
			return "{}", nil
		}
		return JSON(a.Metadata), nil
	case strings.HasPrefix(field, ".metadata["):
		key := strings.Trim(strings.TrimSuffix(strings.TrimPrefix(field, ".metadata["), "]"), `'"`)
		return a.Metadata[key], nil
	}
	return nil, fault.Invalidf("unknown placeholder %s: an artifact has .uri, .path, .name and .metadata", shorten(p.text))
}

// LocalPath is where the kfp SDK looks for a URI: cloud storage under a mount, everything else as a path.
func LocalPath(uri string) string {
	for scheme, mount := range map[string]string{"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"} {
		if rest, ok := strings.CutPrefix(uri, scheme); ok {
			return mount + rest
		}
	}
	if rest, ok := strings.CutPrefix(uri, "oci://"); ok {
		return "/oci/" + strings.ReplaceAll(rest, "/", "_")
	}
	return strings.TrimPrefix(uri, "file://")
}

func (p Placeholders) lookup(name string) (string, bool) {
	switch name {
	case "pipeline_job_name":
		return p.JobName, true
	case "pipeline_job_resource_name":
		return p.JobResourceName, true
	case "pipeline_job_uuid":
		return p.JobUUID, true
	case "pipeline_task_name":
		return p.TaskName, true
	case "pipeline_task_uuid":
		return p.TaskUUID, true
	case "pipeline_job_create_time_utc":
		return p.CreateTime, true
	case "pipeline_job_schedule_time_utc":
		return p.ScheduleTime, true
	case "pipeline_root":
		return p.PipelineRoot, true
	case "workspace_path":
		return p.WorkspacePath, true
	}
	return "", false
}

// ExpandValue replaces placeholders in the strings of a parameter value, at any depth. parameters are the task's other
// inputs, which an f-string in the pipeline's source refers to. What is neither one of them nor a name of the run stays.
func ExpandValue(v any, parameters map[string]any, run Placeholders) (any, error) {
	c := scope{&ExecutorInput{Inputs: ExecutorInputs{ParameterValues: parameters}}, run, true}
	switch v := v.(type) {
	case string:
		return c.expand(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			x, err := ExpandValue(e, parameters, run)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			x, err := ExpandValue(e, parameters, run)
			if err != nil {
				return nil, err
			}
			out[k] = x
		}
		return out, nil
	}
	return v, nil
}

// HasPlaceholder reports whether a value holds a placeholder in any of its strings.
func HasPlaceholder(v any) bool { return strings.Contains(JSON(v), "{{$") }

// PlaceholderTime renders a time as the run-level placeholders do.
func PlaceholderTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Quantity reads a Kubernetes quantity such as "500m", "2", "1.5Gi".
func Quantity(s string) (float64, error) {
	units := []struct {
		suffix string
		factor float64
	}{
		{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"Pi", 1 << 50}, {"Ei", 1 << 60},
		{"m", 1e-3}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15}, {"E", 1e18},
	}
	num, factor := strings.TrimSpace(s), 1.0
	for _, u := range units {
		if n, ok := strings.CutSuffix(num, u.suffix); ok {
			num, factor = n, u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil || !(f >= 0) || f > 1e18 {
		return 0, fault.Invalidf("quantity %q: want a number with an optional unit, such as 500m, 2 or 4Gi", shorten(s))
	}
	return f * factor, nil
}
