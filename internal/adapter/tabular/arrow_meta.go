package tabular

import (
	"fmt"

	"levada/internal/core/fault"
)

// The types of fields, by their numbers in Arrow's Schema.fbs.
const (
	arrowNull          = 1
	arrowInt           = 2
	arrowFloat         = 3
	arrowBinary        = 4
	arrowUtf8          = 5
	arrowBool          = 6
	arrowDecimal       = 7
	arrowDate          = 8
	arrowTime          = 9
	arrowTimestamp     = 10
	arrowInterval      = 11
	arrowList          = 12
	arrowStruct        = 13
	arrowUnion         = 14
	arrowFixed         = 15
	arrowFixedList     = 16
	arrowMap           = 17
	arrowDuration      = 18
	arrowLargeBin      = 19
	arrowLargeUtf8     = 20
	arrowLargeList     = 21
	arrowRunEnds       = 22
	arrowBinView       = 23
	arrowUtf8View      = 24
	arrowListView      = 25
	arrowLargeListView = 26
)

// The kinds of messages.
const (
	arrowSchema     = 1
	arrowDictionary = 2
	arrowRecords    = 3
)

// The bounds of a schema.
const (
	mostArrowFields = 1 << 17
	deepestArrow    = 16
)

// arrowField is a field of a schema: what its values are, and where its parts lie in a batch.
type arrowField struct {
	name     string
	kind     int
	bits     int // of a value, where all have as many
	signed   bool
	unit     int64 // parts of a second; of a date, days (1) or milliseconds (1000)
	scale    int
	size     int // values of a fixed list
	children []arrowField
	// dictionary is the number of the dictionary that the values are in, -1 for none; index then is the type of the numbers, and value
	// what the dictionary holds.
	dictionary   int64
	index, value *arrowField
	// node, buffer and views are the first of its own in a batch.
	node, buffer, views int
	dense               bool
}

// units are those of times: seconds, and thousandths.
var units = [...]int64{1, 1e3, 1e6, 1e9}

// arrowSchemaOf reads a schema.
func arrowSchemaOf(t flatTable) ([]arrowField, error) {
	if t.number(0, 2, 0) != 0 {
		return nil, fault.Invalidf("the Arrow data is of a machine with the highest byte first, which is not read")
	}
	count := 0
	fields, err := arrowFields(t.tables(1), &count, 0)
	if err != nil {
		return nil, err
	}
	if err := t.of.err(); err != nil {
		return nil, err
	}
	var p arrowPlaces
	for i := range fields {
		p.place(&fields[i])
	}
	return fields, nil
}

func arrowFields(tables []flatTable, count *int, depth int) ([]arrowField, error) {
	if *count += len(tables); *count > mostArrowFields || depth > deepestArrow {
		return nil, fault.Invalidf("the schema of the Arrow data has more than %d fields, or more than %d inside one another", mostArrowFields, deepestArrow)
	}
	out := make([]arrowField, 0, len(tables))
	for _, t := range tables {
		f := arrowField{name: t.text(0), kind: int(uint8(t.number(2, 1, 0))), dictionary: -1}
		f.of(t.table(3))
		if d := t.table(4); d.at != 0 {
			f.dictionary = d.number(0, 8, 0)
			index := arrowField{kind: arrowInt, bits: 32, signed: true, dictionary: -1}
			if it := d.table(1); it.at != 0 {
				index.of(it)
			}
			f.index = &index
		}
		if t.of.failed {
			return nil, errFlat
		}
		children, err := arrowFields(t.tables(5), count, depth+1)
		if err != nil {
			return nil, err
		}
		f.children = children
		if err := f.check(); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// of reads the parameters of a type.
func (f *arrowField) of(t flatTable) {
	unit := func(n int, missing int64) int64 {
		if u := t.number(n, 2, missing); u >= 0 && u < int64(len(units)) {
			return units[u]
		}
		t.of.failed = true
		return 1
	}
	switch f.kind {
	case arrowInt:
		f.bits, f.signed = int(t.number(0, 4, 0)), t.number(1, 1, 0) != 0
	case arrowFloat:
		f.bits = 16 << max(0, min(2, t.number(0, 2, 0)))
	case arrowBool:
		f.bits = 1
	case arrowDecimal:
		f.scale, f.bits = int(t.number(1, 4, 0)), int(t.number(2, 4, 128))
	case arrowDate:
		f.unit, f.bits = 1, 32
		if t.number(0, 2, 1) == 1 {
			f.unit, f.bits = 1000, 64
		}
	case arrowTime:
		f.unit, f.bits = unit(0, 1), int(t.number(1, 4, 32))
	case arrowTimestamp:
		f.unit, f.bits = unit(0, 0), 64
	case arrowDuration:
		f.unit, f.bits = unit(0, 1), 64
	case arrowInterval:
		f.bits = [...]int{32, 64, 128}[max(0, min(2, t.number(0, 2, 0)))]
	case arrowFixed:
		f.bits = 8 * int(max(0, min(1<<24, t.number(0, 4, 0))))
	case arrowFixedList:
		f.size = int(max(0, t.number(0, 4, 0)))
	case arrowUnion:
		f.dense = t.number(0, 2, 0) == 1
	}
}

// check refuses what no writer writes.
func (f *arrowField) check() error {
	widths := map[int][]int{arrowInt: {8, 16, 32, 64}, arrowDecimal: {32, 64, 128, 256}, arrowTime: {32, 64}}
	ok := func(x *arrowField) bool {
		w := widths[x.kind]
		for _, n := range w {
			if n == x.bits {
				return true
			}
		}
		return w == nil
	}
	one := f.kind == arrowList || f.kind == arrowLargeList || f.kind == arrowFixedList || f.kind == arrowMap
	switch {
	case !ok(f) || f.index != nil && !ok(f.index), one && len(f.children) != 1, f.kind == arrowFixed && f.bits == 0, f.kind < arrowNull || f.kind > arrowLargeListView:
		return fault.Invalidf("the field %q of the Arrow data has a type that does not exist", fault.Shorten(f.name, 60))
	}
	return nil
}

// text reports whether the values are texts or bytes.
func (f *arrowField) text() bool {
	switch f.kind {
	case arrowUtf8, arrowLargeUtf8, arrowUtf8View, arrowBinary, arrowLargeBin, arrowBinView, arrowFixed:
		return true
	}
	return false
}

// unread names the type of a field that is not read; empty for those that are.
func (f *arrowField) unread() string {
	switch f.kind {
	case arrowUnion:
		return "union"
	case arrowRunEnds:
		return "run-end encoded"
	case arrowListView, arrowLargeListView:
		return "list view"
	case arrowInterval:
		return "interval"
	}
	for i := range f.children {
		if t := f.children[i].unread(); t != "" {
			return t
		}
	}
	return ""
}

// declared is the type of a field, in the words that Parquet's have here.
func (f *arrowField) declared() string {
	switch f.kind {
	case arrowNull:
		return "null"
	case arrowInt:
		sign := ""
		if !f.signed {
			sign = "u"
		}
		return fmt.Sprintf("%sint%d", sign, f.bits)
	case arrowFloat:
		return map[int]string{16: "float16", 32: "float", 64: "double"}[f.bits]
	case arrowBinary, arrowLargeBin, arrowBinView:
		return "bytes"
	case arrowFixed:
		return "fixed bytes"
	case arrowUtf8, arrowLargeUtf8, arrowUtf8View:
		return "string"
	case arrowBool:
		return "boolean"
	case arrowDecimal:
		return "decimal"
	case arrowDate:
		return "date"
	case arrowTime:
		return "time"
	case arrowTimestamp:
		return "timestamp"
	case arrowDuration:
		return map[int64]string{1: "duration in s", 1e3: "duration in ms", 1e6: "duration in µs", 1e9: "duration in ns"}[f.unit]
	case arrowList, arrowLargeList, arrowFixedList:
		return "list of " + f.children[0].declared()
	case arrowMap:
		return "map"
	}
	return "struct"
}

// arrowPlaces counts the nodes and buffers of a batch, which lie in the order of the fields, each before those inside it.
type arrowPlaces struct{ node, buffer, views int }

func (p *arrowPlaces) place(f *arrowField) {
	f.node, f.buffer, f.views = p.node, p.buffer, p.views
	p.node++
	if f.index != nil { // numbers; what they stand for lies in a batch of its own
		p.buffer += 2
		value := *f
		value.index, value.dictionary = nil, -1
		f.value = &value
		(&arrowPlaces{}).place(f.value)
		return
	}
	p.buffer += f.own()
	if f.kind == arrowBinView || f.kind == arrowUtf8View {
		p.views++
	}
	for i := range f.children {
		p.place(&f.children[i])
	}
}

// own is how many buffers a field has without those of its children, and those of views that a batch counts.
func (f *arrowField) own() int {
	switch f.kind {
	case arrowNull, arrowRunEnds:
		return 0
	case arrowStruct, arrowFixedList:
		return 1
	case arrowUnion:
		if f.dense {
			return 2
		}
		return 1
	case arrowBinary, arrowUtf8, arrowLargeBin, arrowLargeUtf8, arrowListView, arrowLargeListView:
		return 3
	}
	return 2 // with views, those that are there in any case
}
