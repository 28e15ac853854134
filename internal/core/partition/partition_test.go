package partition_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func set(t *testing.T, d partition.Definition) *partition.Set {
	t.Helper()
	d.Parameter = "day"
	s, err := partition.Parse(d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keys(all []partition.Partition) []string {
	out := []string{}
	for _, p := range all {
		out = append(out, p.Key)
	}
	return out
}

func TestAPartitionOfTimeIsThereOnceItIsOver(t *testing.T) {
	for name, c := range map[string]struct {
		def  partition.Definition
		now  string
		want []string
	}{
		"days":                {partition.Definition{Every: partition.Daily, Start: "2013-01-30"}, "2013-02-02 00:00", []string{"2013-01-30", "2013-01-31", "2013-02-01"}},
		"days to an end":      {partition.Definition{Every: partition.Daily, Start: "2013-01-30", End: "2013-01-31"}, "2014-01-01 00:00", []string{"2013-01-30", "2013-01-31"}},
		"days in a zone":      {partition.Definition{Every: partition.Daily, Start: "2013-01-01", TimeZone: "America/New_York"}, "2013-01-03 04:59", []string{"2013-01-01"}},
		"weeks from Monday":   {partition.Definition{Every: partition.Weekly, Start: "2013-01-02"}, "2013-01-14 00:00", []string{"2012-12-31", "2013-01-07"}},
		"months":              {partition.Definition{Every: partition.Monthly, Start: "2012-11"}, "2013-02-01 00:00", []string{"2012-11", "2012-12", "2013-01"}},
		"months of a year":    {partition.Definition{Every: partition.Monthly, Start: "2012-12", End: "2013-01"}, "2020-01-01 00:00", []string{"2012-12", "2013-01"}},
		"hours":               {partition.Definition{Every: partition.Hourly, Start: "2013-01-01T22", End: "2013-01-02T00:30"}, "2020-01-01 00:00", []string{"2013-01-01T22:00Z", "2013-01-01T23:00Z", "2013-01-02T00:00Z"}},
		"a format":            {partition.Definition{Every: partition.Daily, Start: "2013-01-31", Format: "%Y%m%d"}, "2013-02-02 00:00", []string{"20130131", "20130201"}},
		"none yet":            {partition.Definition{Every: partition.Daily, Start: "2013-01-31"}, "2013-01-31 12:00", []string{}},
		"keys":                {partition.Definition{Keys: []string{"lis", "opo"}}, "2013-01-31 12:00", []string{"lis", "opo"}},
		"numbers":             {partition.Definition{Numbers: &partition.Numbers{From: -2, To: 5, Step: 3}}, "2013-01-31 12:00", []string{"-2", "1", "4"}},
		"the last of numbers": {partition.Definition{Numbers: &partition.Numbers{From: 1<<63 - 2, To: 1<<63 - 1}}, "2013-01-31 12:00", []string{"9223372036854775806", "9223372036854775807"}},
	} {
		all, err := set(t, c.def).Partitions(at(c.now))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, keys(all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Sao Paulo skipped midnight of 2018-11-04, New York showed 01:00 of 2013-11-03 twice, Havana 00:00 of 2013-11-03 twice.
func TestDaysAndHoursFollowTheClocksOfTheirZone(t *testing.T) {
	for _, c := range []struct {
		def  partition.Definition
		want []string
	}{
		{partition.Definition{Every: partition.Daily, Start: "2018-11-03", End: "2018-11-05", TimeZone: "America/Sao_Paulo"}, []string{
			"2018-11-03 24h0m0s", "2018-11-04 23h0m0s", "2018-11-05 24h0m0s"}},
		{partition.Definition{Every: partition.Daily, Start: "2013-11-02", End: "2013-11-04", TimeZone: "America/Havana"}, []string{
			"2013-11-02 24h0m0s", "2013-11-03 25h0m0s", "2013-11-04 24h0m0s"}},
		{partition.Definition{Every: partition.Hourly, Start: "2013-11-03T00", End: "2013-11-03T02", TimeZone: "America/New_York"}, []string{
			"2013-11-03T00:00-04:00 1h0m0s", "2013-11-03T01:00-04:00 1h0m0s", "2013-11-03T01:00-05:00 1h0m0s", "2013-11-03T02:00-05:00 1h0m0s"}},
	} {
		all, err := set(t, c.def).Partitions(at("2020-01-01 00:00"))
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for i, p := range all {
			got = append(got, p.Key+" "+p.End.Sub(*p.Start).String())
			if i > 0 && !p.Start.Equal(*all[i-1].End) {
				t.Errorf("%s starts at %s, the one before ends at %s", p.Key, p.Start, all[i-1].End)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.def.TimeZone, diff)
		}
	}
}

func TestARangeIsOfKeysOrTimes(t *testing.T) {
	days := set(t, partition.Definition{Every: partition.Daily, Start: "2013-01-01", TimeZone: "Europe/Lisbon"})
	hours := set(t, partition.Definition{Every: partition.Hourly, Start: "2013-01-01", TimeZone: "Europe/Lisbon"})
	names := set(t, partition.Definition{Keys: []string{"b", "a", "c"}})
	numbers := set(t, partition.Definition{Numbers: &partition.Numbers{From: 10, To: 100, Step: 10}})
	for _, c := range []struct {
		set         *partition.Set
		from, to    string
		first, last string
		n           int
	}{
		{days, "2013-01-05", "2013-01-07", "2013-01-05", "2013-01-07", 3},
		{days, "2013-02", "2013-02", "2013-02-01", "2013-02-28", 28},
		{days, "", "2012", "", "", 0},
		{days, "2013-12-30", "", "2013-12-30", "2013-12-31", 2},
		{days, "2013", "2013-01-01T12:00", "2013-01-01", "2013-01-01", 1},
		{days, "2012", "2013-01-01", "", "", 0},
		{days, "2013-03-01", "2013-02-01", "", "", 0},
		{hours, "2013-07-01", "2013-07-01", "2013-07-01T00:00+01:00", "2013-07-01T23:00+01:00", 24},
		{hours, "2013-07-01T05:00Z", "2013-07-01T05:30Z", "2013-07-01T06:00+01:00", "2013-07-01T06:00+01:00", 1},
		{names, "a", "", "a", "c", 2},
		{names, "", "a", "b", "a", 2},
		{numbers, "15", "40", "20", "40", 3},
		{numbers, "20", "39", "20", "30", 2},
	} {
		all, err := c.set.Partitions(at("2014-01-01 00:00"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.set.Select(all, c.from, c.to)
		if c.n == 0 {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("from %q to %q: %v, want an Invalid error", c.from, c.to, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("from %q to %q: %v", c.from, c.to, err)
		} else if len(got) != c.n || got[0].Key != c.first || got[len(got)-1].Key != c.last {
			t.Errorf("from %q to %q are %v", c.from, c.to, keys(got))
		}
	}
}

func TestWhatIsNoPartitioningIsRefusedWithAReason(t *testing.T) {
	for want, d := range map[string]partition.Definition{
		"name of the parameter":    {Every: partition.Daily, Start: "2013-01-01"},
		"have 0 of":                {Parameter: "p"},
		"have 2 of":                {Parameter: "p", Every: partition.Daily, Keys: []string{"a"}},
		"yearly":                   {Parameter: "p", Every: "yearly", Start: "2013"},
		"need a start":             {Parameter: "p", Every: partition.Daily},
		"no time of partitions":    {Parameter: "p", Every: partition.Daily, Start: "soon"},
		"no time zone":             {Parameter: "p", Every: partition.Daily, Start: "2013", TimeZone: "Mars/Olympus"},
		"before they start":        {Parameter: "p", Every: partition.Daily, Start: "2013-02", End: "2013-01"},
		"year from 1900":           {Parameter: "p", Every: partition.Daily, Start: "0001"},
		"follow each other in the": {Parameter: "p", Every: partition.Daily, Start: "2013", Format: "%Y-%m"},
		"is empty":                 {Parameter: "p", Keys: []string{""}},
		"there twice":              {Parameter: "p", Keys: []string{"a", "a"}},
		"longer than":              {Parameter: "p", Keys: []string{strings.Repeat("a", 300)}},
		"are none":                 {Parameter: "p", Numbers: &partition.Numbers{From: 2, To: 1}},
		"are more than":            {Parameter: "p", Numbers: &partition.Numbers{From: -1 << 63, To: 1<<63 - 1}},
		"for partitions of time":   {Parameter: "p", Keys: []string{"a"}, TimeZone: "UTC"},
	} {
		if _, err := partition.Parse(d); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an Invalid error with %q", d, err, want)
		}
	}
	if _, err := set(t, partition.Definition{Every: partition.Hourly, Start: "1950"}).Partitions(at("2013-01-01 00:00")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("too many: %v", err)
	}
}

func TestStatesFollowFromRunsAndContent(t *testing.T) {
	all := []partition.Partition{{Key: "a"}, {Key: "b"}, {Key: "c"}, {Key: "d"}, {Key: "e"}, {Key: "f"}, {Key: "g"}}
	runs := map[string]partition.Run{
		"b": {RunID: "rb", State: run.Running}, "c": {RunID: "rc", State: run.Failed}, "d": {RunID: "rd", State: run.Succeeded, SpecDigest: "old"},
		"e": {RunID: "re", State: run.Succeeded, SpecDigest: "new"}, "f": {RunID: "rf", State: run.Skipped, SpecDigest: "new"},
	}
	inputs := map[string][]partition.Input{"re": {{URI: "/data/x.csv", Digest: "sha256:1"}}, "rf": {{URI: "/data/y.csv", Digest: "sha256:2"}}}
	got := partition.Judge(all, runs, inputs, partition.Newest{SpecDigest: "new", Waiting: map[string]bool{"g": true, "b": true}, Changed: func(in partition.Input, _ time.Time) string {
		if in.Digest == "sha256:1" {
			return "its content has changed"
		}
		return ""
	}})
	words := []string{}
	for _, s := range got {
		words = append(words, s.Key+" "+string(s.State)+" "+s.Why)
	}
	want := []string{"a missing ", "b running ", "c failed ", "d stale the pipeline has a newer version", "e stale /data/x.csv: its content has changed", "f done ", "g running it waits in a backfill"}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[partition.State]int{"missing": 1, "running": 2, "failed": 1, "stale": 2, "done": 1}, partition.Counts(got)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestAKeyIsTheValueOfItsParameter(t *testing.T) {
	for _, c := range []struct {
		key     string
		numeric bool
		value   any
	}{{"2013", true, 2013.0}, {"2013", false, "2013"}, {"1.5", true, 1.5}, {"a", true, nil}, {"01", true, nil}} {
		v, err := partition.Value(c.key, c.numeric)
		if c.value == nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", c.key, err)
			}
			continue
		}
		if err != nil || v != c.value || partition.KeyOf(v) != c.key {
			t.Errorf("%q is %v (%v) and back %q", c.key, v, err, partition.KeyOf(v))
		}
	}
	if partition.KeyOf(true) != "" || partition.KeyOf(nil) != "" {
		t.Error("what is no text and no number is a key")
	}
}
