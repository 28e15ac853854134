package pylike

import (
	"testing"
	"time"
)

var today = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// The answers are those of dateutil 2.9 with that day as default.
func TestDatesAreReadAsByDateutil(t *testing.T) {
	for text, want := range map[string]string{
		"2024-02-29": "2024-02-29T00:00:00Z", "1/2/2003": "2003-01-02T00:00:00Z", "13/2/2003": "2003-02-13T00:00:00Z",
		"3 Jan 2001": "2001-01-03T00:00:00Z", "Jan 01 1970 12:00:01": "1970-01-01T12:00:01Z", "20240131": "2024-01-31T00:00:00Z",
		"20240131T235959": "2024-01-31T23:59:59Z", "2024-01-05T10:11:12.25Z": "2024-01-05T10:11:12.25Z",
		"2024-01-05 10:11+02:00": "2024-01-05T08:11:00Z", "10pm": "2026-11-29T22:00:00Z", "May of 99": "1999-05-29T00:00:00Z",
		"Feb": "2026-02-28T00:00:00Z", "Thu Sep 25 10:36:28 2003": "2003-09-25T10:36:28Z", "10h36m28.5s": "2026-11-29T10:36:28.5Z",
		"99": "1999-11-29T00:00:00Z", "Tue": "2026-12-01T00:00:00Z", "12:30 am": "2026-11-29T00:30:00Z", "2003.9.25": "2003-09-25T00:00:00Z",
		"25-Sep-2003": "2003-09-25T00:00:00Z", "July 4, 1976": "1976-07-04T00:00:00Z", "031-12-25": "0031-12-25T00:00:00Z",
		"2023-02-29": "", "no": "", "2001-13-01": "", "": "", "25:00": "", "a": "", "2024-01-05 10:11:12:13:14": "", "12.5.6.7": "",
	} {
		got, err := ParseDate(text, today)
		shown := ""
		if err == nil {
			shown = got.Format(time.RFC3339Nano)
		}
		if shown != want {
			t.Errorf("%q: got %q, want %q", text, shown, want)
		}
	}
}

// FuzzTexts looks for dates, formats and patterns that break what reads them.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"2024-02-29T10:11:12.25+02:00", "%Y-%m-%d %H:%M", `(?P<a>x)(?P=a)\Z`, "Jan-01-99 10h 36m", "1.2.3.4,5", "%"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if m, err := ParseDate(a, today); err == nil && (m.Year() < 0 || m.Year() > 10000) {
			t.Errorf("%q: %v", a, m)
		}
		if p, err := CompileStrptime(a); err == nil {
			p.Matches(b)
		}
		if len(a) > 40 || len(b) > 40 {
			return // long patterns may take as long as their limit allows
		}
		if r, err := CompileRegex(a); err == nil {
			_, _ = r.Search(b)
		}
		if r, err := Like(a); err == nil {
			r.MatchString(b)
		}
	})
}
