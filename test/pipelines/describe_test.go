package pipelines

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"levada/test/levadatest"
)

// What Levada's own API says of a run; only what the tests compare.
type (
	runView struct {
		State   string   `json:"state"`
		Failure *failure `json:"failure"`
		Outputs values   `json:"outputs"`
	}
	taskView struct {
		Path        string   `json:"path"`
		DisplayName string   `json:"display_name"`
		Kind        string   `json:"kind"`
		State       string   `json:"state"`
		Reason      string   `json:"reason"`
		Attempts    int      `json:"attempts"`
		Cached      bool     `json:"cached"`
		Inputs      values   `json:"inputs"`
		Outputs     values   `json:"outputs"`
		Failure     *failure `json:"failure"`
	}
	values struct {
		Parameters map[string]any        `json:"parameters"`
		Artifacts  map[string][]artifact `json:"artifacts"`
	}
	artifact struct {
		ID          string         `json:"id"`
		Name        string         `json:"name"`
		SchemaTitle string         `json:"schema_title"`
		URI         string         `json:"uri"`
		Digest      string         `json:"digest"`
		Size        int64          `json:"size"`
		Files       int            `json:"files"`
		Metadata    map[string]any `json:"metadata"`
	}
	failure struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
)

// page describes one run as text.
type page struct {
	bytes.Buffer
	ctx  context.Context
	srv  *levadatest.Server
	mask *strings.Replacer
	// cached says whether to tell which results were reused: only where no other pipeline may have left the same.
	cached bool
}

// describe writes down how a run ended: a line for the run, and for each task its state, inputs and outputs. What differs
// from run to run (ids, times, directories) is masked.
func describe(ctx context.Context, srv *levadatest.Server, name, run, dir string) (string, error) {
	var r runView
	if err := srv.Call(ctx, http.MethodGet, "/api/v1/runs/"+run, nil, &r); err != nil {
		return "", err
	}
	var list struct {
		Tasks []taskView `json:"tasks"`
	}
	if err := srv.Call(ctx, http.MethodGet, "/api/v1/runs/"+run+"/tasks", nil, &list); err != nil {
		return "", err
	}
	p := &page{ctx: ctx, srv: srv, mask: strings.NewReplacer(dir, "DIR", srv.Data, "DATA", name+"-"+run[:8], name+"-ID"), cached: strings.HasPrefix(name, "run-cach")}
	p.line("run %s", r.State)
	p.failure(r.Failure)
	if err := p.values("out", r.Outputs, false); err != nil {
		return "", err
	}
	slices.SortFunc(list.Tasks, func(a, b taskView) int { return strings.Compare(a.Path, b.Path) })
	for _, t := range list.Tasks {
		if err := p.task(t); err != nil {
			return "", err
		}
	}
	return p.String(), nil
}

func (p *page) task(t taskView) error {
	p.line("\n%s (%s) %s%s", t.Path, t.Kind, t.State, p.tried(t))
	if name := t.Path[strings.LastIndex(t.Path, "/")+1:]; t.DisplayName != name {
		p.line("  display name %s", t.DisplayName)
	}
	if t.Reason != "" {
		p.line("  reason %s", t.Reason)
	}
	p.failure(t.Failure)
	leaf := t.Kind == "container" || t.Kind == "importer"
	if leaf {
		if err := p.values("in ", t.Inputs, false); err != nil {
			return err
		}
	}
	return p.values("out", t.Outputs, leaf)
}

func (p *page) tried(t taskView) string {
	switch {
	case t.Cached && p.cached:
		return ", from the cache"
	case t.Attempts > 1:
		return fmt.Sprintf(", %d attempts", t.Attempts)
	}
	return ""
}

func (p *page) failure(f *failure) {
	if f != nil {
		p.line("  failure %s: %s", f.Reason, strings.ReplaceAll(strings.TrimSpace(f.Message), "\n", "\n    "))
	}
}

func (p *page) values(what string, v values, content bool) error {
	for _, k := range slices.Sorted(maps.Keys(v.Parameters)) {
		p.line("  %s %s = %s", what, k, short(encode(v.Parameters[k])))
	}
	for _, k := range slices.Sorted(maps.Keys(v.Artifacts)) {
		if len(v.Artifacts[k]) == 0 {
			p.line("  %s %s: no artifacts", what, k)
		}
		for _, a := range v.Artifacts[k] {
			text := ""
			switch {
			case a.Digest == "" && a.URI != "":
				text = " at " + a.URI
			case a.Digest != "" && a.Files > 1:
				text = fmt.Sprintf(" of %d files, %d bytes", a.Files, a.Size)
			case a.Digest != "" && content && strings.HasPrefix(a.Digest, "sha256:"):
				body, err := p.content(a)
				if err != nil {
					return err
				}
				text = " holding " + short(encode(body))
			}
			p.line("  %s %s: %s %s %s%s", what, k, a.SchemaTitle, a.Name, encode(a.Metadata), text)
		}
	}
	return nil
}

func (p *page) content(a artifact) (string, error) {
	resp, err := p.srv.Get(p.ctx, "/api/v1/artifacts/"+a.ID+"/content")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("content of artifact %s: %s: %s", a.Name, resp.Status, body)
	}
	return string(body), err
}

func encode(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // what came as JSON goes as JSON
	return strings.TrimSpace(b.String())
}

// short replaces a long text by its length and digest.
func short(text string) string {
	if len(text) <= 1000 {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes, sha256 %x)", text[:20], len(text), sha256.Sum256([]byte(text)))
}

var (
	uuids      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times      = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	components = regexp.MustCompile(`[^" ]*/component-[^/]*/ephemeral_component.py`)
)

func (p *page) line(format string, args ...any) {
	text := p.mask.Replace(fmt.Sprintf(format, args...))
	text = uuids.ReplaceAllString(text, "UUID")
	text = times.ReplaceAllString(text, "TIME")
	text = components.ReplaceAllString(text, "component.py")
	fmt.Fprintln(p, text)
}
