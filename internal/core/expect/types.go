package expect

import (
	"slices"
	"strings"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// typeNames are the names of types in pandas, numpy, Spark, SQL and Parquet, in small letters, by the kind of values they stand for.
var typeNames = map[table.Kind][]string{
	table.Integer: {"int", "int_", "int64", "int64dtype", "long", "integer", "bigint", "longtype", "integertype", "int32", "int16", "int8", "smallint",
		"tinyint", "uint8", "uint16", "uint32", "uint64", "shorttype", "bytetype"},
	table.Number: {"float", "float_", "float64", "float32", "float64dtype", "double", "doubletype", "floattype", "real", "decimal", "numeric",
		"double_precision", "decimaltype", "double precision"},
	table.Boolean: {"bool", "bool_", "boolean", "booleandtype", "booleantype"},
	table.Text:    {"str", "str_", "string", "string_types", "stringdtype", "stringtype", "text", "varchar", "char", "nvarchar", "utf8"},
	table.Time:    {"datetime64", "datetime64[ns]", "datetime64[us]", "datetime64[ms]", "datetime64[s]", "m8[ns]", "<m8[ns]", "datetime", "timestamptype"},
	table.Date:    {"date", "datetype", "date32"},
	table.Binary:  {"bytes", "bytes_", "binary", "binarytype", "bytea", "blob"},
	table.List:    {"list", "dict", "arraytype", "maptype", "structtype", "json"},
}

// wide are the names of times that know their distance from UTC.
var wide = []string{"timestamp", "datetimetzdtype", "datetimetzdtypetype", "timestamp_tz", "timestamptz"}

// objects are the names of pandas' columns of texts and of mixed values.
var objects = []string{"object", "object_", "o"}

// observedTypes are the names that pandas gives the types of columns.
var observedTypes = map[table.Kind]string{table.Integer: "int64", table.Number: "float64", table.Boolean: "bool_", table.Time: "datetime64"}

// ofTypeCheck is expect_column_values_to_be_of_type and ..._in_type_list. A column of one kind has a type as a whole; each value of a
// column of texts or of mixed values has its own.
type ofTypeCheck struct {
	*rowCheck
	names    []string
	declared string
	seen     [table.Mixed + 1]bool
	whole    bool // all types were asked for as types of columns
}

// buildType builds the expectations about types; any says that null allows all.
func buildType(b *build, names []string, anything bool) check {
	c := b.rowCheck(single, whereAny, b.text("column"))
	if b.err != nil {
		return nil
	}
	t := &ofTypeCheck{rowCheck: c, declared: b.run.columns[c.places[0]].Declared, whole: anything}
	for _, n := range names {
		n = strings.ToLower(n)
		t.names = append(t.names, n)
		t.whole = t.whole || slices.Contains(objects, n)
	}
	c.bad = func(v *view, rows cells.Bits) (cells.Bits, error) {
		vector := v.vectors[c.places[0]]
		if vector.Kind != table.Mixed {
			t.seen[vector.Kind] = true
		} else {
			rows.Rows(func(i int) bool {
				t.seen[vector.Cells[i].Kind] = true
				return true
			})
		}
		return each(func(c table.Cell) (bool, error) { return t.fits(c.Kind), nil })(vector, rows)
	}
	return t
}

func buildOfType(b *build) check {
	if !b.has("type_") {
		return buildType(b, nil, true)
	}
	return buildType(b, []string{b.text("type_")}, false)
}

func buildInTypes(b *build) check {
	if !b.has("type_list") {
		return buildType(b, nil, true)
	}
	names := b.texts("type_list")
	if b.err == nil && len(names) == 0 {
		b.fail(valueError("No recognized numpy/python type in list: []"))
	}
	return buildType(b, names, false)
}

// fits reports whether values of a kind have one of the types.
func (t *ofTypeCheck) fits(k table.Kind) bool {
	for _, name := range t.names {
		if k == table.Time && t.zoned() {
			if slices.Contains(wide, name) {
				return true
			}
			continue
		}
		if slices.Contains(typeNames[k], name) || k == table.Boolean && name == "int" && t.object() {
			return true
		}
	}
	return false
}

// zoned reports whether the column's times are declared to be in UTC.
func (t *ofTypeCheck) zoned() bool {
	d := strings.ToLower(t.declared)
	return strings.Contains(d, "utc") || strings.Contains(d, "tz")
}

// object reports whether the column is what pandas calls one of objects.
func (t *ofTypeCheck) object() bool {
	n := 0
	for _, s := range t.seen[1:] {
		if s {
			n++
		}
	}
	return n != 1 || t.seen[table.Text] || t.seen[table.List] || t.seen[table.Binary] || t.seen[table.Date] || t.declared == "object"
}

func (t *ofTypeCheck) finish() (outcome, error) {
	known := func(n string) bool {
		for _, names := range typeNames {
			if slices.Contains(names, n) {
				return true
			}
		}
		return slices.Contains(wide, n) || slices.Contains(objects, n) || n == "none" || n == "complex"
	}
	if t.object() {
		if t.whole {
			return outcome{success: true, observed: "object_", shown: true}, nil
		}
		if !slices.ContainsFunc(t.names, known) && len(t.names) > 1 {
			return outcome{}, valueError("No recognized numpy/python type in list: %s", strings.Join(t.names, ", "))
		}
		if !slices.ContainsFunc(t.names, known) {
			return outcome{}, valueError("Unrecognized numpy/python type: %s", strings.Join(t.names, ", "))
		}
		return t.rowCheck.finish()
	}
	kind := table.Kind(slices.Index(t.seen[1:], true) + 1)
	o := outcome{success: t.fits(kind) || len(t.names) == 0, observed: observedTypes[kind], shown: true}
	if kind == table.Time && t.zoned() {
		o.observed = "Timestamp"
	}
	return o, nil
}
