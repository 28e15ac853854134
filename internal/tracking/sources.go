package tracking

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

const (
	// maxSourceText is how many bytes of a text are shown.
	maxSourceText = 200_000
	// maxSourceModels is how many models of a run are looked into.
	maxSourceModels = 5
)

// ModelText is a file that says what a model needs.
type ModelText struct {
	// Model is the name of the logged model, or its path among the files of the run.
	Model string
	// Name is the name of the file: requirements.txt, conda.yaml, python_env.yaml.
	Name string
	Text string
	// Cut says that there is more of it.
	Cut bool
}

// ModelTexts returns the files that say what the models need that a run logged. elsewhere names models whose files are kept at a place
// that is not read here.
func (s *Service) ModelTexts(ctx context.Context, r *track.Run) (texts []ModelText, elsewhere []string, err error) {
	models, err := s.loggedBy(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range models {
		if !strings.HasPrefix(m.location, artifactScheme) {
			elsewhere = append(elsewhere, m.name)
			continue
		}
		for _, name := range []string{"requirements.txt", "conda.yaml", "python_env.yaml"} {
			text, cut, err := s.textBelow(ctx, m.location, name)
			switch kind := fault.KindOf(err); {
			case err == nil:
				texts = append(texts, ModelText{Model: m.name, Name: name, Text: text, Cut: cut})
			case kind != fault.NotFound && kind != fault.Invalid:
				return nil, nil, err
			}
		}
	}
	return texts, elsewhere, nil
}

type loggedAt struct{ name, location string }

// loggedBy returns the first models that a run logged: those of MLflow 3, then those that older clients name in a tag.
func (s *Service) loggedBy(ctx context.Context, r *track.Run) ([]loggedAt, error) {
	var out []loggedAt
	for _, o := range r.Outputs {
		if len(out) == maxSourceModels {
			return out, nil
		}
		m, err := s.Model(ctx, o.ModelID, true)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, loggedAt{m.Name, m.ArtifactLocation})
	}
	tag, _ := track.Find(r.Tags, track.TagLoggedModels)
	if tag == "" {
		return out, nil
	}
	var list []struct {
		Path string `json:"artifact_path"`
	}
	if json.Unmarshal([]byte(tag), &list) != nil {
		list = nil // clients can write anything there
	}
	for _, m := range list {
		if len(out) == maxSourceModels {
			break
		}
		if p, err := CleanPath(m.Path); err == nil && strings.HasPrefix(r.ArtifactURI, artifactScheme) {
			out = append(out, loggedAt{p, r.ArtifactURI + "/" + p})
		}
	}
	return out, nil
}

func (s *Service) textBelow(ctx context.Context, location, name string) (text string, cut bool, err error) {
	content, _, err := s.OpenBelow(ctx, location, name)
	if err != nil {
		return "", false, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	body, err := io.ReadAll(io.LimitReader(content, maxSourceText+1))
	if len(body) > maxSourceText {
		body, cut = body[:maxSourceText], true
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), cut, err
}

// Requirements reads the lines of a requirements.txt: versions by the names of packages, as pip compares names. A package without one
// fixed version has what stands behind its name.
func Requirements(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "-") {
			continue
		}
		end := strings.IndexFunc(line, func(c rune) bool { return strings.ContainsRune("=<>!~;[ @(", c) })
		name, rest := line, "any"
		if end >= 0 {
			name, rest = line[:end], strings.TrimSpace(line[end:])
		}
		if strings.HasPrefix(rest, "[") { // extras
			if i := strings.IndexByte(rest, ']'); i > 0 {
				rest = strings.TrimSpace(rest[i+1:])
			}
		}
		rest, _, _ = strings.Cut(rest, ";")
		rest = strings.TrimSpace(strings.TrimPrefix(rest, "=="))
		if rest == "" {
			rest = "any"
		}
		out[packageName(name)] = rest
	}
	return out
}

// packageName is the form in which names of Python packages are compared.
func packageName(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(path.Base(name)), func(c rune) bool { return c == '-' || c == '_' || c == '.' }), "-")
}
