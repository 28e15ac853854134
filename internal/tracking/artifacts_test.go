package tracking_test

import (
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/tracking"
)

func TestPathsAreMadePlainOrRefused(t *testing.T) {
	for raw, want := range map[string]string{
		"": "", ".": "", "a": "a", "a/b.txt": "a/b.txt", "a//b": "a/b", "./a": "a", "a/./b": "a/b", "a%20b": "a b", "a%2520b": "a b", "100%": "100%", "é/ü": "é/ü", "..a/b..": "..a/b..",
	} {
		got, err := tracking.CleanPath(raw)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"..", "../a", "a/../b", "a/..", "%2e%2e/a", "%252e%252e%252fa", "/a", "%2fa", "a\\b", "a%5cb", "C:/a", "c:a", "file:///a", "FILE:a", "a#b", "a%23b", "a\x00b", "a%00b", "a\nb",
		strings.Repeat("a/", 4000)} {
		if got, err := tracking.CleanPath(raw); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%q: %q, %v; want it refused", raw, got, err)
		}
	}
}

func FuzzNoPathLeadsOut(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "%2e%2e%2fx", "a\\..\\b", "%25252e%25252e/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := tracking.CleanPath(raw)
		if err != nil {
			return
		}
		if strings.HasPrefix(got, "/") || strings.Contains(got, "\\") || strings.Contains("/"+got+"/", "/../") {
			t.Errorf("%q became %q", raw, got)
		}
	})
}

func TestNamesAreThoseThatMLflowTakes(t *testing.T) {
	for _, name := range []string{"a", "a/b", "a b", "a:b", "a.b", "a-b", "é", "日本", "_x", "1"} {
		if err := tracking.CheckName("key", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, part := range map[string]string{
		"a$b": "may only contain", "a\\b": "may only contain", "../a": "would resolve to '../a'", "a/": "would resolve to 'a'", "a//b": "'a/b'", ".": "'.'", "/a": "'/a'", "": "'.'",
	} {
		if err := tracking.CheckName("key", name); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want a message with %q", name, err, part)
		}
	}
}
