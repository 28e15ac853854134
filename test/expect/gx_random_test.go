package expect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// dice makes random tables and arguments.
type dice struct{ *rand.Rand }

func (d *dice) chance(p float64) bool { return d.Float64() < p }

func pick[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

// table has columns of all kinds: i, j, k integers; f, g numbers; s, u, w texts; b booleans; t times; d dates in texts; o JSON in texts.
func (d *dice) table() map[string]column {
	rows := pick(d, 0, 1, 2, 5, 17, 64, 65, 130)
	gaps := pick(d, 0, 0, 0.1, 0.5)
	out := map[string]column{}
	add := func(name, kind string, make func(i int) any) {
		c := column{Kind: kind, Values: []any{}}
		for i := range rows {
			if d.chance(gaps) {
				c.Values = append(c.Values, nil)
			} else {
				c.Values = append(c.Values, make(i))
			}
		}
		out[name] = c
	}
	add("i", "int", func(int) any { return int64(d.IntN(10)) })
	add("j", "int", func(int) any { return int64(d.IntN(10) - 3) })
	add("k", "int", func(i int) any { return int64(i) + int64(d.IntN(2)) })
	add("f", "float", func(int) any { return math.Round(d.NormFloat64()*100) / 100 })
	add("g", "float", func(int) any { return math.Round(d.ExpFloat64()*100) / 10 })
	add("s", "text", func(int) any { return pick(d, "a", "b", "ab", "abc", "Ä", "b c", "") })
	add("u", "text", func(int) any {
		return strings.Repeat(pick(d, "x", "7", "é", ".", "\n"), d.IntN(3)) + pick(d, "", "1", "z")
	})
	add("w", "text", func(i int) any { return fmt.Sprint("w", i/(1+d.IntN(3))) })
	add("b", "bool", func(int) any { return d.chance(0.5) })
	add("t", "time", func(int) any { return fmt.Sprintf("2024-%02d-%02dT%02d:30:00", 1+d.IntN(12), 1+d.IntN(28), d.IntN(24)) })
	add("d", "text", func(int) any {
		return pick(d, "2024-02-29", "2023-02-29", "1/2/2003", "3 Jan 2001", "2024-01-05 10:11", "no", "20240131", "13:45", "Feb", "2001-13-01", "10pm", "May of 99")
	})
	add("o", "text", func(int) any {
		return pick(d, `{"a": 1}`, `{"a": "x"}`, `[1, 2`, `NaN`, `3`, `{"a": 1.0, "b": null}`, `"t"`, `{a: 1}`)
	})
	return out
}

// common adds arguments that most expectations take.
func (d *dice) common(kind string, kwargs map[string]any) {
	_, one := kwargs["column"]
	_, two := kwargs["column_A"]
	_, several := kwargs["column_list"]
	mapped := strings.Contains(kind, "_values_to_") || strings.Contains(kind, "_value_lengths") || strings.Contains(kind, "z_scores") || two || several
	if mapped && !strings.Contains(kind, "distinct") && !strings.Contains(kind, "quantile") && !strings.Contains(kind, "proportion") && !strings.Contains(kind, "most_common") && !strings.HasPrefix(kind, "expect_table") && d.chance(0.5) {
		kwargs["mostly"] = pick(d, 0, 0.3, 0.5, 0.9, 1.0)
	}
	if (one || several && !strings.HasPrefix(kind, "expect_table")) && kind != "expect_column_to_exist" && d.chance(0.3) {
		kwargs["row_condition"] = pick(d, "i > 3", "j <= 2", "s == 'a'", "(i > 2) & (j < 5)", "i in [1, 2, 3]", "f > 0 or i == 4", "not (i > 3)",
			"s != 'b'", "i + j > 4", "s in ['a', 'ab']", "1 < i <= 5", "t > '2024-06-01'", "~(i == 2)", "index < 10", "i.notnull()", "b == True")
		kwargs["condition_parser"] = "pandas"
	}
	if two && d.chance(0.5) {
		kwargs["ignore_row_if"] = pick(d, "both_values_are_missing", "either_value_is_missing", "neither")
	}
	if several && !strings.HasPrefix(kind, "expect_table") && d.chance(0.5) {
		kwargs["ignore_row_if"] = pick(d, "all_values_are_missing", "any_value_is_missing", "never")
	}
}

func (d *dice) between(kwargs map[string]any, low, high float64) map[string]any {
	a, b := low+(high-low)*d.Float64(), low+(high-low)*d.Float64()
	a, b = math.Round(a*10)/10, math.Round(b*10)/10
	if d.chance(0.5) {
		a, b = math.Round(a), math.Round(b)
	}
	switch d.IntN(4) {
	case 0:
		kwargs["min_value"] = min(a, b)
	case 1:
		kwargs["max_value"] = max(a, b)
	default:
		kwargs["min_value"], kwargs["max_value"] = min(a, b), max(a, b)
	}
	if d.chance(0.3) {
		kwargs["strict_min"] = d.chance(0.5)
	}
	if d.chance(0.3) {
		kwargs["strict_max"] = d.chance(0.5)
	}
	return kwargs
}

func (d *dice) set() (string, []any) {
	name := pick(d, "i", "f", "s", "b", "k")
	var set []any
	for range d.IntN(6) {
		switch name {
		case "i", "k":
			set = append(set, int64(d.IntN(10)))
		case "f":
			set = append(set, math.Round(d.NormFloat64()*10)/10)
		case "s":
			set = append(set, pick(d, "a", "b", "ab", "abc", "Ä", "b c"))
		case "b":
			set = append(set, d.chance(0.5))
		}
	}
	if set == nil {
		set = []any{}
	}
	return name, set
}

func of(column string) map[string]any { return map[string]any{"column": column} }

func numeric(low, high float64) func(d *dice) map[string]any {
	return func(d *dice) map[string]any { return d.between(of(pick(d, "i", "j", "f", "g", "k")), low, high) }
}

func sets(d *dice) map[string]any {
	name, set := d.set()
	return map[string]any{"column": name, "value_set": set}
}

func texts(d *dice) string { return pick(d, "s", "u", "w", "d") }

func regex(d *dice) string {
	return pick(d, "^a", "b", `\d`, `^\w+$`, `^\W*$`, `a.c`, `^.{2}$`, "", `\s`, `(?i)AB`, `^(a|b)+$`, `[^a]`, `x\b`, `(?=a)`, `(.)\1`, `^w1\d*$`, `\.`, `^$`)
}

func regexes(d *dice) []any {
	list := []any{}
	for range 1 + d.IntN(3) {
		list = append(list, regex(d))
	}
	return list
}

func anyColumn(d *dice) map[string]any { return of(pick(d, "i", "f", "s", "b", "t", "w", "k", "u")) }

func several(d *dice) map[string]any {
	lists := [][]any{{"i", "j"}, {"i", "s"}, {"i", "j", "k"}, {"s", "u"}, {"b", "i"}, {"f", "g"}}
	return map[string]any{"column_list": pick(d, lists...)}
}

// arguments makes random arguments for each expectation that Great Expectations 1.2 evaluates on pandas. Left out are those that raise
// NotImplementedError there, and LIKE, which it has for SQL alone.
var arguments = map[string]func(d *dice) map[string]any{
	"expect_column_values_to_not_be_null":   anyColumn,
	"expect_column_values_to_be_null":       anyColumn,
	"expect_column_values_to_be_unique":     anyColumn,
	"expect_column_values_to_be_in_set":     sets,
	"expect_column_values_to_not_be_in_set": sets,
	"expect_column_values_to_be_between":    numeric(-2, 10),
	"expect_column_values_to_be_increasing": func(d *dice) map[string]any {
		m := of(pick(d, "i", "f", "k"))
		if d.chance(0.5) {
			m["strictly"] = d.chance(0.5)
		}
		return m
	},
	"expect_column_values_to_be_decreasing": func(d *dice) map[string]any {
		m := of(pick(d, "i", "f", "k"))
		if d.chance(0.5) {
			m["strictly"] = d.chance(0.5)
		}
		return m
	},
	"expect_column_value_lengths_to_be_between": func(d *dice) map[string]any {
		m := of(texts(d))
		a, b := int64(d.IntN(4)), int64(d.IntN(4))
		m["min_value"], m["max_value"] = min(a, b), max(a, b)
		return m
	},
	"expect_column_value_lengths_to_equal": func(d *dice) map[string]any {
		m := of(texts(d))
		m["value"] = int64(d.IntN(4))
		return m
	},
	"expect_column_values_to_match_regex": func(d *dice) map[string]any {
		return map[string]any{"column": pick(d, "s", "u", "w", "i", "f", "b"), "regex": regex(d)}
	},
	"expect_column_values_to_not_match_regex": func(d *dice) map[string]any {
		return map[string]any{"column": pick(d, "s", "u", "w", "i", "f", "b"), "regex": regex(d)}
	},
	"expect_column_values_to_match_regex_list": func(d *dice) map[string]any {
		return map[string]any{"column": texts(d), "regex_list": regexes(d), "match_on": pick(d, "any", "all")}
	},
	"expect_column_values_to_not_match_regex_list": func(d *dice) map[string]any {
		return map[string]any{"column": texts(d), "regex_list": regexes(d)}
	},
	"expect_column_values_to_match_strftime_format": func(d *dice) map[string]any {
		return map[string]any{"column": "d", "strftime_format": pick(d, "%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d %b %Y", "%H:%M", "%Y-%m-%d %H:%M", "%b", "%I%p")}
	},
	"expect_column_values_to_be_dateutil_parseable": func(*dice) map[string]any { return of("d") },
	"expect_column_values_to_be_json_parseable":     func(d *dice) map[string]any { return of(pick(d, "o", "s", "i")) },
	"expect_column_value_z_scores_to_be_less_than": func(d *dice) map[string]any {
		return map[string]any{"column": pick(d, "i", "f", "g"), "threshold": pick(d, 0.5, 1, 2, -1), "double_sided": d.chance(0.5)}
	},
	"expect_column_min_to_be_between":    numeric(-3, 3),
	"expect_column_max_to_be_between":    numeric(0, 12),
	"expect_column_mean_to_be_between":   numeric(-1, 6),
	"expect_column_median_to_be_between": numeric(-1, 6),
	"expect_column_stdev_to_be_between":  numeric(0, 4),
	"expect_column_sum_to_be_between":    numeric(-50, 400),
	"expect_column_unique_value_count_to_be_between": func(d *dice) map[string]any {
		m := d.between(anyColumn(d), 0, 12)
		return m
	},
	"expect_column_proportion_of_unique_values_to_be_between": func(d *dice) map[string]any { return d.between(anyColumn(d), 0, 1) },
	"expect_column_quantile_values_to_be_between": func(d *dice) map[string]any {
		q, ranges := []any{}, []any{}
		for range 1 + d.IntN(4) {
			a, b := d.Float64()*8-1, d.Float64()*8-1
			q, ranges = append(q, d.Float64()), append(ranges, []any{min(a, b), max(a, b)})
		}
		m := map[string]any{"column": pick(d, "i", "f", "g"), "quantile_ranges": map[string]any{"quantiles": q, "value_ranges": ranges}}
		if d.chance(0.5) {
			m["allow_relative_error"] = pick(d, "linear", "lower", "higher", "midpoint", "nearest")
		}
		return m
	},
	"expect_column_distinct_values_to_be_in_set":   sets,
	"expect_column_distinct_values_to_contain_set": sets,
	"expect_column_distinct_values_to_equal_set":   sets,
	"expect_column_most_common_value_to_be_in_set": func(d *dice) map[string]any {
		m := sets(d)
		m["ties_okay"] = d.chance(0.5)
		return m
	},
	"expect_column_kl_divergence_to_be_less_than": divergences,
	"expect_column_pair_values_to_be_equal": func(d *dice) map[string]any {
		return map[string]any{"column_A": pick(d, "i", "k"), "column_B": pick(d, "j", "f", "s")}
	},
	"expect_column_pair_values_a_to_be_greater_than_b": func(d *dice) map[string]any {
		return map[string]any{"column_A": pick(d, "i", "k"), "column_B": pick(d, "j", "f"), "or_equal": d.chance(0.5)}
	},
	"expect_column_pair_values_to_be_in_set": func(d *dice) map[string]any {
		pairs := []any{}
		for range 1 + d.IntN(30) {
			pairs = append(pairs, []any{int64(d.IntN(10)), int64(d.IntN(10) - 3)})
		}
		return map[string]any{"column_A": "i", "column_B": "j", "value_pairs_set": pairs}
	},
	"expect_compound_columns_to_be_unique": several,
	"expect_multicolumn_sum_to_equal": func(d *dice) map[string]any {
		return map[string]any{"column_list": pick(d, []any{"i", "j"}, []any{"i", "j", "k"}), "sum_total": int64(d.IntN(12))}
	},
	"expect_select_column_values_to_be_unique_within_record": func(d *dice) map[string]any {
		return map[string]any{"column_list": pick(d, []any{"i", "j"}, []any{"i", "j", "k"}, []any{"s", "u"})}
	},
	"expect_column_to_exist": func(d *dice) map[string]any {
		m := of(pick(d, "i", "b", "nothing"))
		if d.chance(0.5) {
			m["column_index"] = int64(d.IntN(4))
		}
		return m
	},
	"expect_table_columns_to_match_ordered_list": func(d *dice) map[string]any {
		return map[string]any{"column_list": pick(d, []any{"b", "d", "f", "g", "i", "j", "k", "o", "s", "t", "u", "w"}, []any{"b"}, []any{"i", "x"})}
	},
	"expect_table_columns_to_match_set": func(d *dice) map[string]any {
		return map[string]any{"column_set": pick(d, []any{"b", "d", "f", "g", "i", "j", "k", "o", "s", "t", "u", "w"}, []any{"b"}, []any{"i", "x"}),
			"exact_match": d.chance(0.5)}
	},
	"expect_table_column_count_to_equal": func(d *dice) map[string]any { return map[string]any{"value": int64(10 + d.IntN(4))} },
	"expect_table_column_count_to_be_between": func(d *dice) map[string]any {
		return map[string]any{"min_value": int64(d.IntN(14)), "max_value": int64(10 + d.IntN(8))}
	},
	"expect_table_row_count_to_equal": func(d *dice) map[string]any { return map[string]any{"value": int64(pick(d, 0, 17, 64))} },
	"expect_table_row_count_to_be_between": func(d *dice) map[string]any {
		return map[string]any{"min_value": int64(d.IntN(60)), "max_value": int64(60 + d.IntN(20))}
	},
	"expect_column_values_to_be_of_type": func(d *dice) map[string]any {
		return map[string]any{"column": pick(d, "f", "s", "t"), "type_": pick(d, "int", "int64", "float", "float64", "str", "object", "datetime64", "bool", "string")}
	},
	"expect_column_values_to_be_in_type_list": func(d *dice) map[string]any {
		return map[string]any{"column": pick(d, "f", "s"), "type_list": pick(d, []any{"int", "float"}, []any{"str"}, []any{"str", "int"}, []any{"float64"}, []any{"bool", "int64"})}
	},
	"expect_column_values_to_match_json_schema": func(d *dice) map[string]any {
		return map[string]any{"column": pick(d, "o", "j2"), "json_schema": map[string]any{"type": "object",
			"properties": map[string]any{"a": map[string]any{"type": pick(d, "integer", "number", "string")}}}}
	},
}

func divergences(d *dice) map[string]any {
	m := map[string]any{"threshold": pick(d, 0.05, 0.5, 2)}
	if d.chance(0.5) {
		m["column"] = "s"
		values := []any{"a", "b", "ab", "abc", "Ä", "b c"}[:2+d.IntN(5)]
		weights := make([]any, len(values))
		for i := range weights {
			weights[i] = 1 / float64(len(values))
		}
		m["partition_object"] = map[string]any{"values": values, "weights": weights}
		if d.chance(0.7) {
			m["tail_weight_holdout"] = 0.1
		}
		return m
	}
	m["column"] = pick(d, "f", "g")
	switch d.IntN(4) {
	case 0:
		m["partition_object"] = map[string]any{"bins": []any{-1, 0, 1, 2}, "weights": []any{0.5, 0.25, 0.25}}
		m["tail_weight_holdout"], m["internal_weight_holdout"] = pick(d, 0, 0.2), pick(d, 0, 0.1)
	case 1:
		m["partition_object"] = map[string]any{"bins": []any{-1, 0, 1, 2}, "weights": []any{0.5, 0, 0.25}, "tail_weights": []any{0.125, 0.125}}
		m["internal_weight_holdout"] = pick(d, 0, 0.1)
	case 2:
		m["partition_object"] = nil
	case 3:
		m["partition_object"] = map[string]any{"bins": []any{-1, 0, 1, 2}, "weights": []any{0.4, 0.4, 0.1, 0.1}} // a wrong one
	}
	return m
}
