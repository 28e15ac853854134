package tabular

import (
	"encoding/binary"
	"io"
	"math/bits"
	"slices"

	"levada/internal/core/fault"
)

// column reads the values of a leaf, row group after row group.
type column struct {
	file *parquetFile
	leaf leaf
	inflater

	group  int // the next one
	chunk  chunk
	at     int64 // the next page in the file
	end    int64
	left   int64 // values of the chunk in pages to come
	inPage int   // values of the page that come

	dict      dictionary
	page      page
	defs, rep hybrid

	compressed, body []byte
	levels, numbers  []uint32
	raw              stored
	loose            bool // raw has texts, not codes
	cutNanos         bool // of a time, nanoseconds were cut
	longDigits       bool // numbers have more digits than a float keeps
	nulls            []uint64

	lists listReader
}

// stored is values as they are stored; which of them counts the physical type says.
type stored struct {
	ints   []int64
	floats []float64
	texts  []string
	codes  []uint32 // of texts, where they are in a dictionary
}

// page decodes the values of a page. One of its decoders is set.
type page struct {
	bytes  []byte
	text   string
	delta  *delta
	sizes  *lengths
	fronts *fronts
	codes  hybrid
	bits   hybrid
	kind   pageForm
	at     int // of bits
}

type pageForm uint8

const (
	noForm pageForm = iota
	plainForm
	plainBits
	codesForm
	runsForm
	deltaForm
	lengthsForm
	frontsForm
)

// dictionary is the values that a page of codes refers to.
type dictionary struct {
	stored
	size int
}

// form is in which slice a physical type is stored.
func (k physical) isInt() bool   { return k == boolean || k == int32s || k == int64s }
func (k physical) isFloat() bool { return k == floats || k == doubles }

// open goes on to the next row group.
func (c *column) open() error {
	g := c.file.meta.groups[c.group]
	if c.leaf.index >= len(g.chunks) {
		return fault.Invalidf("row group %d lacks it", c.group+1)
	}
	c.chunk = g.chunks[c.leaf.index]
	c.group++
	at := c.chunk.data
	if c.chunk.dict > 0 && c.chunk.dict < at {
		at = c.chunk.dict
	}
	if c.chunk.elsewhere {
		return fault.Invalidf("its data is in another file")
	}
	if at < 4 || c.chunk.compressed < 0 || at > c.file.size-8 || c.chunk.compressed > c.file.size-8-at {
		return fault.Invalidf("it lies outside of the file")
	}
	if c.leaf.maxRep == 0 && c.chunk.values != g.rows {
		return fault.Invalidf("row group %d has %d rows, and %d values of it", c.group, g.rows, c.chunk.values)
	}
	c.at, c.end, c.left, c.inPage = at, at+c.chunk.compressed, c.chunk.values, 0
	c.dict = dictionary{}
	return nil
}

// load reads pages until there is one with values.
func (c *column) load() error {
	for c.inPage == 0 {
		if c.at >= c.end || c.left <= 0 {
			return io.EOF
		}
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

func (c *column) next() error {
	var h pageHead
	size := int64(1 << 10)
	var used int
	for {
		head := sized(c.compressed, int(min(size, c.end-c.at)))
		c.compressed = head
		if err := readAt(c.file.r, head, c.at); err != nil {
			return err
		}
		t := &thrift{b: head}
		h = readPageHead(t)
		used = t.pos
		if t.err == nil {
			break
		}
		if size >= maxHead || size >= c.end-c.at { // statistics may hold long texts
			return errDamaged
		}
		size = maxHead
	}
	if h.size < 0 || h.compressed < 0 || h.values < 0 || h.compressed > c.end-c.at-int64(used) {
		return errDamaged
	}
	if h.size > maxPage || h.compressed > maxPage {
		return fault.Invalidf("a page has %d MiB; at most %d are read", max(h.size, h.compressed)>>20, maxPage>>20)
	}
	if !c.file.spend(h.size + h.compressed) {
		return errTooMuch
	}
	at := c.at + int64(used)
	c.at = at + h.compressed
	if h.kind != dictPage && h.kind != dataPage && h.kind != dataPageV2 {
		return nil // an index, or something that a later version adds
	}
	c.compressed = sized(c.compressed, int(h.compressed))
	if err := readAt(c.file.r, c.compressed, at); err != nil {
		return err
	}
	if h.kind == dictPage {
		return c.dictionary(h)
	}
	if h.values > c.left {
		return errDamaged
	}
	c.left -= h.values
	c.inPage = int(h.values)
	return c.data(h)
}

func (c *column) dictionary(h pageHead) error {
	body, err := c.inflated(c.compressed, h.size)
	if err != nil {
		return err
	}
	if len(c.raw.codes) > 0 {
		c.undictionary() // a second dictionary within a batch
	}
	// A value takes a byte at least, but for fixed ones of no length, which are refused.
	if h.values > int64(len(body)) {
		return errDamaged
	}
	n := int(h.values)
	c.dict = dictionary{size: n}
	switch kind := c.leaf.kind; {
	case kind == boolean:
		return errDamaged
	case kind.isInt():
		c.dict.ints = make([]int64, n)
		_, err = plainInts(body, kind, c.dict.ints)
	case kind.isFloat():
		c.dict.floats = make([]float64, n)
		_, err = plainFloats(body, kind, c.dict.floats)
	default:
		c.dict.texts = make([]string, n)
		_, err = plainTexts(string(body), c.leaf.size(), c.dict.texts)
	}
	return err
}

// inflated decompresses a part of a page into the column's own buffer. What is not compressed stays where it is.
func (c *column) inflated(b []byte, size int64) ([]byte, error) {
	out, err := c.inflate(c.body, b, c.chunk.codec, size)
	if err == nil && c.chunk.codec != 0 {
		c.body = out
	}
	return out, err
}

// size is how many bytes a value of texts has, 0 where each says it.
func (l leaf) size() int {
	switch l.kind {
	case int96s:
		return 12
	case fixed:
		return l.length
	}
	return 0
}

// data prepares the decoders of a page.
func (c *column) data(h pageHead) error {
	var def, rep []byte
	var err error
	body := c.compressed
	if h.kind == dataPageV2 {
		if h.defBytes < 0 || h.repBytes < 0 || h.defBytes+h.repBytes > int64(len(body)) {
			return errDamaged
		}
		rep, def, body = body[:h.repBytes], body[h.repBytes:h.repBytes+h.defBytes], body[h.repBytes+h.defBytes:]
		if !h.plain {
			body, err = c.inflated(body, h.size-h.defBytes-h.repBytes)
		}
	} else {
		if body, err = c.inflated(body, h.size); err == nil && c.leaf.maxRep > 0 {
			rep, body, err = levelBytes(body)
		}
		if err == nil && c.leaf.maxDef > 0 {
			def, body, err = levelBytes(body)
		}
	}
	if err == nil {
		c.defs, err = newHybrid(def, bits.Len(uint(c.leaf.maxDef)))
	}
	if err == nil {
		c.rep, err = newHybrid(rep, bits.Len(uint(c.leaf.maxRep)))
	}
	if err != nil {
		return err
	}
	return c.prepare(h.encoding, body)
}

// prepare chooses the decoder of values.
func (c *column) prepare(encoding int, body []byte) (err error) {
	kind := c.leaf.kind
	p := page{bytes: body, kind: plainForm}
	defer func() { c.page = p }()
	switch encoding {
	case plainEncoding:
		if kind == boolean {
			p.kind = plainBits
		} else if !kind.isInt() && !kind.isFloat() {
			p.text = string(body)
		}
		return nil
	case plainDictionary, rleDictionary:
		p.kind = codesForm
		if len(body) == 0 {
			return nil // all values are null
		}
		p.codes, err = newHybrid(body[1:], int(body[0]))
		return err
	case rleEncoding:
		if kind != boolean {
			return errDamaged
		}
		var part []byte
		if part, _, err = levelBytes(body); err == nil {
			p.kind = runsForm
			p.bits, err = newHybrid(part, 1)
		}
		return err
	case deltaBinaryPacked:
		if kind != int32s && kind != int64s {
			return errDamaged
		}
		p.kind = deltaForm
		p.delta, err = newDelta(body)
		return err
	case deltaLengthByteArray:
		if kind != byteArrays {
			return errDamaged
		}
		p.kind = lengthsForm
		p.sizes, err = newLengths(body)
		return err
	case deltaByteArray:
		if kind != byteArrays && kind != fixed {
			return errDamaged
		}
		p.kind = frontsForm
		p.fronts, err = newFronts(body)
		return err
	case byteStreamSplit:
		size := map[physical]int{int32s: 4, floats: 4, int64s: 8, doubles: 8, fixed: c.leaf.length}[kind]
		if p.bytes, err = unsplit(body, size); err == nil && kind == fixed {
			p.text = string(p.bytes)
		}
		return err
	}
	return fault.Invalidf("its encoding (number %d) is not known here", encoding)
}

// values appends the next n values of the page, which are all there, to raw.
func (c *column) values(n int) error {
	kind, p := c.leaf.kind, &c.page
	if n == 0 {
		return nil
	}
	switch {
	case kind.isInt():
		c.raw.ints = slices.Grow(c.raw.ints, n)
		out := c.raw.ints[len(c.raw.ints) : len(c.raw.ints)+n]
		c.raw.ints = c.raw.ints[:len(c.raw.ints)+n]
		return c.ints(p, out)
	case kind.isFloat():
		c.raw.floats = slices.Grow(c.raw.floats, n)
		out := c.raw.floats[len(c.raw.floats) : len(c.raw.floats)+n]
		c.raw.floats = c.raw.floats[:len(c.raw.floats)+n]
		if p.kind == codesForm {
			return gather(c, p, c.dict.floats, out)
		}
		var err error
		p.bytes, err = plainFloats(p.bytes, kind, out)
		return err
	}
	if p.kind == codesForm {
		if !c.loose {
			c.raw.codes = slices.Grow(c.raw.codes, n)
			at := len(c.raw.codes)
			c.raw.codes = c.raw.codes[:at+n]
			return c.codes(p, c.raw.codes[at:])
		}
	} else {
		c.undictionary()
	}
	at := len(c.raw.texts)
	c.raw.texts = slices.Grow(c.raw.texts, n)[:at+n]
	out := c.raw.texts[at:]
	var err error
	switch p.kind {
	case codesForm:
		return gather(c, p, c.dict.texts, out)
	case lengthsForm:
		return p.sizes.next(out)
	case frontsForm:
		return p.fronts.next(out)
	}
	p.text, err = plainTexts(p.text, c.leaf.size(), out)
	return err
}

func (c *column) ints(p *page, out []int64) error {
	switch p.kind {
	case codesForm:
		return gather(c, p, c.dict.ints, out)
	case deltaForm:
		if err := p.delta.next(out); err != nil {
			return err
		}
		if c.leaf.kind == int32s {
			for i, v := range out {
				out[i] = int64(int32(v))
			}
		}
		return nil
	case runsForm:
		c.numbers = sized(c.numbers, len(out))
		if err := p.bits.next(c.numbers); err != nil {
			return err
		}
		for i, v := range c.numbers {
			out[i] = int64(v)
		}
		return nil
	case plainBits:
		if (p.at+len(out)+7)/8 > len(p.bytes) {
			return errDamaged
		}
		for i := range out {
			out[i] = int64(p.bytes[p.at>>3] >> (p.at & 7) & 1)
			p.at++
		}
		return nil
	}
	var err error
	p.bytes, err = plainInts(p.bytes, c.leaf.kind, out)
	return err
}

// codes decodes codes that the dictionary has.
func (c *column) codes(p *page, out []uint32) error {
	if err := p.codes.next(out); err != nil {
		return err
	}
	for _, v := range out {
		if int64(v) >= int64(c.dict.size) {
			return errDamaged
		}
	}
	return nil
}

func gather[T any](c *column, p *page, dict []T, out []T) error {
	c.numbers = sized(c.numbers, len(out))
	if err := c.codes(p, c.numbers); err != nil {
		return err
	}
	if len(dict) < c.dict.size {
		return errDamaged
	}
	for i, v := range c.numbers {
		out[i] = dict[v]
	}
	return nil
}

// undictionary turns codes into texts, because texts without codes come.
func (c *column) undictionary() {
	c.loose = true
	for _, v := range c.raw.codes {
		c.raw.texts = append(c.raw.texts, c.dict.texts[v])
	}
	c.raw.codes = c.raw.codes[:0]
}

// levelBytes takes the levels from the beginning of a page of the first version.
func levelBytes(body []byte) (levels, rest []byte, err error) {
	if len(body) < 4 {
		return nil, nil, errDamaged
	}
	n := int64(binary.LittleEndian.Uint32(body))
	if n > int64(len(body)-4) {
		return nil, nil, errDamaged
	}
	return body[4 : 4+n], body[4+n:], nil
}
