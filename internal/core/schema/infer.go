package schema

import (
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// InferOptions say what a schema is to hold.
type InferOptions struct {
	// MaxDomain is how many different texts make a domain at most; the default is 100.
	MaxDomain int
	// Ranges has the lowest and highest numbers become bounds.
	Ranges bool
	// Compare has distributions compared, too: categories by L-infinity, numbers by Jensen-Shannon.
	Compare bool
	// TrainingOnly are the columns that are not there in serving, such as the label.
	TrainingOnly []string
}

const (
	defaultMaxDomain = 100
	// Limits of skew and drift, as in suggested expectations.
	defaultDistance = 0.1
	// leastOften is how often the values of a domain are there on average; texts that are there less often are names.
	leastOften = 2
)

// The environments of a schema with columns for training alone.
const (
	Training = "training"
	Serving  = "serving"
)

// Infer makes the schema that a table has.
func Infer(t *Table, o InferOptions) (*Schema, error) {
	if o.MaxDomain == 0 {
		o.MaxDomain = defaultMaxDomain
	}
	for _, name := range o.TrainingOnly {
		if t.column(name) == nil {
			return nil, fault.Invalidf("the table has no column %q that could be for training only", name)
		}
	}
	s := &Schema{}
	if len(o.TrainingOnly) > 0 {
		s.Environments = []string{Training, Serving}
	}
	for i := range t.Columns {
		f := infer(&t.Columns[i], o)
		if slices.Contains(o.TrainingOnly, f.Name) {
			f.NotIn = []string{Serving}
		}
		s.Features = append(s.Features, f)
	}
	return s, s.check()
}

func infer(c *Facts, o InferOptions) Feature {
	f := Feature{Name: c.Name, Type: typeOf(c)}
	if c.present() == 0 {
		return f
	}
	f.Presence = &Presence{MinCount: 1}
	if c.Nulls == 0 {
		f.Presence.MinFraction = 1
	}
	one := int64(1)
	switch {
	case c.Type != "list":
		f.ValueCount = &Valency{Min: &one, Max: &one}
	case c.Length != nil && c.Length.Min > 0:
		f.ValueCount = &Valency{Min: &one}
	}
	private := c.Text != nil && len(c.Text.Personal) > 0 // is not written into a schema
	category := !private && c.Type == "text" && c.All && c.Distinct <= int64(o.MaxDomain) && c.present() >= leastOften*c.Distinct
	if category {
		f.Domain = &Domain{}
		for _, v := range c.Values {
			f.Domain.Values = append(f.Domain.Values, v.Value)
		}
		slices.Sort(f.Domain.Values)
	}
	number := c.Type == "integer" || c.Type == "number"
	if number && o.Ranges {
		f.Min, f.Max = c.Low, c.High
	}
	if o.Compare {
		distance := defaultDistance
		switch {
		case category || c.Type == "boolean":
			f.Skew, f.Drift = &Comparator{LInfinity: &distance}, &Comparator{LInfinity: &distance}
		case number:
			f.Skew, f.Drift = &Comparator{JensenShannon: &distance}, &Comparator{JensenShannon: &distance}
		}
	}
	return f
}

// typeOf is the type of a column's values, of those in its lists where it has such; empty where it is not known.
func typeOf(c *Facts) string {
	switch c.Type {
	case "integer":
		return Int
	case "number":
		return Float
	case "text", "binary":
		return Bytes
	case "boolean":
		return Bool
	case "date":
		return Date
	case "time":
		return Time
	case "list":
		inner, found := strings.CutPrefix(c.Declared, "list of ")
		switch {
		case !found:
			return ""
		case strings.Contains(inner, "int"):
			return Int
		case inner == "float" || inner == "double" || inner == "float16" || inner == "decimal":
			return Float
		case inner == "string" || strings.Contains(inner, "bytes"):
			return Bytes
		case inner == "boolean":
			return Bool
		}
	}
	return ""
}
