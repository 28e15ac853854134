// Package schema says what the features of a table should be like, as TensorFlow Data Validation (TFDV) does: types, presence, numbers of
// values, domains, environments such as training and serving, and how far a distribution may be from another.
//
// A Schema is written in YAML, or read from TFDV's own text form; it is inferred from one table and checked against others, and what is
// not as it should be has the names of TFDV's anomalies. The package is pure and looks at sums of tables alone. Start reading at Schema,
// then at Check.
package schema

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// MostBytes bounds a schema's text.
const MostBytes = 16 << 20

// The types of features. The first three are TFDV's.
const (
	Int   = "int"
	Float = "float"
	Bytes = "bytes" // texts, too
	Bool  = "bool"
	Date  = "date"
	Time  = "time"
)

var types = []string{Int, Float, Bytes, Bool, Date, Time}

// Schema is what a table should be like.
type Schema struct {
	// Environments are those in which a feature is expected that names none.
	Environments []string  `yaml:"environments,omitempty"`
	Dataset      *Dataset  `yaml:"dataset,omitempty"`
	Features     []Feature `yaml:"features"`
	// Domains are sets of texts that features refer to by their names.
	Domains map[string][]string `yaml:"domains,omitempty"`
	// Notes are what was read of a schema and is not checked.
	Notes []string `yaml:"-"`
}

// Dataset is what is expected of the whole table.
type Dataset struct {
	MinRows *int64 `yaml:"min_rows,omitempty"`
	MaxRows *int64 `yaml:"max_rows,omitempty"`
	// Growth is the range of rows divided by those of the previous table.
	Growth *Range `yaml:"growth,omitempty"`
}

// Range is a range whose ends may be missing.
type Range struct {
	Min *float64 `yaml:"min,omitempty"`
	Max *float64 `yaml:"max,omitempty"`
}

// Feature is what is expected of a column.
type Feature struct {
	Name string `yaml:"name"`
	Type string `yaml:"type,omitempty"`
	// Presence is in how many rows there is a value, ValueCount how many values a row that has any has: one, but in a list.
	Presence   *Presence `yaml:"presence,omitempty,flow"`
	ValueCount *Valency  `yaml:"value_count,omitempty,flow"`
	// Domain is the set of texts. At least the share MinDomainMass of the values lies in it; 1 where it is not given.
	Domain        *Domain  `yaml:"domain,omitempty"`
	MinDomainMass *float64 `yaml:"min_domain_mass,omitempty"`
	// Min and Max are bounds of numbers.
	Min         *float64 `yaml:"min,omitempty"`
	Max         *float64 `yaml:"max,omitempty"`
	DisallowNaN bool     `yaml:"disallow_nan,omitempty"`
	DisallowInf bool     `yaml:"disallow_inf,omitempty"`
	// Unique bounds the number of different values.
	Unique *Valency `yaml:"unique,omitempty,flow"`
	// In and NotIn name environments. A deprecated feature is not looked at.
	In         []string `yaml:"in,omitempty,flow"`
	NotIn      []string `yaml:"not_in,omitempty,flow"`
	Deprecated bool     `yaml:"deprecated,omitempty"`
	// Skew compares with the training data, Drift with the previous table.
	Skew  *Comparator `yaml:"skew,omitempty,flow"`
	Drift *Comparator `yaml:"drift,omitempty,flow"`
}

// Presence bounds in how many rows there is a value, as a share and as a number.
type Presence struct {
	MinFraction float64 `yaml:"min_fraction,omitempty"`
	MinCount    int64   `yaml:"min_count,omitempty"`
}

// Valency bounds a number of values.
type Valency struct {
	Min *int64 `yaml:"min,omitempty"`
	Max *int64 `yaml:"max,omitempty"`
}

// Comparator holds how far two distributions may be from each other: LInfinity is the largest difference between the shares of a value,
// JensenShannon the divergence in bits, from 0 to 1.
type Comparator struct {
	LInfinity     *float64 `yaml:"l_infinity,omitempty"`
	JensenShannon *float64 `yaml:"jensen_shannon,omitempty"`
}

// Domain is a set of texts: its own, or one of the schema's by name.
type Domain struct {
	Name   string
	Values []string
}

// UnmarshalYAML reads a name or a list.
func (d *Domain) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		d.Name = n.Value
		return nil
	}
	return n.Decode(&d.Values)
}

// MarshalYAML writes a name or a list.
func (d Domain) MarshalYAML() (any, error) {
	if d.Name != "" {
		return d.Name, nil
	}
	var n yaml.Node
	if err := n.Encode(d.Values); err != nil {
		return nil, err
	}
	n.Style = yaml.FlowStyle
	return &n, nil
}

// Parse reads a schema: YAML, or the text form of TFDV's protocol buffer.
func Parse(text []byte) (*Schema, error) {
	if len(text) > MostBytes {
		return nil, fault.TooLargef("the schema is larger than %d MiB", MostBytes>>20)
	}
	if isTextProto(text) {
		s, err := parseTextProto(string(text))
		if err != nil {
			return nil, fault.Invalidf("read the schema, which looks like TFDV's: %w", err)
		}
		return s, s.check()
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	s := &Schema{}
	if err := d.Decode(s); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fault.Invalidf("the schema is empty; levada data schema writes one")
		}
		return nil, fault.Invalidf("read the schema: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return s, s.check()
}

// YAML writes a schema.
func (s *Schema) YAML() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// check refuses what contradicts itself.
func (s *Schema) check() error {
	if len(s.Features) == 0 {
		return fault.Invalidf("the schema has no features")
	}
	seen := map[string]bool{}
	for i := range s.Features {
		f := &s.Features[i]
		bad := func(format string, args ...any) error {
			return fault.Invalidf("feature %q of the schema: %w", f.Name, fault.Invalidf(format, args...))
		}
		switch {
		case f.Name == "":
			return fault.Invalidf("feature %d of the schema has no name", i+1)
		case seen[f.Name]:
			return bad("it is there twice")
		case f.Type != "" && !slices.Contains(types, f.Type):
			return bad("the type %q is not known; there are %s", f.Type, strings.Join(types, ", "))
		case f.Presence != nil && (f.Presence.MinFraction < 0 || f.Presence.MinFraction > 1 || f.Presence.MinCount < 0):
			return bad("presence has a min_fraction from 0 to 1 and a min_count from 0 on")
		case f.Min != nil && f.Max != nil && *f.Min > *f.Max:
			return bad("min is %v and max is %v", *f.Min, *f.Max)
		case f.MinDomainMass != nil && (*f.MinDomainMass < 0 || *f.MinDomainMass > 1):
			return bad("min_domain_mass is from 0 to 1")
		case !f.ValueCount.ordered() || !f.Unique.ordered():
			return bad("a number of values has its min above its max")
		case f.Domain != nil && f.Domain.Name != "" && s.Domains[f.Domain.Name] == nil:
			return bad("there is no domain %q", f.Domain.Name)
		}
		for _, c := range []*Comparator{f.Skew, f.Drift} {
			if c != nil && (!threshold(c.LInfinity) || !threshold(c.JensenShannon) || c.LInfinity == nil && c.JensenShannon == nil) {
				return bad("skew and drift have l_infinity or jensen_shannon, from 0 to 1")
			}
		}
		seen[f.Name] = true
	}
	return nil
}

func threshold(v *float64) bool { return v == nil || *v >= 0 && *v <= 1 }

func (v *Valency) ordered() bool { return v == nil || v.Min == nil || v.Max == nil || *v.Min <= *v.Max }

// in reports whether a feature is expected in an environment; in none, all are that are not deprecated.
func (s *Schema) in(f *Feature, environment string) bool {
	if f.Deprecated {
		return false
	}
	if environment == "" {
		return true
	}
	if slices.Contains(f.NotIn, environment) {
		return false
	}
	return slices.Contains(f.In, environment) || len(s.Environments) == 0 && len(f.In) == 0 || slices.Contains(s.Environments, environment)
}

// domain are the texts that a feature may have; ok is false where it has no domain.
func (s *Schema) domain(f *Feature) (values []string, ok bool) {
	if f.Domain == nil {
		return nil, false
	}
	if f.Domain.Name != "" {
		return s.Domains[f.Domain.Name], true
	}
	return f.Domain.Values, true
}
