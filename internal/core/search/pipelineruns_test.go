package search_test

import (
	"fmt"
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/search"
)

// written is a filter of pipeline runs as it was understood.
func written(t *testing.T, filter string) (string, error) {
	t.Helper()
	e, err := search.PipelineRuns.Parse(filter)
	if err != nil {
		return "", err
	}
	return search.Fold(e, func(c search.Comparison) (string, error) {
		value := fmt.Sprint(c.Values)
		if c.Values == nil {
			value = fmt.Sprintf("%.0f", c.Number)
		}
		return fmt.Sprintf("%v.%s %s %s", c.Entity, c.Key, c.Op, value), nil
	}, func(all bool, parts []string) string {
		word := " OR "
		if all {
			word = " AND "
		}
		if len(parts) == 1 {
			return parts[0]
		}
		return "(" + strings.Join(parts, word) + ")"
	})
}

func TestFiltersOfPipelineRunsAreFolded(t *testing.T) {
	for filter, want := range map[string]string{
		`name ILIKE '%train%'`:                                          "attribute.name ILIKE [%train%]",
		`state IN ('FAILED', 'CANCELED') AND pipeline = "p"`:            "(attribute.state IN [FAILED CANCELED] AND attribute.pipeline = [p])",
		"params.`a b` = '1' OR (tags.x IS NULL AND run_id != 'r')":      "(parameter.a b = [1] OR (tag.x IS NULL 0 AND attribute.run_id != [r]))",
		`created >= '1970-01-02' AND end_time < '1970-01-01T00:00:01Z'`: "(attribute.created >= 86400000000 AND attribute.finished < 1000000)",
		`finished IS NULL`: "attribute.finished IS NULL 0",
	} {
		got, err := written(t, filter)
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %s (%v)\nwant %s", filter, got, err, want)
		}
	}
}

func TestWhatIsWrongWithAFilterOfPipelineRunsIsSaid(t *testing.T) {
	for filter, want := range map[string]string{
		`metrics.loss < 1`:      "table of an experiment",
		`colour = 'red'`:        "Valid keys are",
		`created > 'yesterday'`: "2026-01-31",
		`created LIKE '2026%'`:  "Invalid comparator",
		`name < 'x'`:            "Invalid comparator",
		`state IS NULL`:         "not of state",
		`name = `:               "Invalid clause",
		`params.lr = 0.1`:       "quoted string",
		`name = 'a' AND (`:      "Invalid clause",
		`created = 2026`:        "quoted string",
	} {
		if got, err := written(t, filter); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v; want an error with %q", filter, got, err, want)
		}
	}
}
