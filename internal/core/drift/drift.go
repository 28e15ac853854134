// Package drift says whether a table has changed against the one it should be like.
//
// Compare reads two tables a column at a time, compares each column by the test that fits its type and size, and ranks the columns:
// what changed much and matters first. The choice of test, its thresholds and its definitions are Evidently's, so that what it finds in
// a table is what people know; package stats has the tests. Besides there are drift of several columns together, and estimates of a model's
// performance without labels, as NannyML makes them. The package is pure: what reads files, runs in parallel and draws on a clock is given to
// it. Start reading at Compare.
package drift

import (
	"context"

	"levada/internal/core/table"
)

// Kind says how a column is compared.
type Kind string

// The kinds of columns.
const (
	Numerical   Kind = "numerical"
	Categorical Kind = "categorical"
	Text        Kind = "text"
	// Other columns (times, binary, lists) are not compared, unless a method is named for one of times.
	Other Kind = "other"
)

// Options say what is compared and how. The zero value compares all columns by the default tests, one after the other.
type Options struct {
	// Columns are compared; all when it is empty.
	Columns []string
	// Methods names a method for a column, Method one for all columns of a kind.
	Methods map[string]string
	Method  map[Kind]string
	// Thresholds has limits of scores for columns, in place of their method's.
	Thresholds map[string]float64
	// Kinds says how columns are compared, where their values say otherwise.
	Kinds map[string]Kind
	// Target and Prediction name the columns of the model's target and prediction. They are shown first, and not counted as features. With
	// a target, the importance of the features is measured, where it is not given.
	Target, Prediction string
	// Share is the share of drifted columns from which on the table has drifted; 0 stands for 0.5.
	Share float64
	// MinRows is how many rows both tables must have to be judged; with fewer nothing is compared, and Report.NotJudged says so.
	MinRows int64
	// SparesVanished leaves columns that only the reference has out of the count of drifted ones; they remain findings.
	SparesVanished bool
	// FalseDiscovery bounds the share of false alarms among columns that are said to have drifted, over all columns compared by a p-value
	// (Benjamini and Hochberg). 0 leaves each column to its own threshold, as Evidently does.
	FalseDiscovery float64
	// Importance weighs columns; any unit. Columns that are not in it have no weight, if it is not empty.
	Importance map[string]float64
	// Season compares with those rows of the reference alone that are of the same period as the current ones. TimeColumn has the times.
	Season     Season
	TimeColumn string
	// Embeddings are sets of numerical columns that are compared together.
	Embeddings []Embedding
	// Multivariate also compares all numerical and categorical columns together.
	Multivariate bool
	// Memory bounds the numbers that one call of Each reads together, in bytes, where a table must be read as a whole for each
	// column (CSV, JSON lines); 0 stands for 256 MiB.
	Memory int64
	// AtOnce bounds the numbers that all calls of Each hold together, and the room to sort them, in bytes, where the columns of both tables lie apart (Parquet); 0
	// stands for 256 MiB. One column is always read, whatever it takes.
	AtOnce int64
	// Seed is that of the methods that draw at random.
	Seed uint64
	// Each calls do for 0 to n-1 and returns the first error; it may call several at once. Without it, they are called in turn.
	Each func(ctx context.Context, n int, do func(ctx context.Context, i int) error) error
}

// DefaultShare is the share of drifted columns from which on a table has drifted.
const DefaultShare = 0.5

// Report is what Compare found. Its fields are those of the JSON report.
type Report struct {
	// ReferenceRows and CurrentRows were compared. With a season, those of the reference are fewer than it has.
	ReferenceRows int64 `json:"reference_rows"`
	CurrentRows   int64 `json:"current_rows"`
	// NotJudged says why nothing was compared: a table has too few rows. It is empty where the table was judged.
	NotJudged string `json:"not_judged,omitempty"`
	// Drifted says that the share of drifted columns is at least ShareLimit.
	Drifted        bool    `json:"dataset_drift"`
	DriftedColumns int     `json:"drifted_columns"`
	Compared       int     `json:"compared_columns"`
	Share          float64 `json:"share_of_drifted_columns"`
	ShareLimit     float64 `json:"share_limit"`
	// FalseDiscovery is that of Options.
	FalseDiscovery float64 `json:"false_discovery_rate,omitempty"`
	// Season says which periods were compared, in words; empty without one.
	Season string `json:"season,omitempty"`
	// Findings are changes of the table's form.
	Findings []Finding `json:"findings"`
	// Columns are ranked: the drifted before the others, then by Priority.
	Columns []Column `json:"columns"`
	// Together has what several columns have together.
	Together []Joint `json:"together,omitempty"`
	// ReferenceFindings and CurrentFindings are what was read of the tables in another way than it is written, or left out.
	ReferenceFindings []table.Finding `json:"reference_findings,omitempty"`
	CurrentFindings   []table.Finding `json:"current_findings,omitempty"`
}

// Finding is a change of a table's form.
type Finding struct {
	Column string `json:"column"`
	// Kind is appeared, vanished, type, empty or twice.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Column is what was found of a column.
type Column struct {
	Name string `json:"name"`
	// Role is target, prediction or, for any other column, feature.
	Role string `json:"role"`
	Kind Kind   `json:"kind"`
	// Method is its name in Evidently, Label what is shown. Both are empty where the column was not compared; Note then says why.
	Method string `json:"method,omitempty"`
	Label  string `json:"method_label,omitempty"`
	// Score is a p-value or a distance (ScoreIs); nil where the method is not defined for the values.
	Score     *float64 `json:"score"`
	ScoreIs   string   `json:"score_is,omitempty"`
	Threshold float64  `json:"threshold"`
	Drifted   bool     `json:"drifted"`
	// Adjusted is a p-value that allows for the number of columns (Benjamini and Hochberg).
	Adjusted *float64 `json:"adjusted_p,omitempty"`
	// Effect is how much the distribution changed, from 0 to 1, whatever the method and the size: the Jensen-Shannon distance with
	// logarithms to base 2 over the categories, or over the tenths of the pooled numbers.
	Effect *float64 `json:"effect"`
	// Importance is that of Options or, measured on the reference, the share of the target that the column alone explains; nil without.
	Importance *float64 `json:"importance,omitempty"`
	// Priority is Effect, times Importance as a share of the highest.
	Priority  float64       `json:"priority"`
	Reference Summary       `json:"reference"`
	Current   Summary       `json:"current"`
	Histogram *Distribution `json:"distribution,omitempty"`
	Note      string        `json:"note,omitempty"`
}

// Summary is what a column is like in one of the tables. The moments and quantiles are those of finite numbers, nil for other kinds.
type Summary struct {
	Rows     int64    `json:"rows"`
	Missing  int64    `json:"missing"`
	Infinite int64    `json:"infinite,omitempty"`
	Distinct int64    `json:"distinct"`
	Mean     *float64 `json:"mean,omitempty"`
	SD       *float64 `json:"sd,omitempty"`
	Min      *float64 `json:"min,omitempty"`
	Median   *float64 `json:"median,omitempty"`
	Max      *float64 `json:"max,omitempty"`
}

// Distribution has shares of the reference's and of the current values.
type Distribution struct {
	// Edges are those of bins of numbers, one more than there are shares; what lies outside is in the outer bins. Labels are categories:
	// the most frequent, and what is left as the last one.
	Edges     []float64 `json:"edges,omitempty"`
	Labels    []string  `json:"labels,omitempty"`
	Reference []float64 `json:"reference"`
	Current   []float64 `json:"current"`
}

// Joint is what was found of several columns together.
type Joint struct {
	Name      string   `json:"name"`
	Columns   int      `json:"columns"`
	Method    string   `json:"method"`
	Label     string   `json:"method_label"`
	Score     *float64 `json:"score"`
	Low       *float64 `json:"low,omitempty"`
	Threshold float64  `json:"threshold"`
	Drifted   bool     `json:"drifted"`
	Note      string   `json:"note,omitempty"`
}
