package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// The text form of TFDV's Schema (tensorflow/metadata, proto/v0/schema.proto): what of it Levada checks is read, what it does not is
// noted, so that nobody takes for checked what is not.

var beginsTextProto = regexp.MustCompile(`^(?:\s*#[^\n]*\n)*\s*(?:feature|string_domain|int_domain|float_domain|default_environment|dataset_constraints|annotation|sparse_feature|weighted_feature|generate_legacy_feature_spec)\s*[:{<]`)

func isTextProto(text []byte) bool { return beginsTextProto.Match(text) }

// message is a message in text: its fields in their order.
type message []entry

// entry is a field: a scalar, or a message of its own.
type entry struct {
	name   string
	text   string
	of     message
	nested bool
	line   int
}

// protoReader reads text.
type protoReader struct {
	s    string
	pos  int
	line int
}

// deepest bounds messages inside one another.
const deepest = 30

func (p *protoReader) bad(format string, args ...any) error {
	return fault.Invalidf("line %d: %s", p.line, fmt.Sprintf(format, args...))
}

// skip passes over spaces and comments, and over what may stand between fields.
func (p *protoReader) skip() {
	for p.space(); p.pos < len(p.s) && (p.s[p.pos] == ',' || p.s[p.pos] == ';'); p.space() {
		p.pos++
	}
}

func (p *protoReader) space() {
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; {
		case c == '\n':
			p.line++
			p.pos++
		case c == ' ' || c == '\t' || c == '\r':
			p.pos++
		case c == '#':
			for p.pos < len(p.s) && p.s[p.pos] != '\n' {
				p.pos++
			}
		default:
			return
		}
	}
}

func (p *protoReader) next() byte {
	if p.skip(); p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

func (p *protoReader) word() string {
	from := p.pos
	for p.pos < len(p.s) && (p.s[p.pos] == '_' || p.s[p.pos] == '.' || p.s[p.pos] == '-' || p.s[p.pos] == '+' || p.s[p.pos]-'0' <= 9 || p.s[p.pos]|0x20 >= 'a' && p.s[p.pos]|0x20 <= 'z') {
		p.pos++
	}
	return p.s[from:p.pos]
}

// message reads fields until the end, which is a brace but for the outermost.
func (p *protoReader) message(end byte, depth int) (message, error) {
	var out message
	if depth > deepest {
		return nil, p.bad("messages lie too deep inside one another")
	}
	for {
		c := p.next()
		if c == end {
			p.pos = min(p.pos+1, len(p.s))
			return out, nil
		}
		if c == 0 {
			return nil, p.bad("the text ends inside a message")
		}
		e := entry{name: p.word(), line: p.line}
		if e.name == "" {
			return nil, p.bad("want the name of a field, got %q", string(c))
		}
		if p.next() == ':' {
			p.pos++
		}
		if p.next() == '[' {
			if err := p.list(e, &out, depth); err != nil {
				return nil, err
			}
			continue
		}
		if err := p.value(&e, depth); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
}

func (p *protoReader) list(e entry, out *message, depth int) error {
	for p.pos++; p.next() != ']'; {
		if p.next() == 0 {
			return p.bad("a list does not end")
		}
		one := entry{name: e.name, line: p.line}
		if err := p.value(&one, depth); err != nil {
			return err
		}
		*out = append(*out, one)
	}
	p.pos++
	return nil
}

func (p *protoReader) value(e *entry, depth int) error {
	switch c := p.next(); c {
	case '{', '<':
		p.pos++
		of, err := p.message(map[byte]byte{'{': '}', '<': '>'}[c], depth+1)
		e.of, e.nested = of, true
		return err
	case '"', '\'':
		for p.pos < len(p.s) && (p.s[p.pos] == '"' || p.s[p.pos] == '\'') { // texts side by side are one
			text, err := p.quoted(p.s[p.pos])
			if err != nil {
				return err
			}
			e.text += text
			p.space()
		}
		return nil
	}
	if e.text = p.word(); e.text == "" {
		return p.bad("the field %s has no value", e.name)
	}
	return nil
}

func (p *protoReader) quoted(quote byte) (string, error) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.s); p.pos++ {
		c := p.s[p.pos]
		switch {
		case c == quote:
			p.pos++
			return b.String(), nil
		case c == '\n':
			return "", p.bad("a text does not end")
		case c != '\\':
			b.WriteByte(c)
			continue
		}
		if p.pos++; p.pos >= len(p.s) {
			break
		}
		p.escaped(&b)
	}
	return "", p.bad("a text does not end")
}

// escaped reads what stands behind a backslash.
func (p *protoReader) escaped(b *strings.Builder) {
	digits := func(base, most int) {
		from := p.pos
		for p.pos < len(p.s) && p.pos-from < most {
			if _, err := strconv.ParseUint(p.s[p.pos:p.pos+1], base, 8); err != nil {
				break
			}
			p.pos++
		}
		n, _ := strconv.ParseUint(p.s[from:p.pos], base, 32)
		b.WriteByte(byte(n))
		p.pos--
	}
	switch c := p.s[p.pos]; {
	case c >= '0' && c <= '7':
		digits(8, 3)
	case c == 'x' || c == 'X':
		p.pos++
		digits(16, 2)
	default:
		if i := strings.IndexByte("abfnrtv", c); i >= 0 {
			c = "\a\b\f\n\r\t\v"[i]
		}
		b.WriteByte(c)
	}
}

// field is the last of a name; fields of a message that is not there are not there either.
func (m message) field(names ...string) (entry, bool) {
	for i, name := range names {
		at := -1
		for k := range m {
			if m[k].name == name {
				at = k
			}
		}
		if at < 0 {
			return entry{}, false
		}
		if i == len(names)-1 {
			return m[at], true
		}
		m = m[at].of
	}
	return entry{}, false
}

func (m message) text(names ...string) string {
	e, _ := m.field(names...)
	return e.text
}

func (m message) texts(name string) []string {
	var out []string
	for _, e := range m {
		if e.name == name {
			out = append(out, e.text)
		}
	}
	return out
}

// protoSchema turns messages into a schema. The first number that is none is its err.
type protoSchema struct {
	schema *Schema
	err    error
}

func (p *protoSchema) number(m message, names ...string) *float64 {
	e, ok := m.field(names...)
	if !ok {
		return nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(e.text, "f"), 64)
	if err != nil && p.err == nil {
		p.err = fault.Invalidf("line %d: %s is %q, want a number", e.line, e.name, fault.Shorten(e.text, 40))
	}
	return &v
}

func (p *protoSchema) whole(m message, names ...string) *int64 {
	e, ok := m.field(names...)
	if !ok {
		return nil
	}
	v, err := strconv.ParseInt(e.text, 0, 64)
	if err != nil && p.err == nil {
		p.err = fault.Invalidf("line %d: %s is %q, want a whole number", e.line, e.name, fault.Shorten(e.text, 40))
	}
	return &v
}

func parseTextProto(text string) (*Schema, error) {
	r := &protoReader{s: text, line: 1}
	top, err := r.message(0, 0)
	if err != nil {
		return nil, err
	}
	p := &protoSchema{schema: &Schema{Environments: top.texts("default_environment"), Domains: map[string][]string{}}}
	ints, floats := map[string]message{}, map[string]message{}
	for _, e := range top {
		switch e.name {
		case "string_domain":
			p.schema.Domains[e.of.text("name")] = e.of.texts("value")
		case "int_domain":
			ints[e.of.text("name")] = e.of
		case "float_domain":
			floats[e.of.text("name")] = e.of
		}
	}
	for _, e := range top {
		switch e.name {
		case "feature":
			p.feature(e.of, ints, floats)
		case "dataset_constraints":
			p.dataset(e.of)
		case "string_domain", "int_domain", "float_domain", "default_environment", "annotation", "generate_legacy_feature_spec", "tensor_representation_group":
		default:
			p.note("%s (line %d)", e.name, e.line)
		}
	}
	return p.schema, p.err
}

func (p *protoSchema) note(format string, args ...any) {
	n := "not checked: " + fmt.Sprintf(format, args...)
	if !slices.Contains(p.schema.Notes, n) {
		p.schema.Notes = append(p.schema.Notes, n)
	}
}

func (p *protoSchema) dataset(m message) {
	p.schema.Dataset = &Dataset{MinRows: p.whole(m, "min_examples_count"), MaxRows: p.whole(m, "max_examples_count")}
	if e, ok := m.field("num_examples_drift_comparator"); ok {
		p.schema.Dataset.Growth = &Range{Min: p.number(e.of, "min_fraction_threshold"), Max: p.number(e.of, "max_fraction_threshold")}
	}
	if _, ok := m.field("num_examples_version_comparator"); ok {
		p.note("num_examples_version_comparator")
	}
}

// unchecked are fields of a feature that say nothing to check.
var unchecked = []string{"annotation", "name"}

// withdrawn are the stages of a feature that is not looked at.
var withdrawn = []string{"PLANNED", "ALPHA", "DEBUG_ONLY", "DEPRECATED", "DISABLED"}

func (p *protoSchema) feature(m message, ints, floats map[string]message) {
	f := Feature{Name: m.text("name"), In: m.texts("in_environment"), NotIn: m.texts("not_in_environment")}
	for _, e := range m {
		switch e.name {
		case "type":
			p.kind(&f, e.text)
		case "deprecated":
			f.Deprecated = f.Deprecated || e.text == "true"
		case "lifecycle_stage":
			f.Deprecated = f.Deprecated || slices.Contains(withdrawn, e.text)
		case "presence":
			f.Presence = &Presence{}
			if v := p.number(e.of, "min_fraction"); v != nil {
				f.Presence.MinFraction = *v
			}
			if v := p.whole(e.of, "min_count"); v != nil {
				f.Presence.MinCount = *v
			}
		case "value_count":
			f.ValueCount = p.valency(e.of)
		case "shape":
			f.ValueCount = p.shape(e.of)
		case "unique_constraints":
			f.Unique = p.valency(e.of)
		case "distribution_constraints":
			f.MinDomainMass = p.number(e.of, "min_domain_mass")
		case "skew_comparator":
			f.Skew = p.comparator(f.Name, e)
		case "drift_comparator":
			f.Drift = p.comparator(f.Name, e)
		case "domain":
			p.reference(&f, e.text, ints, floats)
		case "string_domain":
			f.Domain = &Domain{Values: e.of.texts("value")}
		case "int_domain", "float_domain":
			p.bounds(&f, e.of)
		case "bool_domain":
			if e.of.text("true_value")+e.of.text("false_value") != "" {
				f.Domain = &Domain{Values: append(e.of.texts("true_value"), e.of.texts("false_value")...)}
			}
		case "in_environment", "not_in_environment":
		default:
			if !slices.Contains(unchecked, e.name) {
				p.note("%s of feature %s", e.name, f.Name)
			}
		}
	}
	p.schema.Features = append(p.schema.Features, f)
}

func (p *protoSchema) kind(f *Feature, text string) {
	switch text {
	case "INT", "FLOAT", "BYTES":
		f.Type = strings.ToLower(text)
	case "TYPE_UNKNOWN":
	default:
		p.note("type %s of feature %s", text, f.Name)
	}
}

func (p *protoSchema) valency(m message) *Valency {
	return &Valency{Min: p.whole(m, "min"), Max: p.whole(m, "max")}
}

// shape is as many values as its dimensions make.
func (p *protoSchema) shape(m message) *Valency {
	n := int64(1)
	for _, e := range m {
		if size := p.whole(e.of, "size"); e.name == "dim" && size != nil && *size > 0 && n < 1<<40 {
			n *= min(*size, 1<<20)
		}
	}
	return &Valency{Min: &n, Max: &n}
}

func (p *protoSchema) bounds(f *Feature, m message) {
	f.Min, f.Max = p.number(m, "min"), p.number(m, "max")
	f.DisallowNaN, f.DisallowInf = m.text("disallow_nan") == "true", m.text("disallow_inf") == "true"
}

// reference is a domain by its name.
func (p *protoSchema) reference(f *Feature, name string, ints, floats map[string]message) {
	if m, ok := ints[name]; ok {
		p.bounds(f, m)
	} else if m, ok := floats[name]; ok {
		p.bounds(f, m)
	} else {
		f.Domain = &Domain{Name: name}
	}
}

func (p *protoSchema) comparator(feature string, e entry) *Comparator {
	c := &Comparator{LInfinity: p.number(e.of, "infinity_norm", "threshold"), JensenShannon: p.number(e.of, "jensen_shannon_divergence", "threshold")}
	if _, ok := e.of.field("normalized_abs_difference"); ok {
		p.note("normalized_abs_difference of feature %s", feature)
	}
	if c.LInfinity == nil && c.JensenShannon == nil {
		return nil
	}
	return c
}
