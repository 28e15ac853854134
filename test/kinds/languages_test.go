package kinds

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"levada/internal/core/table"
	"levada/internal/core/textual"
)

type sentence struct {
	Language string  `json:"language"`
	Text     string  `json:"text"`
	Langid   *string `json:"langid"`
}

// told counts texts by what was said of them.
type told struct{ all, right, wrong int }

func (t *told) add(want, got string) {
	t.all++
	switch got {
	case want:
		t.right++
	case "":
	default:
		t.wrong++
	}
}

func (t told) share(n int) float64 { return 100 * float64(n) / float64(max(1, t.all)) }

// TestLanguagesOfRealTexts measures on the half of the sample that the weights were not set on.
func TestLanguagesOfRealTexts(t *testing.T) {
	var all []sentence
	ask(t, "languages", "language_sample.py", &all)
	for _, size := range []struct {
		name        string
		low, high   int
		right, less float64 // in percent
	}{{"20 to 49 characters", 20, 50, 55, 5}, {"50 to 99 characters", 50, 100, 85, 5}, {"100 characters and more", 100, 1 << 20, 93, 3}} {
		var ours, langid told
		of := map[string]*told{}
		for _, s := range all {
			if n := len([]rune(s.Text)); n < size.low || n >= size.high || table.HashText(s.Text)&1 == 0 {
				continue
			}
			got := textual.Language(s.Text)
			ours.add(s.Language, got)
			if s.Langid != nil {
				langid.add(s.Language, strings.Replace(*s.Langid, "no", "nb", 1))
			}
			if of[s.Language] == nil {
				of[s.Language] = &told{}
			}
			of[s.Language].add(s.Language, got)
		}
		t.Logf("%s: of %d texts in %d languages %.1f %% right, %.1f %% wrong, the others not told; langid, of %d: %.1f %% right", size.name, ours.all, len(of),
			ours.share(ours.right), ours.share(ours.wrong), langid.all, langid.share(langid.right))
		for _, l := range slices.Sorted(maps.Keys(of)) {
			if o := of[l]; o.share(o.right) < 70 || o.share(o.wrong) > 15 {
				t.Logf("  %s: of %d %.0f %% right, %.0f %% wrong", l, o.all, o.share(o.right), o.share(o.wrong))
			}
		}
		if ours.share(ours.right) < size.right || ours.share(ours.wrong) > size.less {
			t.Errorf("%s: want at least %v %% right and at most %v %% wrong", size.name, size.right, size.less)
		}
	}
}
