package expect

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/pylike"
	"levada/internal/core/table"
)

func buildBetween(b *build) check {
	s := b.span()
	if s.empty() {
		b.fail(valueError("min_value and max_value cannot both be None"))
	}
	b.fail2(s.ordered())
	return b.each(within(s, func(c table.Cell, err error) error {
		return typeError("Column values, min_value, and max_value must either be None or of the same type. %v: the value %q", err, c.Shown())
	}))
}

func buildInSet(b *build) check {
	values := b.cells("value_set")
	if values == nil {
		return b.each(anything)
	}
	return b.each(members(b.setOf(values), true))
}

func buildNotInSet(b *build) check {
	values := b.cells("value_set")
	if values == nil && b.err == nil {
		b.fail(typeError("value_set is null: argument of type 'NoneType' is not iterable"))
	}
	return b.each(members(b.setOf(values), false))
}

// anything is a test that all values pass.
func anything(_ *table.Vector, rows cells.Bits) (cells.Bits, error) {
	return make(cells.Bits, len(rows)), nil
}

// length counts the characters of a text.
func length(c table.Cell) (int64, error) {
	switch c.Kind {
	case table.Text:
		return int64(utf8.RuneCountInString(c.Text)), nil
	case table.List, table.Binary:
		return c.Int, nil
	}
	names := map[table.Kind]string{table.Integer: "int", table.Number: "float", table.Boolean: "bool"}
	name, ok := names[c.Kind]
	if !ok {
		name = c.Kind.String()
	}
	return 0, typeError("object of type '%s' has no len(): %q is no text", name, c.Shown())
}

// lengths makes a test of how many characters texts have.
func lengths(good func(n int64) bool) test {
	texts := eachText(func(s string) (bool, error) { return good(int64(utf8.RuneCountInString(s))), nil })
	general := each(func(c table.Cell) (bool, error) {
		n, err := length(c)
		return err == nil && good(n), err
	})
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		if v.Kind == table.Text {
			return texts(v, rows)
		}
		return general(v, rows)
	}
}

func buildLengthsBetween(b *build) check {
	low, hasLow := b.whole("min_value")
	high, hasHigh := b.whole("max_value")
	openLow, openHigh := b.boolean("strict_min", false), b.boolean("strict_max", false)
	if b.err == nil && !hasLow && !hasHigh {
		b.fail(valueError("min_value and max_value cannot both be None"))
	}
	return b.each(lengths(func(n int64) bool {
		return (!hasLow || n > low || n == low && !openLow) && (!hasHigh || n < high || n == high && !openHigh)
	}))
}

func buildLengthsEqual(b *build) check {
	want, ok := b.number("value")
	if !ok {
		b.bad("value", "value is not a valid float")
	}
	return b.each(lengths(func(n int64) bool { return float64(n) == want }))
}

// regexes compiles a pattern, or a list of them.
func (b *build) regexes(patterns []string) []*pylike.Regex {
	var out []*pylike.Regex
	for _, p := range patterns {
		r, err := pylike.CompileRegex(p)
		if err != nil {
			b.fail(valueError("%v", err))
		}
		out = append(out, r)
	}
	return out
}

func buildRegex(want bool) func(b *build) check {
	return func(b *build) check {
		pattern := "(?s).*"
		if b.has("regex") || !want {
			pattern = b.text("regex")
		}
		r := b.regexes([]string{pattern})[0]
		return b.each(eachText(func(s string) (bool, error) {
			found, err := r.Search(s)
			return found == want, err
		}))
	}
}

func buildRegexList(want bool) func(b *build) check {
	return func(b *build) check {
		all := want && b.choice("match_on", "any", "all") == "all"
		list := b.regexes(b.texts("regex_list"))
		if len(list) == 0 {
			b.fail(valueError("regex_list: at least one regular expression is needed"))
		}
		return b.each(eachText(func(s string) (bool, error) {
			for _, r := range list {
				found, err := r.Search(s)
				if err != nil {
					return false, err
				}
				if found != all {
					// Of any, the first that matches decides; of all, the first that does not.
					return found == want, nil
				}
			}
			return all == want, nil
		}))
	}
}

func (b *build) likes(patterns []string) []*regexp.Regexp {
	if len(patterns) == 0 {
		b.fail(valueError("At least one like_pattern must be supplied in the like_pattern_list."))
	}
	var out []*regexp.Regexp
	for _, p := range patterns {
		r, err := pylike.Like(p)
		if err != nil {
			b.fail(valueError("like pattern %q: %v", p, err))
		}
		out = append(out, r)
	}
	return out
}

func buildLike(want bool) func(b *build) check {
	return func(b *build) check {
		r := b.likes([]string{b.text("like_pattern")})[0]
		return b.each(eachText(func(s string) (bool, error) { return r.MatchString(s) == want, nil }))
	}
}

func buildLikeList(want bool) func(b *build) check {
	return func(b *build) check {
		all := want && b.choice("match_on", "any", "all") == "all"
		list := b.likes(b.texts("like_pattern_list"))
		return b.each(eachText(func(s string) (bool, error) {
			for _, r := range list {
				if found := r.MatchString(s); found != all {
					return found == want, nil
				}
			}
			return all == want, nil
		}))
	}
}

// onlyTexts makes a test of texts that refuses other values.
func onlyTexts(kind string, good func(string) (bool, error)) test {
	return each(func(c table.Cell) (bool, error) {
		if c.Kind != table.Text {
			return false, typeError("Values passed to %s must be of type string. Got %q, a %s.\nIf you want to validate a column of dates or timestamps, "+
				"please call the expectation before converting from string format.", kind, c.Shown(), c.Kind)
		}
		return good(c.Text)
	})
}

func buildStrftime(b *build) check {
	p, err := pylike.CompileStrptime(b.text("strftime_format"))
	if err != nil {
		b.fail(valueError("Unable to use provided strftime_format. %v", err))
	}
	return b.each(onlyTexts(b.kind, func(s string) (bool, error) { return p.Matches(s), nil }))
}

func buildDateutil(b *build) check {
	return b.each(onlyTexts(b.kind, func(s string) (bool, error) {
		_, err := pylike.ParseDate(s, b.now)
		return err == nil, nil
	}))
}

func buildJSONParseable(b *build) check {
	return b.each(each(func(c table.Cell) (bool, error) {
		return (c.Kind == table.Text || c.Kind == table.List) && isJSON(c.Text), nil
	}))
}

// isJSON reports whether Python's json.loads reads a text.
func isJSON(text string) bool {
	if json.Valid([]byte(text)) {
		return true
	}
	if !strings.Contains(text, "NaN") && !strings.Contains(text, "Infinity") {
		return false
	}
	_, err := DecodeJSON([]byte(text))
	return err == nil
}

// noLoader refuses references to other documents: a suite reads nothing from elsewhere.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema may not refer to another document (%s)", url)
}

func buildJSONSchema(b *build) check {
	schema, ok := b.value("json_schema").(map[string]any)
	if !ok {
		b.bad("json_schema", "want an object")
		return nil
	}
	const name = "mem:///schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	err := compiler.AddResource(name, numbered(schema))
	var compiled *jsonschema.Schema
	if err == nil {
		compiled, err = compiler.Compile(name)
	}
	if err != nil {
		b.fail(&Failure{"SchemaError", fmt.Sprintf("json_schema: %v", err)})
		return nil
	}
	return b.each(each(func(c table.Cell) (bool, error) {
		value, err := DecodeJSON([]byte(c.Text))
		if c.Kind != table.Text && c.Kind != table.List {
			err = errors.New("it is no text")
		}
		if err != nil {
			return false, &Failure{"JSONDecodeError", fmt.Sprintf("%q is not JSON: %v", c.Shown(), err)}
		}
		return compiled.Validate(numbered(value)) == nil, nil
	}))
}

// numbered turns int64 into json.Number: what the schema library takes for an integer.
func numbered(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(fmt.Sprint(v))
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return json.Number(fmt.Sprintf("%.1f", v))
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = numbered(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = numbered(v[k])
		}
		return out
	}
	return v
}

func buildUnique(b *build) check {
	c := b.rowCheck(single, whereAny, b.text("column"))
	if b.err != nil {
		return nil
	}
	return b.unique(c)
}

// orderCheck is expect_column_values_to_be_increasing or decreasing: each value is compared with the one before that is there.
func buildOrder(sign int) func(b *build) check {
	return func(b *build) check {
		strictly := b.boolean("strictly", false)
		var last table.Cell
		return b.each(each(func(c table.Cell) (bool, error) {
			before := last
			last = c
			if cells.Missing(before) {
				return true, nil
			}
			k, err := cells.Compare(c, before)
			if err != nil {
				return false, typeError("%v: %q follows %q", err, c.Shown(), before.Shown())
			}
			return k*sign > 0 || k == 0 && !strictly, nil
		}).inOrder())
	}
}

// inOrder makes a test look at each row, also where a dictionary would do.
func (t test) inOrder() test {
	return func(v *table.Vector, rows cells.Bits) (cells.Bits, error) {
		if v.Codes == nil {
			return t(v, rows)
		}
		flat := *v
		flat.Codes, flat.Texts = nil, make([]string, v.Size)
		rows.Rows(func(i int) bool {
			flat.Texts[i] = v.Text(i)
			return true
		})
		return t(&flat, rows)
	}
}

// zCheck is expect_column_value_z_scores_to_be_less_than. The first reading finds the mean and the deviation.
type zCheck struct {
	*rowCheck
	moments *moments
	passes  int
}

func buildZScores(b *build) check {
	threshold, ok := b.number("threshold")
	if !ok {
		b.bad("threshold", "value is not a valid float")
	}
	double := b.boolean("double_sided", true)
	c := b.rowCheck(single, whereAny, b.text("column"))
	if b.err != nil {
		return nil
	}
	z := &zCheck{rowCheck: c, moments: b.moments(c.places[0])}
	at := c.places[0]
	z.bad = func(v *view, rows cells.Bits) (cells.Bits, error) {
		mean, deviation := z.moments.mean(), z.moments.deviation()
		return each(func(c table.Cell) (bool, error) {
			x, ok := cells.Num(c)
			if !ok {
				return false, typeError("Cannot complete Z-score calculations on a non-numerical column, got %q", c.Shown())
			}
			score := (x - mean) / deviation
			if double {
				return math.Abs(score) < math.Abs(threshold), nil
			}
			return score < threshold, nil
		})(v.vectors[at], rows)
	}
	return z
}

func (z *zCheck) batch(v *view) error {
	if z.passes == 0 {
		return nil
	}
	return z.rowCheck.batch(v)
}

func (z *zCheck) second() (bool, error) {
	z.passes++
	return z.passes == 1, z.moments.failed
}
