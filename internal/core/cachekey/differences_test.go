package cachekey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/cachekey"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

func full(t testing.TB, s *run.Step, component, environment, custom string) cachekey.Key {
	t.Helper()
	k, err := cachekey.Of(s, component, run.Environment{Digest: environment}, custom)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestADifferenceNamesWhatChangedAndNoSecret(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*run.Step)
		want   string
	}{
		"a parameter":         {func(s *run.Step) { s.Inputs.Parameters["p"] = 0.2 }, "parameter p: 1 -> 0.2"},
		"a new parameter":     {func(s *run.Step) { s.Inputs.Parameters["r"] = "x" }, `parameter r: not given -> "x"`},
		"a dropped parameter": {func(s *run.Step) { delete(s.Inputs.Parameters, "q") }, `parameter q: "x" -> not given`},
		"bytes":               {func(s *run.Step) { s.Inputs.Artifacts["a"][0].Digest = "sha256:2" }, "input artifact a: bytes differ"},
		"an address": {func(s *run.Step) { s.Inputs.Artifacts["a"][0].Digest, s.Inputs.Artifacts["a"][0].URI = "", "gs://b/x" },
			"input artifact a: sha256:1 -> gs://b/x"},
		"one more": {func(s *run.Step) {
			s.Inputs.Artifacts["a"] = append(s.Inputs.Artifacts["a"], run.Artifact{Digest: "sha256:3", SchemaTitle: "system.Dataset"})
		},
			"input artifact a: 1 artifacts -> 2 artifacts; input artifact a: type system.Dataset -> system.Dataset, system.Dataset"},
		"metadata":       {func(s *run.Step) { s.Inputs.Artifacts["a"][0].Metadata = map[string]any{"k": 1.0} }, `metadata of input artifact a: not given -> [{"k":1}]`},
		"code":           {func(s *run.Step) { s.Executor.Container.Command = []string{"d"} }, "code of the component changed"},
		"image":          {func(s *run.Step) { s.Executor.Container.Image = "i@sha256:9" }, "image: i -> i@sha256:9"},
		"a variable":     {func(s *run.Step) { s.Executor.Container.Env[0].Value = "secret" }, "environment variable E has another value"},
		"a new variable": {func(s *run.Step) { s.Executor.Container.Env = append(s.Executor.Container.Env, ir.EnvVar{Name: "F"}) }, "environment variable F is new"},
		"no variable":    {func(s *run.Step) { s.Executor.Container.Env = nil }, "environment variable E is not set any more"},
		"a long text":    {func(s *run.Step) { s.Inputs.Parameters["q"] = strings.Repeat("y", 500) }, `parameter q: "x" -> "` + strings.Repeat("y", 119) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			s := step()
			c.change(s)
			var got []string
			for _, d := range cachekey.Differences(full(t, step(), "c", "env", "").Parts, full(t, s, "c", "env", "").Parts) {
				got = append(got, d.Text)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, p := range full(t, s, "c", "env", "").Parts {
				if strings.Contains(p.Value, "secret") {
					t.Errorf("part %+v shows the value of a variable", p)
				}
			}
		})
	}
}

func TestACustomKeySaysSo(t *testing.T) {
	got := cachekey.Differences(full(t, step(), "c", "env", "monday").Parts, full(t, step(), "c", "env", "tuesday").Parts)
	if len(got) != 1 || got[0].Text != "custom cache key: monday -> tuesday" {
		t.Errorf("got %+v", got)
	}
}

func TestKeysAreEqualExactlyWhenNoPartDiffers(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b"})
	gen := rapid.Custom(func(t *rapid.T) *run.Step {
		s := step()
		s.Executor.Container.Env = nil
		for range rapid.IntRange(0, 3).Draw(t, "variables") {
			s.Executor.Container.Env = append(s.Executor.Container.Env, ir.EnvVar{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")})
		}
		s.Executor.Container.Image = text.Draw(t, "image")
		s.Inputs.Parameters = map[string]any{}
		for range rapid.IntRange(0, 2).Draw(t, "parameters") {
			s.Inputs.Parameters[text.Draw(t, "parameter")] = text.Draw(t, "value")
		}
		list := []run.Artifact{}
		for range rapid.IntRange(0, 2).Draw(t, "artifacts") {
			list = append(list, run.Artifact{Digest: text.Draw(t, "digest"), URI: text.Draw(t, "uri"), SchemaTitle: text.Draw(t, "type")})
		}
		s.Inputs.Artifacts = map[string][]run.Artifact{"a": list}
		return s
	})
	rapid.Check(t, func(rt *rapid.T) {
		x, y := full(t, gen.Draw(rt, "x"), "c", "env", ""), full(t, gen.Draw(rt, "y"), "c", "env", "")
		if equal := len(cachekey.Differences(x.Parts, y.Parts)) == 0; equal != (x.Digest == y.Digest) {
			rt.Fatalf("keys equal: %t, parts equal: %t\n%+v\n%+v", x.Digest == y.Digest, equal, x.Parts, y.Parts)
		}
	})
}

func TestPackagesThatDifferAreNamed(t *testing.T) {
	got := cachekey.PackageDifferences([]string{"python==3.11.2", "pandas==2.2.1", "six==1"}, []string{"python==3.11.2", "pandas==2.2.3", "toml==2"})
	if diff := cmp.Diff([]string{"pandas 2.2.1 -> 2.2.3", "six 1 is gone", "toml 2 is new"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAgesAreReadAsPeopleAndISOWriteThem(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 30 * 24 * time.Hour, "12h": 12 * time.Hour, "1w2d": 9 * 24 * time.Hour, "90m": 90 * time.Minute, "0s": 0,
		"P30D": 30 * 24 * time.Hour, "PT1H30M": 90 * time.Minute, "P1W": 7 * 24 * time.Hour, "P0D": 0,
	} {
		if got, err := cachekey.ParseAge(text); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "1", "d", "-1d", "1.5h", "1y", "P1Y", "2d1w", "999999999999d", "99999999999999999999h", "1d "} {
		if got, err := cachekey.ParseAge(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func TestHowOldAResultMayBeDoesNotChangeTheKey(t *testing.T) {
	with := func(age string) *run.Step {
		s := step()
		s.Kubernetes = &ir.KubernetesExecutor{PodMetadata: &ir.PodMetadata{Annotations: map[string]string{"team": "a"}}}
		if age != "" {
			s.Kubernetes.PodMetadata.Annotations[cachekey.StalenessAnnotation] = age
		}
		return s
	}
	if full(t, with("P1D"), "c", "env", "").Digest != full(t, with(""), "c", "env", "").Digest {
		t.Error("the key changed")
	}
	age, limited, err := cachekey.MaxAge(with("P1D").Kubernetes, time.Hour)
	if err != nil || !limited || age != 24*time.Hour {
		t.Errorf("a task's own age: %s %t %v", age, limited, err)
	}
	if age, limited, err := cachekey.MaxAge(with("").Kubernetes, time.Hour); err != nil || !limited || age != time.Hour {
		t.Errorf("the default age: %s %t %v", age, limited, err)
	}
	if _, limited, err := cachekey.MaxAge(nil, 0); err != nil || limited {
		t.Errorf("no age: %t %v", limited, err)
	}
}
