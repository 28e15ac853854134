package profile

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// encoding is the version of the stored form of a State.
const encoding = 2

// stored is the stored form of a State. Tables of numbers are bytes, eight for a number, the lowest first.
type stored struct {
	Version int            `json:"version"`
	Limit   int            `json:"limit"`
	Columns int            `json:"columns,omitempty"`
	Count   int64          `json:"count"`
	Nulls   int64          `json:"nulls"`
	Kinds   []int64        `json:"kinds"`
	Numbers []storedNumber `json:"numbers,omitempty"`
	Texts   []storedText   `json:"texts,omitempty"`
}

type storedNumber struct {
	Kind      table.Kind `json:"kind"`
	Counter   []byte     `json:"counter"` // key and count of each
	Large     []byte     `json:"large,omitempty"`
	Lost      int64      `json:"lost,omitempty"`
	LargeLost int64      `json:"large_lost,omitempty"`
	Sketched  bool       `json:"sketched,omitempty"`
	Registers []byte     `json:"registers,omitempty"`
	Levels    [][]byte   `json:"levels,omitempty"`
	Base      int        `json:"base,omitempty"`
	Given     int64      `json:"given,omitempty"`
	Dice      uint64     `json:"dice,omitempty"`
	Moments   Moments    `json:"moments"`
	// Beyond are the bits of the mean and the sums of Moments where some are beyond all floats.
	Beyond *[4]uint64 `json:"beyond,omitempty"`
	NaN    int64      `json:"nan,omitempty"`
	Up     int64      `json:"up,omitempty"`
	Down   int64      `json:"down,omitempty"`
	Zeros  int64      `json:"zeros,omitempty"`
	Below  int64      `json:"below,omitempty"`
	Ints   *[2]int64  `json:"ints,omitempty"`
	// Reals are bits, because JSON has not all floats.
	Reals  *[2]uint64 `json:"reals,omitempty"`
	Floats bool       `json:"floats,omitempty"`
}

type storedText struct {
	Kind      table.Kind `json:"kind"`
	Counter   []byte     `json:"counter"` // of each: hash, count, characters (8 bytes each), 1 for no UTF-8, size, and the bytes
	Lost      int64      `json:"lost,omitempty"`
	Sketched  bool       `json:"sketched,omitempty"`
	Registers []byte     `json:"registers,omitempty"`
	Lengths   lengths    `json:"lengths"`
	Low       []byte     `json:"low,omitempty"`
	High      []byte     `json:"high,omitempty"`
	Any       bool       `json:"any,omitempty"`
	// Content is what a textual.State stores.
	Content json.RawMessage `json:"content,omitempty"`
}

// MarshalJSON stores a State.
func (s *State) MarshalJSON() ([]byte, error) {
	s.flush()
	out := stored{Version: encoding, Limit: s.limit, Columns: s.columns, Count: s.count, Nulls: s.nulls, Kinds: s.kinds[:]}
	for _, p := range s.numbers {
		if p == nil {
			continue
		}
		n := storedNumber{Kind: p.kind, Counter: p.counter.bytes(), Large: p.large.bytes(), Lost: p.counter.lost, LargeLost: p.large.lost,
			Sketched: p.sketched, Registers: p.distinct.registers, Base: p.order.base, Given: p.order.given, Dice: p.order.dice,
			Moments: p.moments, NaN: p.nan, Up: p.up, Down: p.down, Zeros: p.zeros, Below: p.below, Floats: p.floats}
		for _, l := range p.order.levels {
			var b []byte
			for _, v := range l {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
			}
			n.Levels = append(n.Levels, b)
		}
		if m := p.moments; !m.finite() {
			n.Beyond = &[4]uint64{math.Float64bits(m.Mean), math.Float64bits(m.M2), math.Float64bits(m.M3), math.Float64bits(m.M4)}
			n.Moments = Moments{N: m.N}
		}
		if p.ints.any {
			n.Ints = &[2]int64{p.ints.low, p.ints.high}
		}
		if p.reals.any {
			n.Reals = &[2]uint64{math.Float64bits(p.reals.low), math.Float64bits(p.reals.high)}
		}
		out.Numbers = append(out.Numbers, n)
	}
	for _, p := range s.texts {
		if p == nil {
			continue
		}
		t := storedText{Kind: p.kind, Counter: p.counter.bytes(), Lost: p.counter.lost, Sketched: p.sketched,
			Registers: p.distinct.registers, Lengths: p.lengths, Low: []byte(p.low), High: []byte(p.high), Any: p.any}
		if p.content != nil {
			content, err := json.Marshal(p.content)
			if err != nil {
				return nil, err
			}
			t.Content = content
		}
		out.Texts = append(out.Texts, t)
	}
	return json.Marshal(out)
}

// errState says that bytes are no stored State.
var errState = fault.Invalidf("read a stored profile: it is damaged, or of another version")

// UnmarshalJSON reads a State that MarshalJSON has stored. Anything else is an Invalid error.
func (s *State) UnmarshalJSON(b []byte) error {
	var in stored
	if json.Unmarshal(b, &in) != nil || in.Version != encoding || in.Limit < 1 || in.Limit > MostValues || in.Count < in.Nulls || in.Nulls < 0 || in.Columns < 0 ||
		len(in.Kinds) != len(s.kinds) {
		return errState
	}
	*s = State{limit: in.Limit, columns: in.Columns, count: in.Count, nulls: in.Nulls}
	total := in.Nulls
	for i, n := range in.Kinds {
		if n < 0 || n > in.Count {
			return errState
		}
		s.kinds[i] = n
		total += n
	}
	if total != in.Count {
		return errState
	}
	for _, n := range in.Numbers {
		if err := s.readNumber(n); err != nil {
			return err
		}
	}
	for _, t := range in.Texts {
		if err := s.readText(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) readNumber(n storedNumber) error {
	switch n.Kind {
	case table.Boolean, table.Number, table.Time, table.Date:
	default:
		return errState
	}
	p := s.number(n.Kind)
	if n.Lost < 0 || n.LargeLost < 0 || n.Base < 0 || n.Base > 40 || n.Given < 0 || n.Moments.N < 0 || len(n.Levels) > 64 || !registered(n.Registers, n.Sketched) {
		return errState
	}
	p.large.limit = s.limit
	if n.Sketched {
		p.sketched, p.counter.limit, p.large.limit = true, frequent(MostValues), frequent(MostValues)
	}
	p.distinct.registers, p.moments, p.floats = n.Registers, n.Moments, n.Floats
	if b := n.Beyond; b != nil {
		p.moments = Moments{n.Moments.N, math.Float64frombits(b[0]), math.Float64frombits(b[1]), math.Float64frombits(b[2]), math.Float64frombits(b[3])}
	}
	p.order.base, p.order.given, p.order.dice = n.Base, n.Given, n.Dice
	p.order.pick = int64(p.order.roll() & (1<<n.Base - 1))
	p.nan, p.up, p.down, p.zeros, p.below = n.NaN, n.Up, n.Down, n.Zeros, n.Below
	if !p.counter.read(n.Counter) || !p.large.read(n.Large) {
		return errState
	}
	p.counter.lost, p.large.lost = n.Lost, n.LargeLost
	for _, l := range n.Levels {
		values := make([]float64, 0, len(l)/8)
		for ; len(l) >= 8; l = l[8:] {
			v := math.Float64frombits(binary.LittleEndian.Uint64(l))
			if v-v != 0 {
				return errState
			}
			values = append(values, v)
		}
		p.order.levels, p.order.ordered = append(p.order.levels, values), append(p.order.ordered, slices.IsSorted(values))
	}
	if n.Ints != nil {
		p.ints = span[int64]{n.Ints[0], n.Ints[1], true}
	}
	if n.Reals != nil {
		p.reals = span[float64]{math.Float64frombits(n.Reals[0]), math.Float64frombits(n.Reals[1]), true}
	}
	return nil
}

func (s *State) readText(t storedText) error {
	switch t.Kind {
	case table.Text, table.Binary, table.List:
	default:
		return errState
	}
	if t.Lost < 0 || t.Lengths.N < 0 || len(t.Low) > longestShown || len(t.High) > longestShown || !registered(t.Registers, t.Sketched) {
		return errState
	}
	p := s.text(t.Kind)
	if t.Sketched {
		p.sketched, p.counter.limit = true, frequent(MostValues)
	}
	p.distinct.registers, p.lengths, p.low, p.high, p.any = t.Registers, t.Lengths, string(t.Low), string(t.High), t.Any
	if !p.counter.read(t.Counter) {
		return errState
	}
	p.counter.lost = t.Lost
	if len(t.Content) == 0 {
		p.content = nil
		return nil
	}
	content, ok := textual.Read(t.Content)
	if !ok {
		return errState
	}
	p.content, s.columns = content, max(1, s.columns)
	return nil
}

func registered(r []byte, sketched bool) bool {
	for _, v := range r {
		if v > 64 {
			return false
		}
	}
	return len(r) == registers || len(r) == 0 && !sketched
}

func (c *counter) bytes() []byte {
	var b []byte
	for _, e := range c.entries {
		if e.n > 0 {
			b = binary.LittleEndian.AppendUint64(b, e.key)
			b = binary.LittleEndian.AppendUint64(b, uint64(e.n))
		}
	}
	return b
}

func (c *counter) read(b []byte) bool {
	for ; len(b) >= 16; b = b[16:] {
		n := int64(binary.LittleEndian.Uint64(b[8:]))
		if n <= 0 || !c.add(binary.LittleEndian.Uint64(b), n) {
			return false
		}
	}
	return len(b) == 0
}

const textHead = 8 + 8 + 8 + 1 + 2

func (t *texts) bytes() []byte {
	var b []byte
	for _, e := range t.entries {
		if e.n > 0 {
			b = binary.LittleEndian.AppendUint64(b, e.hash)
			b = binary.LittleEndian.AppendUint64(b, uint64(e.n))
			b = binary.LittleEndian.AppendUint64(b, uint64(e.chars))
			bad := byte(0)
			if e.bad {
				bad = 1
			}
			b = binary.LittleEndian.AppendUint16(append(b, bad), e.size)
			b = append(b, t.text(e)...)
		}
	}
	return b
}

func (t *texts) read(b []byte) bool {
	for len(b) >= textHead {
		size := int(binary.LittleEndian.Uint16(b[25:]))
		if size > longestKept || textHead+size > len(b) {
			return false
		}
		e := textEntry{hash: binary.LittleEndian.Uint64(b), n: int64(binary.LittleEndian.Uint64(b[8:])), bad: b[24] == 1,
			chars: uint32(min(binary.LittleEndian.Uint64(b[16:]), math.MaxUint32))}
		s := string(b[textHead : textHead+size])
		b = b[textHead+size:]
		at := t.find(s, e.hash)
		if e.n <= 0 || at.n > 0 || t.full(s) {
			return false
		}
		t.put(at, s, e)
	}
	return len(b) == 0
}
