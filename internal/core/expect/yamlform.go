package expect

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/expect/rowcond"
	"levada/internal/core/fault"
)

// The short form, in YAML:
//
//	columns:
//	  age:
//	    - not_null
//	    - between: [0, 120]
//	    - {in_set: [a, b], mostly: 0.99, where: country == "NO", in: training}
//	table:
//	  - row_count_between: [1000, null]
//	  - greater: [end, start]
//
// An expectation is its short name, or a mapping with that name, the argument behind it and other arguments beside it. Where is a
// condition in CEL. In names environments; a column's may stand once for all its expectations: {in: training, checks: [...]}.
const (
	keyWhere  = "where"
	keyIn     = "in"
	keyChecks = "checks"
)

// shortNames gives the type of a short name.
func shortNames() map[string]string {
	out := make(map[string]string, len(registry))
	for kind, s := range registry {
		if s.short != "" {
			out[s.short] = kind
		}
	}
	return out
}

// yamlReader reads the short form.
type yamlReader struct {
	short map[string]string
	suite Suite
}

// ParseYAML reads a suite in the short form.
func ParseYAML(text []byte) (Suite, error) {
	if len(text) > MostBytes {
		return Suite{}, fault.TooLargef("the suite is larger than %d MiB", MostBytes>>20)
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var top struct {
		Name       string               `yaml:"name"`
		Parameters map[string]any       `yaml:"parameters"`
		Meta       map[string]any       `yaml:"meta"`
		Columns    yaml.Node            `yaml:"columns"`
		Table      []yaml.Node          `yaml:"table"`
		Rest       map[string]yaml.Node `yaml:",inline"`
	}
	if err := d.Decode(&top); err != nil && !errors.Is(err, io.EOF) {
		return Suite{}, fault.Invalidf("read the suite: %w", err)
	}
	for key, n := range top.Rest {
		return Suite{}, fault.Invalidf("read the suite: line %d: %q is not known here; the parts of a suite are name, parameters, meta, columns and table", n.Line, key)
	}
	r := &yamlReader{short: shortNames(), suite: Suite{Name: top.Name, Meta: asJSON(top.Meta).(map[string]any), Parameters: asJSON(top.Parameters).(map[string]any)}}
	if k := top.Columns.Kind; k != 0 && k != yaml.MappingNode {
		return Suite{}, fault.Invalidf("read the suite: line %d: columns is a mapping from names to lists of expectations", top.Columns.Line)
	}
	for i := 0; i+1 < len(top.Columns.Content); i += 2 {
		if err := r.column(top.Columns.Content[i].Value, top.Columns.Content[i+1]); err != nil {
			return Suite{}, err
		}
	}
	for i := range top.Table {
		if err := r.expectation("", nil, &top.Table[i]); err != nil {
			return Suite{}, err
		}
	}
	return r.suite, r.suite.check()
}

// column reads the expectations about a column.
func (r *yamlReader) column(name string, n *yaml.Node) error {
	var in []string
	if n.Kind == yaml.MappingNode {
		checks := (*yaml.Node)(nil)
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch key := n.Content[i].Value; key {
			case keyIn:
				v, err := value(n.Content[i+1])
				if err == nil {
					in, err = environments(v)
				}
				if err != nil {
					return at(n, err)
				}
			case keyChecks:
				checks = n.Content[i+1]
			default:
				return at(n.Content[i], fmt.Errorf("%q is not known here: a column is a list of expectations, or has in and checks", key))
			}
		}
		if checks == nil {
			return at(n, errors.New("a column has a list of expectations, or in and checks"))
		}
		n = checks
	}
	if n.Kind != yaml.SequenceNode {
		return at(n, errors.New("a column has a list of expectations"))
	}
	for _, e := range n.Content {
		if err := r.expectation(name, in, e); err != nil {
			return err
		}
	}
	return nil
}

func at(n *yaml.Node, err error) error {
	return fault.Invalidf("read the suite: line %d: %w", n.Line, err)
}

// value is a node as a JSON value.
func value(n *yaml.Node) (any, error) {
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	return asJSON(v), nil
}

// asJSON turns what YAML decodes to into JSON values.
func asJSON(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		return float64(v)
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = asJSON(v[i])
		}
		return out
	case map[string]any:
		if v == nil {
			return map[string]any(nil)
		}
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = asJSON(v[k])
		}
		return out
	case map[any]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[fmt.Sprint(k)] = asJSON(v[k])
		}
		return out
	}
	return v
}

func environments(v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case []any:
		var out []string
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				return nil, errors.New("in takes the names of environments")
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, errors.New("in takes the names of environments")
}

// expectation reads one expectation, of a column where one is given.
func (r *yamlReader) expectation(column string, in []string, n *yaml.Node) error {
	v, err := value(n)
	if err != nil {
		return at(n, err)
	}
	e := Expectation{Kwargs: map[string]any{}, In: in}
	var entry map[string]any
	switch v := v.(type) {
	case string:
		entry = map[string]any{v: nil}
	case map[string]any:
		entry = v
	default:
		return at(n, errors.New("an expectation is a name, or a mapping with a name"))
	}
	name := ""
	for key, x := range entry {
		kind, known := r.short[key]
		if _, long := registry[key]; long {
			kind, known = key, true
		}
		switch {
		case key == keyWhere:
			e.Kwargs["row_condition"], e.Kwargs["condition_parser"] = x, rowcond.CEL
		case key == keyIn:
			if e.In, err = environments(x); err != nil {
				return at(n, err)
			}
		case key == "meta":
			e.Meta, _ = x.(map[string]any)
		case known && name != "":
			return at(n, fmt.Errorf("%s and %s are two expectations; give each a line of its own", name, key))
		case known:
			name, e.Type = key, kind
		default:
			e.Kwargs[key] = x
		}
	}
	if name == "" {
		names := slices.Sorted(maps.Keys(entry))
		return at(n, fmt.Errorf("%q is no expectation that is known%s", strings.Join(names, ", "), r.like(names)))
	}
	if column != "" {
		e.Kwargs["column"] = column
	}
	if err := argument(registry[e.Type], name, entry[name], e.Kwargs); err != nil {
		return at(n, err)
	}
	r.suite.Expectations = append(r.suite.Expectations, e)
	return nil
}

// like names the short name that is nearest to one of some.
func (r *yamlReader) like(names []string) string {
	best, nearest := 3, ""
	for _, n := range names {
		for known := range r.short {
			if d := distance(n, known, best); d < best {
				best, nearest = d, known
			}
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", nearest)
}

// argument takes what stands behind the name of an expectation.
func argument(s spec, name string, v any, kwargs map[string]any) error {
	list, isList := v.([]any)
	object, isObject := v.(map[string]any)
	switch {
	case v == nil || v == true:
		return nil
	case s.main == "quantile_ranges" && isObject && object["quantiles"] == nil:
		var quantiles, ranges []any
		for _, q := range slices.Sorted(maps.Keys(object)) {
			f, ok := float(q)
			if !ok {
				return fmt.Errorf("%s: %q is no quantile", name, q)
			}
			quantiles, ranges = append(quantiles, f), append(ranges, object[q])
		}
		kwargs[s.main] = map[string]any{"quantiles": quantiles, "value_ranges": ranges}
	case isObject && s.main != "json_schema" && s.main != "quantile_ranges":
		maps.Copy(kwargs, object)
	case s.main == "range":
		if !isList || len(list) != 2 {
			return fmt.Errorf("%s takes [least, greatest]; write null for an open end", name)
		}
		kwargs["min_value"], kwargs["max_value"] = list[0], list[1]
	case s.main == "columns" && s.group == groupPair:
		if !isList || len(list) != 2 {
			return fmt.Errorf("%s takes two columns: [a, b]", name)
		}
		kwargs["column_A"], kwargs["column_B"] = list[0], list[1]
	case s.main == "columns":
		kwargs["column_list"] = v
	case s.main == "":
		return fmt.Errorf("%s takes no value; its arguments stand beside it", name)
	default:
		kwargs[s.main] = v
	}
	return nil
}

// YAML is the suite in the short form: a line for each expectation, the columns in the order in which they come first.
func (s Suite) YAML() ([]byte, error) {
	top := &yaml.Node{Kind: yaml.MappingNode}
	put := func(m *yaml.Node, key string, v *yaml.Node) {
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, Tag: "!!str"}, v)
	}
	plain := func(v any) (*yaml.Node, error) {
		n := &yaml.Node{}
		return n, n.Encode(v)
	}
	for _, part := range []struct {
		key string
		v   any
		has bool
	}{{"name", s.Name, s.Name != ""}, {"meta", s.Meta, len(s.Meta) > 0}, {"parameters", s.Parameters, len(s.Parameters) > 0}} {
		if !part.has {
			continue
		}
		n, err := plain(part.v)
		if err != nil {
			return nil, err
		}
		put(top, part.key, n)
	}
	columns, list := &yaml.Node{Kind: yaml.MappingNode}, &yaml.Node{Kind: yaml.SequenceNode}
	places := map[string]*yaml.Node{}
	for _, e := range s.Expectations {
		column, _ := e.Kwargs["column"].(string)
		if registry[e.Type].main == "column" {
			column = "" // the column is the argument
		}
		n, err := e.node(column)
		if err != nil {
			return nil, err
		}
		if column == "" {
			list.Content = append(list.Content, n)
			continue
		}
		if places[column] == nil {
			places[column] = &yaml.Node{Kind: yaml.SequenceNode}
			put(columns, column, places[column])
		}
		places[column].Content = append(places[column].Content, n)
	}
	if len(columns.Content) > 0 {
		put(top, "columns", columns)
	}
	if len(list.Content) > 0 {
		put(top, "table", list)
	}
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(top); err != nil {
		return nil, err
	}
	return []byte(b.String()), enc.Close()
}

// node is an expectation as it is written in the short form: on one line, its name first.
func (e Expectation) node(column string) (*yaml.Node, error) {
	entry, ok := e.entry(column).(map[string]any)
	if !ok {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(e.entry(column))}, nil
	}
	name := cmp.Or(registry[e.Type].short, e.Type)
	out := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, key := range append([]string{name}, slices.Sorted(maps.Keys(entry))...) {
		if key == name && len(out.Content) > 0 {
			continue
		}
		v := &yaml.Node{}
		if err := v.Encode(entry[key]); err != nil {
			return nil, err
		}
		if v.Style = yaml.FlowStyle; v.Kind == yaml.ScalarNode {
			v.Style = 0
		}
		out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, v)
	}
	return out, nil
}

// quantileMap is quantile_ranges as a mapping from quantiles to ranges; the value itself where it is no such.
func quantileMap(v any) any {
	m, _ := v.(map[string]any)
	quantiles, _ := m["quantiles"].([]any)
	ranges, _ := m["value_ranges"].([]any)
	if len(quantiles) == 0 || len(quantiles) != len(ranges) {
		return v
	}
	out := map[float64]any{}
	for i, q := range quantiles {
		f, ok := float(q)
		if _, twice := out[f]; !ok || twice {
			return v
		}
		out[f] = ranges[i]
	}
	return out
}

// entry is an expectation as it stands in the short form.
func (e Expectation) entry(column string) any {
	s := registry[e.Type]
	name := s.short
	if name == "" {
		name = e.Type
	}
	kwargs := maps.Clone(e.Kwargs)
	if column != "" {
		delete(kwargs, "column")
	}
	out := map[string]any{}
	take := func(key string) any {
		v := kwargs[key]
		delete(kwargs, key)
		return v
	}
	var main any
	switch s.main {
	case "":
	case "range":
		main = []any{take("min_value"), take("max_value")}
	case "columns":
		if s.group == groupPair {
			main = []any{take("column_A"), take("column_B")}
		} else {
			main = take("column_list")
		}
	case "quantile_ranges":
		main = quantileMap(take(s.main))
	default:
		main = take(s.main)
	}
	if kwargs["condition_parser"] == rowcond.CEL {
		out[keyWhere] = take("row_condition")
		delete(kwargs, "condition_parser")
	}
	if len(e.In) == 1 {
		out[keyIn] = e.In[0]
	} else if len(e.In) > 1 {
		out[keyIn] = e.In
	}
	maps.Copy(out, kwargs)
	if s.main == "" && len(out) == 0 {
		return name
	}
	if out[name] = main; s.main == "" {
		out[name] = true
	}
	return out
}
