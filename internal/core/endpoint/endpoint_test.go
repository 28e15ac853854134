package endpoint_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/traffic"
)

func TestReferencesToModels(t *testing.T) {
	tests := []struct{ uri, name, version string }{
		{"models:/flights/3", "flights", "3"},
		{"models:/flights@champion", "flights", "@champion"},
		{"models:/flights/latest", "flights", "latest"},
		{"models:/flights", "flights", "latest"},
		{"models:/a@b@c", "a@b", "@c"},
	}
	for _, tt := range tests {
		name, version, err := endpoint.ParseReference(tt.uri)
		if err != nil || name != tt.name || version != tt.version {
			t.Errorf("%s: %q, %q, %v", tt.uri, name, version, err)
		}
	}
	for _, bad := range []string{"", "flights", "runs:/abc/model", "models:/", "models://x", "models:/a/b/c", "models:/@x", "models:/a@", "models:/a//"} {
		if name, version, err := endpoint.ParseReference(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %q, %q, %v", bad, name, version, err)
		}
	}
}

func TestSpecificationsThatCannotBeServedAreRefused(t *testing.T) {
	good := endpoint.Spec{Model: "flights", Versions: []string{"1", "2"}, Traffic: traffic.All("1")}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*endpoint.Spec){
		"name the registered model":  func(s *endpoint.Spec) { s.Model = "" },
		"at least one version":       func(s *endpoint.Spec) { s.Versions = nil },
		`"v1" is neither`:            func(s *endpoint.Spec) { s.Versions = []string{"v1"} },
		`"01" is neither`:            func(s *endpoint.Spec) { s.Versions = []string{"01"} },
		"2 is there twice":           func(s *endpoint.Spec) { s.Versions = []string{"1", "2", "2"} },
		`"1" is not deployed`:        func(s *endpoint.Spec) { s.Versions = []string{"2"} },
		"workers is -1":              func(s *endpoint.Spec) { s.Settings.Workers = -1 },
		"max_batch is 1000000":       func(s *endpoint.Spec) { s.Settings.MaxBatch = 1_000_000 },
		"batch_delay_ms is NaN":      func(s *endpoint.Spec) { s.Settings.BatchDelayMS = math.NaN() },
		"at most 20 are possible":    func(s *endpoint.Spec) { s.Versions = strings.Split(strings.Repeat("1 ", 21), " ") },
		"longer than 2000 bytes":     func(s *endpoint.Spec) { s.Settings.Description = strings.Repeat("x", 2001) },
		"idle_seconds is 2147483647": func(s *endpoint.Spec) { s.Settings.IdleSeconds = math.MaxInt32 },
	}
	remote := func(name, url string) func(*endpoint.Spec) {
		return func(s *endpoint.Spec) {
			s.Versions = append([]string{"old"}, s.Versions...)
			s.Remotes = map[string]endpoint.Remote{name: {URL: url}}
		}
	}
	const model = "https://models.example.com/v2/models/flights"
	for want, change := range map[string]func(*endpoint.Spec){
		"other is not among":    remote("other", model),
		`"7" is no name`:        remote("7", model),
		`"latest" is no name`:   remote("latest", model),
		`"Old" is no name`:      remote("Old", model),
		"want the URL":          remote("old", "ftp://models.example.com/v2/models/flights"),
		"has credentials":       remote("old", "https://user:hunter2@models.example.com/v2/models/flights"),
		"a query":               remote("old", model+"?token=hunter2"),
		`the path "/predict"`:   remote("old", "https://models.example.com/predict"),
		"is neither the number": func(s *endpoint.Spec) { s.Versions = append(s.Versions, "old") },
	} {
		tests[want] = change
	}
	for _, url := range []string{model, model + "/versions/4", "https://h:8443/prefix/v2/models/a%20b"} {
		s := good
		remote("old", url)(&s)
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		s.Model, s.Versions, s.Traffic = "", []string{"old"}, traffic.All("old")
		if err := s.Validate(); err != nil {
			t.Errorf("without a model: %v", err)
		}
	}
	for want, change := range tests {
		s := good
		change(&s)
		if err := s.Validate(); fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v; want it to say %q", err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is told: %v", err)
		}
	}
}

func TestNamesOfEndpoints(t *testing.T) {
	for _, name := range []string{"flights", "a", "A.b-c_9", strings.Repeat("x", 63)} {
		if err := endpoint.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", "-a", "a/b", "a b", "a\n", "é", strings.Repeat("x", 64)} {
		if endpoint.CheckName(name) == nil {
			t.Errorf("%q passes", name)
		}
	}
}
