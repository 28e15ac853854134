package expect

import (
	"maps"
	"slices"
)

// spec is what is known of an expectation.
type spec struct {
	// group says what it is about.
	group string
	// short is its name in the YAML form, and main the argument that stands behind it there; empty where it takes none.
	short, main string
	doc         string
	build       func(b *build) check
}

// The groups of expectations.
const (
	groupColumn       = "values of a column"
	groupFigure       = "a figure of a column"
	groupDistribution = "the distribution of a column"
	groupPair         = "two columns"
	groupSeveral      = "several columns"
	groupTable        = "the table"
)

// registry holds all expectations by their type.
var registry = map[string]spec{
	"expect_column_values_to_not_be_null":            {groupColumn, "not_null", "", "each row has a value", nullCheck(false)},
	"expect_column_values_to_be_null":                {groupColumn, "null", "", "no row has a value", nullCheck(true)},
	"expect_column_values_to_be_unique":              {groupColumn, "unique", "", "no value is there twice", buildUnique},
	"expect_column_values_to_be_in_set":              {groupColumn, "in_set", "value_set", "each value is one of a set", buildInSet},
	"expect_column_values_to_not_be_in_set":          {groupColumn, "not_in_set", "value_set", "no value is one of a set", buildNotInSet},
	"expect_column_values_to_be_between":             {groupColumn, "between", "range", "each value lies in a range", buildBetween},
	"expect_column_values_to_be_increasing":          {groupColumn, "increasing", "", "each value is at least the one before (strictly: above it)", buildOrder(1)},
	"expect_column_values_to_be_decreasing":          {groupColumn, "decreasing", "", "each value is at most the one before (strictly: below it)", buildOrder(-1)},
	"expect_column_values_to_be_of_type":             {groupColumn, "type", "type_", "the values have a type", buildOfType},
	"expect_column_values_to_be_in_type_list":        {groupColumn, "types", "type_list", "the values have one of several types", buildInTypes},
	"expect_column_value_lengths_to_be_between":      {groupColumn, "lengths", "range", "the texts have so many characters", buildLengthsBetween},
	"expect_column_value_lengths_to_equal":           {groupColumn, "length", "value", "the texts have exactly so many characters", buildLengthsEqual},
	"expect_column_values_to_match_regex":            {groupColumn, "regex", "regex", "a regular expression is found in each value", buildRegex(true)},
	"expect_column_values_to_not_match_regex":        {groupColumn, "not_regex", "regex", "a regular expression is found in no value", buildRegex(false)},
	"expect_column_values_to_match_regex_list":       {groupColumn, "regexes", "regex_list", "any (or all) of several regular expressions are found", buildRegexList(true)},
	"expect_column_values_to_not_match_regex_list":   {groupColumn, "not_regexes", "regex_list", "none of several regular expressions is found", buildRegexList(false)},
	"expect_column_values_to_match_like_pattern":     {groupColumn, "like", "like_pattern", "each value is LIKE an SQL pattern", buildLike(true)},
	"expect_column_values_to_not_match_like_pattern": {groupColumn, "not_like", "like_pattern", "no value is LIKE an SQL pattern", buildLike(false)},
	"expect_column_values_to_match_like_pattern_list": {groupColumn, "likes", "like_pattern_list",
		"each value is LIKE any (or all) of several SQL patterns", buildLikeList(true)},
	"expect_column_values_to_not_match_like_pattern_list": {groupColumn, "not_likes", "like_pattern_list",
		"no value is LIKE one of several SQL patterns", buildLikeList(false)},
	"expect_column_values_to_match_strftime_format": {groupColumn, "date_format", "strftime_format", "each text is a date in a format", buildStrftime},
	"expect_column_values_to_be_dateutil_parseable": {groupColumn, "date", "", "each text is a date in some form", buildDateutil},
	"expect_column_values_to_be_json_parseable":     {groupColumn, "json", "", "each text is JSON", buildJSONParseable},
	"expect_column_values_to_match_json_schema":     {groupColumn, "json_schema", "json_schema", "each text is JSON of a schema", buildJSONSchema},
	"expect_column_value_z_scores_to_be_less_than": {groupColumn, "z_scores", "threshold",
		"each number is less than so many standard deviations from the mean", buildZScores},

	"expect_column_min_to_be_between":    {groupFigure, "min", "range", "the least value", buildExtreme(false)},
	"expect_column_max_to_be_between":    {groupFigure, "max", "range", "the greatest value", buildExtreme(true)},
	"expect_column_mean_to_be_between":   {groupFigure, "mean", "range", "the mean", buildMean},
	"expect_column_median_to_be_between": {groupFigure, "median", "range", "the median", buildMedian},
	"expect_column_stdev_to_be_between":  {groupFigure, "stdev", "range", "the standard deviation (n-1)", buildDeviation},
	"expect_column_sum_to_be_between":    {groupFigure, "sum", "range", "the sum", buildSum},
	"expect_column_unique_value_count_to_be_between": {groupFigure, "unique_count", "range",
		"the number of different values", buildUniqueCount},
	"expect_column_proportion_of_unique_values_to_be_between": {groupFigure, "unique_share", "range",
		"different values as a share of all values", buildUniqueShare},
	"expect_column_proportion_of_non_null_values_to_be_between": {groupFigure, "not_null_share", "range",
		"rows with a value as a share of all rows", buildNotNullShare},
	"expect_column_quantile_values_to_be_between": {groupFigure, "quantiles", "quantile_ranges", "quantiles", buildQuantiles},
	"expect_column_distinct_values_to_be_in_set":  {groupFigure, "distinct_in", "value_set", "all different values are in a set", buildDistinctSet(subset)},
	"expect_column_distinct_values_to_contain_set": {groupFigure, "distinct_contain", "value_set",
		"a set's values are all there", buildDistinctSet(superset)},
	"expect_column_distinct_values_to_equal_set": {groupFigure, "distinct_equal", "value_set",
		"the different values are exactly a set", buildDistinctSet(sameSet)},
	"expect_column_most_common_value_to_be_in_set": {groupFigure, "most_common", "value_set", "the most common value is in a set", buildMostCommon},

	"expect_column_kl_divergence_to_be_less_than": {groupDistribution, "kl_divergence", "threshold",
		"the Kullback-Leibler divergence from an expected distribution", buildKL},
	"expect_column_chisquare_test_p_value_to_be_greater_than": {groupDistribution, "chisquare", "p",
		"the chi-squared test against expected shares of values", buildChiSquare},
	"expect_column_bootstrapped_ks_test_p_value_to_be_greater_than": {groupDistribution, "bootstrapped_ks", "p",
		"a bootstrapped Kolmogorov-Smirnov test against an expected distribution", buildBootstrappedKS},
	"expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than": {groupDistribution, "ks", "distribution",
		"the Kolmogorov-Smirnov test against a named distribution", buildParametricKS},
	"expect_column_distribution_distance_to_be_less_than": {groupDistribution, "distance", "threshold",
		"how far the distribution is from a given one: l_infinity or jensen_shannon (our own, after TFDV)", buildDistance},

	"expect_column_pair_values_to_be_equal":            {groupPair, "equal", "columns", "A equals B in each row", buildPairEqual},
	"expect_column_pair_values_a_to_be_greater_than_b": {groupPair, "greater", "columns", "A is above B (or_equal: or equal) in each row", buildPairGreater},
	"expect_column_pair_values_to_be_in_set":           {groupPair, "pairs_in", "columns", "each pair of A and B is in a set", buildPairInSet},
	"expect_column_pair_cramers_phi_value_to_be_less_than": {groupPair, "cramers_phi", "columns",
		"how much A and B depend on each other (Cramér's phi)", buildCramersPhi},

	"expect_compound_columns_to_be_unique": {groupSeveral, "unique_together", "columns", "no combination of values is there twice", buildCompoundUnique},
	"expect_multicolumn_sum_to_equal":      {groupSeveral, "sum_equals", "columns", "the values of a row sum to a number", buildSum2},
	"expect_select_column_values_to_be_unique_within_record": {groupSeveral, "different_within_row", "columns",
		"the values of a row differ from each other", buildUniqueWithin},
	"expect_multicolumn_values_to_be_unique": {groupSeveral, "", "columns", "the older name of the one above", buildUniqueWithin},
	"expect_rows_to_satisfy":                 {groupSeveral, "rows", "condition", "a condition in CEL holds in each row (our own, not of Great Expectations)", buildRows},

	"expect_column_to_exist":                      {groupTable, "exists", "column", "a column is there (column_index: at a place)", buildColumnExists},
	"expect_table_columns_to_match_ordered_list":  {groupTable, "columns", "column_list", "the columns are these, in this order", buildColumnList},
	"expect_table_columns_to_match_set":           {groupTable, "column_set", "column_set", "the columns are these (exact_match: and no others)", buildColumnSet},
	"expect_table_column_count_to_equal":          {groupTable, "column_count", "value", "the number of columns", buildColumnCount},
	"expect_table_column_count_to_be_between":     {groupTable, "column_count_between", "range", "the number of columns lies in a range", buildColumnCountBetween},
	"expect_table_row_count_to_equal":             {groupTable, "row_count", "value", "the number of rows", buildRowCount},
	"expect_table_row_count_to_be_between":        {groupTable, "row_count_between", "range", "the number of rows lies in a range", buildRowCountBetween},
	"expect_table_row_count_to_equal_other_table": {groupTable, "rows_as_in", "other_table_name", "another table has as many rows", buildOtherRowCount},
	"expect_query_results_to_match_comparison": {groupTable, "", "comparison_query",
		"two SQL queries have the same results; not evaluated: there is no SQL here", buildQuery},
	"unexpected_rows_expectation": {groupTable, "", "unexpected_rows_query", "an SQL query finds no row; not evaluated: there is no SQL here", buildQuery},
}

// Types are the names of all expectations, sorted.
func Types() []string { return slices.Sorted(maps.Keys(registry)) }

// Described is an expectation as documentation lists it.
type Described struct {
	// Type is its name in Great Expectations, Short that in the short form, empty where it has none.
	Type, Short string
	// Argument stands behind the short name; About says what the expectation is about, Doc what is expected.
	Argument, About, Doc string
}

// Describe lists all expectations, by what they are about.
func Describe() []Described {
	out := make([]Described, 0, len(registry))
	for _, group := range []string{groupColumn, groupFigure, groupDistribution, groupPair, groupSeveral, groupTable} {
		for _, kind := range Types() {
			if s := registry[kind]; s.group == group {
				out = append(out, Described{kind, s.short, s.main, s.group, s.doc})
			}
		}
	}
	return out
}
