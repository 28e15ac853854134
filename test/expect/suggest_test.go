package expect_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"levada/internal/adapter/tabular"
	"levada/internal/core/expect"
	"levada/internal/core/expect/suggest"
	"levada/internal/core/table"
	"levada/test/levadatest"
)

// written is the folder of real tables, made once; see datasets.py.
var written = sync.OnceValues(func() (string, error) {
	python, err := levadatest.LibraryPython("expect", "datasets")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "levada-tables")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(python, filepath.Join(levadatest.Root(), "test", "expect", "datasets.py"), dir)
	if said, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, said)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("LEVADA_DATA") != "" {
		if dir, err := written(); err == nil {
			_ = os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

// realTables is a folder with real tables.
func realTables(t *testing.T) string {
	t.Helper()
	if os.Getenv("LEVADA_DATA") == "" {
		t.Skip("needs real tables from PyPI; run by make test-data")
	}
	dir, err := written()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string, names ...string) []table.Source {
	t.Helper()
	var out []table.Source
	for _, name := range names {
		s, closer, err := tabular.OpenSource(filepath.Join(dir, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = closer.Close() })
		out = append(out, s)
	}
	return out
}

func suggested(t *testing.T, sources []table.Source, o suggest.Options) expect.Suite {
	t.Helper()
	suite, err := suggest.Suite(context.Background(), sources, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := suite.YAML() // as a person gets it
	if err != nil {
		t.Fatal(err)
	}
	if suite, err = expect.ParseYAML(text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return suite
}

func checked(t *testing.T, s table.Source, suite expect.Suite) (failed []string) {
	t.Helper()
	report, err := expect.Check(context.Background(), s, suite, expect.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if !r.Success {
			failed = append(failed, r.Expectation.Column()+": "+r.Expectation.Statement())
		}
	}
	return failed
}

// TestSuggestedExpectationsHoldForTheNextCleanBatch learns from the months up to one and checks each later month, for every first month
// from which there is something to learn, and prints the share of false alarms.
func TestSuggestedExpectationsHoldForTheNextCleanBatch(t *testing.T) {
	dir := realTables(t)
	for _, c := range []struct {
		name string
		skew bool
		most float64 // the share of alarms that is tolerated; docs/data-checks.md states what is measured
	}{{"flights", false, 0.005}, {"weather", false, 0.02}, {"flights", true, 0.01}} {
		next, nextAlarms, later, laterAlarms := 0, 0, 0, 0
		for k := 1; k <= 11; k++ {
			var names []string
			for m := 1; m <= k; m++ {
				names = append(names, fmt.Sprintf("%s-%02d", c.name, m))
			}
			suite := suggested(t, open(t, dir, names...), suggest.Options{Skew: c.skew})
			for m := k + 1; m <= 12; m++ {
				failed := checked(t, open(t, dir, fmt.Sprintf("%s-%02d", c.name, m))[0], suite)
				later += len(suite.Expectations)
				laterAlarms += len(failed)
				if m == k+1 {
					next += len(suite.Expectations)
					nextAlarms += len(failed)
					for _, f := range failed {
						t.Logf("%s: months 1 to %d, then %d: %s", c.name, k, m, f)
					}
				}
			}
		}
		t.Logf("%s (skew %v): next month %d alarms of %d expectations (%.2f %%), all later months %d of %d (%.2f %%)", c.name, c.skew,
			nextAlarms, next, 100*float64(nextAlarms)/float64(next), laterAlarms, later, 100*float64(laterAlarms)/float64(later))
		if share := float64(nextAlarms) / float64(next); share > c.most {
			t.Errorf("%s: %.2f %% of the expectations fail in the next clean month, want at most %.2f %%", c.name, 100*share, 100*c.most)
		}
	}
	for _, name := range []string{"iris", "wine", "breast_cancer", "diabetes"} {
		suite := suggested(t, open(t, dir, name+"-1"), suggest.Options{})
		failed := checked(t, open(t, dir, name+"-2")[0], suite)
		t.Logf("%s: one half, then the other: %d alarms of %d expectations", name, len(failed), len(suite.Expectations))
		if len(failed) > 0 {
			t.Errorf("%s: false alarms: %s", name, strings.Join(failed, "; "))
		}
	}
}

// TestSuggestedExpectationsHoldForTablesThatTheRulesWereNotSetWith learns from one half of a table, or from one week of flights, and
// checks the other half, or the next week.
func TestSuggestedExpectationsHoldForTablesThatTheRulesWereNotSetWith(t *testing.T) {
	dir := realTables(t)
	firsts, err := filepath.Glob(filepath.Join(dir, "week*-1.csv"))
	if err != nil || len(firsts) == 0 {
		t.Fatal("no weeks", err)
	}
	names := []string{"planes", "airports", "digits"}
	for _, f := range firsts {
		names = append(names, strings.TrimSuffix(filepath.Base(f), "-1.csv"))
	}
	expectations, alarms := 0, 0
	for _, name := range names {
		suite := suggested(t, open(t, dir, name+"-1"), suggest.Options{})
		failed := checked(t, open(t, dir, name+"-2")[0], suite)
		expectations, alarms = expectations+len(suite.Expectations), alarms+len(failed)
		for _, f := range failed {
			t.Logf("%s: %s", name, f)
		}
	}
	t.Logf("%d alarms of %d expectations (%.2f %%)", alarms, expectations, 100*float64(alarms)/float64(expectations))
	if alarms*100 > expectations {
		t.Error("more than one in a hundred is a false alarm")
	}
}

func TestSuggestedExpectationsFindFaults(t *testing.T) {
	dir := realTables(t)
	suite := suggested(t, open(t, dir, "flights-01", "flights-02", "flights-03"), suggest.Options{})
	files, err := filepath.Glob(filepath.Join(dir, "fault-*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatal("no faulty tables", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".csv")
		failed := checked(t, open(t, dir, name)[0], suite)
		if len(failed) == 0 {
			t.Errorf("%s: no expectation fails", name)
			continue
		}
		t.Logf("%s: %s", name, strings.Join(failed[:min(3, len(failed))], "; "))
	}
}

func TestAColumnOfTrainingMayBeMissingInServing(t *testing.T) {
	dir := realTables(t)
	suite := suggested(t, open(t, dir, "flights-01"), suggest.Options{TrainingOnly: []string{"carrier"}})
	served := open(t, dir, "fault-lost-column")[0] // April without its carriers
	for environment, want := range map[string]bool{"serving": true, "training": false} {
		report, err := expect.Check(context.Background(), served, suite, expect.Options{Environment: environment, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if report.Success != want {
			t.Errorf("%s: success %v, want %v", environment, report.Success, want)
		}
	}
}
