package traffic_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/fault"
	"levada/internal/core/traffic"
)

// drawn is a valid sticky plan over some of five versions.
func drawn(t *rapid.T, label string) traffic.Plan {
	n := rapid.IntRange(1, 5).Draw(t, label+" versions")
	p := traffic.Plan{Sticky: true}
	sum := 0
	for i := range n {
		w := rapid.IntRange(0, 100-sum).Draw(t, label+" percent")
		if i == n-1 {
			w = 100 - sum
		}
		sum += w
		p.Split = append(p.Split, traffic.Share{Version: fmt.Sprint(i + 1), Percent: float64(w)})
	}
	return p
}

func percents(p traffic.Plan) map[string]float64 {
	out := map[string]float64{}
	for _, s := range p.Split {
		out[s.Version] = s.Percent
	}
	return out
}

func TestAKeyMovesOnlyToAVersionThatHasGrown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawn(t, "before"), drawn(t, "after")
		b, a := percents(before), percents(after)
		for i := range 300 {
			key := fmt.Sprint("user ", i)
			from, to := before.Choose(key, nil, 1).Version, after.Choose(key, nil, 2).Version
			if b[from] == 0 || a[to] == 0 {
				t.Fatalf("key %q: %s then %s, one of which has no share (%v, %v)", key, from, to, b, a)
			}
			if from != to && a[to]*b[from] <= b[to]*a[from] {
				t.Fatalf("key %q moves from %s (%v to %v percent) to %s (%v to %v)", key, from, b[from], a[from], to, b[to], a[to])
			}
		}
	})
}

func TestGrowingOneVersionMovesNoMoreKeysThanItGains(t *testing.T) {
	const keys = 20_000
	plan := func(canary float64) *traffic.Plan {
		return &traffic.Plan{Sticky: true, Split: []traffic.Share{{Version: "1", Percent: 100 - canary}, {Version: "2", Percent: canary}}}
	}
	for _, step := range [][2]float64{{1, 5}, {5, 25}, {25, 50}, {50, 100}} {
		moved, back := 0, 0
		for i := range keys {
			key := fmt.Sprint(i)
			before, after := plan(step[0]).Choose(key, nil, 0).Version, plan(step[1]).Choose(key, nil, 0).Version
			switch {
			case before == after:
			case after == "2":
				moved++
			default:
				back++
			}
		}
		want := keys * (step[1] - step[0]) / 100
		if back != 0 || math.Abs(float64(moved)-want) > 5*math.Sqrt(want) {
			t.Errorf("from %v to %v percent: %d keys move to the version and %d away from it; want about %.0f and 0", step[0], step[1], moved, back, want)
		}
	}
}

func TestSharesAreKeptWithAndWithoutKeys(t *testing.T) {
	const n = 50_000
	p := traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 70}, {Version: "2", Percent: 25.5}, {Version: "3", Percent: 4.5}, {Version: "4"}}}
	for _, sticky := range []bool{false, true} {
		p.Sticky = sticky
		got := map[string]int{}
		for i := range uint64(n) {
			got[p.Choose(fmt.Sprintf("customer-%d", i), nil, i*0x9e3779b97f4a7c15).Version]++
		}
		for _, s := range p.Split {
			want := n * s.Percent / 100
			if math.Abs(float64(got[s.Version])-want) > 5*math.Sqrt(want)+0.5 {
				t.Errorf("sticky %v: version %s gets %d of %d; want about %.0f", sticky, s.Version, got[s.Version], n, want)
			}
		}
	}
}

func TestAKeyStaysAndASaltDividesAnew(t *testing.T) {
	half := []traffic.Share{{Version: "1", Percent: 50}, {Version: "2", Percent: 50}}
	p, other := traffic.Plan{Sticky: true, Split: half}, traffic.Plan{Sticky: true, Split: half, Salt: "experiment 7"}
	same := 0
	for i := range uint64(10_000) {
		key := fmt.Sprint(i)
		v := p.Choose(key, nil, i).Version
		if again := p.Choose(key, nil, i+1).Version; again != v {
			t.Fatalf("key %s gets %s and then %s", key, v, again)
		}
		if other.Choose(key, nil, i).Version == v {
			same++
		}
	}
	if same < 4_750 || same > 5_250 {
		t.Errorf("%d of 10000 keys have the same version with another salt; want about half", same)
	}
}

// The versions of some keys, so that no change of the hash goes unnoticed: it would move every user.
func TestTheHashNeverChanges(t *testing.T) {
	p := traffic.Plan{Sticky: true, Split: []traffic.Share{{Version: "1", Percent: 50}, {Version: "2", Percent: 30}, {Version: "3", Percent: 20}}}
	var got strings.Builder
	for i := range 40 {
		got.WriteString(p.Choose(fmt.Sprint("key ", i), nil, 0).Version)
	}
	if want := "3221131231111211211121321311312131112111"; got.String() != want {
		t.Errorf("got  %s\nwant %s", got.String(), want)
	}
}

func TestRulesComeFirstAndInOrder(t *testing.T) {
	p := traffic.Plan{
		Split: []traffic.Share{{Version: "1", Percent: 100}},
		Rules: []traffic.Rule{
			{Name: "testers", Keys: []string{"ada", "bob"}, Version: "3"},
			{Name: "beta", Header: "X-Channel", Values: []string{"beta", "alpha"}, Version: "2"},
			{Name: "phones", Header: "User-Agent", Prefix: "Phone/", Version: "2"},
			{Name: "traced", Header: "X-Trace", Version: "3"},
		},
	}
	if err := p.Validate([]string{"1", "2", "3"}); err != nil {
		t.Fatal(err)
	}
	headers := func(name, value string) func(string) string {
		return func(h string) string {
			if h == name {
				return value
			}
			return ""
		}
	}
	tests := []struct {
		key    string
		header func(string) string
		want   traffic.Choice
	}{
		{"ada", headers("X-Channel", "beta"), traffic.Choice{Version: "3", Rule: "testers"}},
		{"eve", headers("X-Channel", "beta"), traffic.Choice{Version: "2", Rule: "beta"}},
		{"eve", headers("X-Channel", "betamax"), traffic.Choice{Version: "1"}},
		{"", headers("User-Agent", "Phone/7"), traffic.Choice{Version: "2", Rule: "phones"}},
		{"", headers("X-Trace", "yes"), traffic.Choice{Version: "3", Rule: "traced"}},
		{"", nil, traffic.Choice{Version: "1"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, p.Choose(tt.key, tt.header, 7)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestACohortByLotKeepsItsKeysWhenItGrows(t *testing.T) {
	plan := func(percent float64) *traffic.Plan {
		return &traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 100}}, Rules: []traffic.Rule{{Name: "cohort", Percent: percent, Version: "2"}}}
	}
	in := 0
	for i := range 10_000 {
		key := fmt.Sprint(i)
		small, large := plan(10).Choose(key, nil, 0).Version, plan(30).Choose(key, nil, 0).Version
		if small == "2" {
			in++
			if large != "2" {
				t.Fatalf("key %s leaves the cohort when that grows", key)
			}
		}
	}
	if in < 850 || in > 1150 {
		t.Errorf("%d of 10000 keys are in a cohort of 10 percent", in)
	}
	if got := plan(100).Choose("", nil, 0).Version; got != "1" {
		t.Errorf("a request without a key is in a cohort: %s", got)
	}
}

func TestShadowsSeeTheirShareAndNeverTheirOwnRequests(t *testing.T) {
	p := traffic.Plan{
		Split:   []traffic.Share{{Version: "1", Percent: 50}, {Version: "2", Percent: 50}},
		Shadows: []traffic.Shadow{{Version: "2", Percent: 100}, {Version: "3", Percent: 20}},
	}
	counts := map[string]int{}
	for i := range uint64(10_000) {
		c := p.Choose("", nil, i*0x9e3779b97f4a7c15)
		for _, s := range c.Shadows {
			counts[s]++
			if s == c.Version {
				t.Fatal("a version shadows itself")
			}
		}
	}
	if counts["2"] < 4_750 || counts["2"] > 5_250 || counts["3"] < 1_800 || counts["3"] > 2_200 {
		t.Errorf("shadows saw %v of 10000 requests", counts)
	}
}

func TestPlansThatCannotBeFollowedAreRefused(t *testing.T) {
	one := []traffic.Share{{Version: "1", Percent: 100}}
	tests := map[string]struct {
		plan traffic.Plan
		want string
	}{
		"empty":             {traffic.Plan{}, "split is empty"},
		"too little":        {traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 90}}}, "add up to 90"},
		"negative":          {traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: -1}, {Version: "2", Percent: 101}}}, "from 0 to 100"},
		"not a number":      {traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: math.NaN()}}}, "from 0 to 100"},
		"twice":             {traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 50}, {Version: "1", Percent: 50}}}, "twice"},
		"not deployed":      {traffic.All("9"), `"9" is not deployed`},
		"shadow":            {traffic.Plan{Split: one, Shadows: []traffic.Shadow{{Version: "9", Percent: 1}}}, `"9" is not deployed`},
		"no condition":      {traffic.Plan{Split: one, Rules: []traffic.Rule{{Name: "r", Version: "1"}}}, "no condition"},
		"no name":           {traffic.Plan{Split: one, Rules: []traffic.Rule{{Version: "1", Header: "X"}}}, "want a name"},
		"values, no header": {traffic.Plan{Split: one, Rules: []traffic.Rule{{Name: "r", Version: "1", Values: []string{"x"}, Keys: []string{"k"}}}}, "names none"},
		"header":            {traffic.Plan{Split: one, Rules: []traffic.Rule{{Name: "r", Version: "1", Header: "X Y"}}}, "not the name of a header"},
	}
	for name, tt := range tests {
		err := tt.plan.Validate([]string{"1", "2"})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: %v; want it to say %q", name, err, tt.want)
		}
	}
}

func BenchmarkChooseSticky(b *testing.B) {
	p := traffic.Plan{Sticky: true, Split: []traffic.Share{{Version: "1", Percent: 90}, {Version: "2", Percent: 10}}}
	b.ReportAllocs()
	for i := range uint64(b.N) {
		p.Choose("customer-1234567", nil, i)
	}
}
