package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/cli/console"
)

func TestCleanTakesOutEverythingThatCouldCommandATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                     "plain",
		"naïve 数据":                  "naïve 数据",
		"\x1b[31mred\x1b[0m":        "red",
		"\x1b]52;c;ZXZpbA==\x07ok":  "ok",
		"\x1b]0;title\x1b\\ok":      "ok",
		"a\tb\r\nc":                 "a b  c",
		"bell\x07 back\x08":         "bell back",
		"c1 \u009b31m":              "c1 31m",
		"bidi \u202eevil\u2066":     "bidi evil",
		"broken \xff utf-8":         "broken \uFFFD utf-8",
		"\x1b[2J\x1b[1;1Hall clear": "all clear",
	} {
		if got := console.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanTextNeverHoldsAControlCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got := console.Clean(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || (r >= 0x7f && r < 0xa0) }) {
			t.Fatalf("control character left in %q", got)
		}
	})
}

func TestATableIsAlignedAndCutToTheTerminal(t *testing.T) {
	table := console.NewTable("ID", "NAME", "STATE")
	table.Flexible = 1
	table.Add("1", "a rather long name for a run", "FAILED")
	table.Add("22", "short", "OK")
	for width, want := range map[int]string{
		0:  "ID  NAME                          STATE\n1   a rather long name for a run  FAILED\n22  short                         OK\n",
		24: "ID  NAME          STATE\n1   a rather lo…  FAILED\n22  short         OK\n",
		10: "ID  NAME …\n1   a rath…\n22  short\n",
	} {
		var b strings.Builder
		if err := table.Write(&b, width, console.Style{}); err != nil {
			t.Fatal(err)
		}
		if width == 10 {
			for line := range strings.Lines(b.String()) {
				if console.Width(strings.TrimSuffix(line, "\n")) > width {
					t.Errorf("line %q is wider than %d", line, width)
				}
			}
			continue
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("width %d: %s", width, diff)
		}
	}
}

func TestColoursDoNotCountAsWidth(t *testing.T) {
	red := console.Style{Color: true}.Bad("failed")
	if got := console.Width(red); got != 6 {
		t.Errorf("width %d, want 6", got)
	}
	if got := (console.Style{}).Bad("failed"); got != "failed" {
		t.Errorf("without colour: %q", got)
	}
}

func TestTimesAndSizesAreShort(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	got := []string{
		console.Duration(-time.Second), console.Duration(1234 * time.Millisecond), console.Duration(59 * time.Second),
		console.Duration(61 * time.Second), console.Duration(90 * time.Minute), console.Duration(50 * time.Hour),
		console.Ago(now, now), console.Ago(now.Add(-30*time.Second), now), console.Ago(now.Add(-3*time.Hour), now),
		console.Ago(now.Add(-72*time.Hour), now), console.Ago(now.Add(-5000*time.Hour), now), console.Ago(time.Time{}, now),
		console.Bytes(0), console.Bytes(1023), console.Bytes(1536), console.Bytes(5 << 30), console.ShortID("0123456789"),
	}
	want := []string{"0s", "1.2s", "59s", "1m01s", "1h30m", "2d2h", "just now", "30s ago", "3h ago", "3d ago", "2025-08-08",
		"", "0 B", "1023 B", "1.5 KiB", "5.0 GiB", "01234567"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAScreenDrawsOverItsLastBlock(t *testing.T) {
	var b strings.Builder
	s := console.NewScreen(&b)
	if err := s.Draw([]string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := s.Draw([]string{"three"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\x1b[2A\rthree") {
		t.Errorf("the second block does not start where the first did: %q", b.String())
	}
	b.Reset()
	if err := s.Erase(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "\x1b[1A\r\x1b[J"; got != want {
		t.Errorf("erase wrote %q, want %q", got, want)
	}
}
