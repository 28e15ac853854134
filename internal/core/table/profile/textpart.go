package profile

import (
	"math"
	"strings"
	"unicode/utf8"

	"levada/internal/core/table"
	"levada/internal/core/textual"
)

// textPart is what is kept of the texts of a column, or of its bytes or lists.
type textPart struct {
	kind     table.Kind
	counter  texts
	sketched bool
	distinct distinct
	low      string
	high     string
	any      bool
	lengths  lengths // of texts that are not in counter
	scratch  []float64
	content  *textual.State // nil where it is not read

	// Values of a dictionary are counted by their codes, until another dictionary comes.
	dictionary []string
	codes      []int64
}

// lengths are in characters, in bytes of a Binary, in values of a List.
type lengths struct {
	Moments
	Short, Long int64
	Empty       int64 // texts without characters
	Bad         int64 // texts that are not in UTF-8
}

func (l *lengths) bound(n int64) {
	if l.N == 0 || n < l.Short {
		l.Short = n
	}
	l.Long = max(l.Long, n)
}

func (l *lengths) addTimes(length, n int64, bad bool) {
	l.bound(length)
	if length == 0 {
		l.Empty += n
	}
	if bad {
		l.Bad += n
	}
	l.AddTimes(float64(length), n)
}

func (l *lengths) merge(o lengths) {
	if o.N > 0 {
		l.bound(o.Short)
		l.Long = max(l.Long, o.Long)
	}
	l.Empty, l.Bad = l.Empty+o.Empty, l.Bad+o.Bad
	l.Merge(o.Moments)
}

func (p *textPart) add(v *table.Vector) {
	if v.Codes != nil {
		p.addCodes(v)
		return
	}
	sizes := v.Kind == table.List && v.Ints != nil
	for i, s := range v.Texts[:v.Size] {
		if v.Nulls != nil && v.Nulls[i>>6]&(1<<(i&63)) != 0 {
			continue
		}
		if sizes {
			p.one(s, 1, v.Ints[i])
		} else {
			p.one(s, 1, -1)
		}
	}
	p.measure()
}

func (p *textPart) addCodes(v *table.Vector) {
	if len(v.Texts) == 0 {
		return
	}
	if len(p.dictionary) != len(v.Texts) || &p.dictionary[0] != &v.Texts[0] {
		p.flush()
		p.dictionary, p.codes = v.Texts, make([]int64, len(v.Texts))
	}
	codes := p.codes
	if v.Nulls == nil {
		for _, c := range v.Codes[:v.Size] {
			codes[c]++
		}
		return
	}
	for i, c := range v.Codes[:v.Size] {
		if v.Nulls[i>>6]&(1<<(i&63)) == 0 {
			codes[c]++
		}
	}
}

// flush counts what the codes of a dictionary stand for.
func (p *textPart) flush() {
	for i, n := range p.codes {
		if n > 0 {
			p.one(p.dictionary[i], n, -1)
		}
	}
	p.dictionary, p.codes = nil, nil
	p.measure()
}

// length is that of a value, and whether it is no UTF-8.
func (p *textPart) length(s string, size int64) (n int64, bad bool) {
	switch {
	case size >= 0:
		return size, false
	case p.kind == table.Binary || plain(s):
		return int64(len(s)), false
	}
	return int64(utf8.RuneCountInString(s)), !utf8.ValidString(s)
}

// plain reports whether a text has ASCII characters only.
func plain(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		if table.Load8(s)&0x8080808080808080 != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// one counts a text n times. A size from zero on is its length.
func (p *textPart) one(s string, n, size int64) {
	hash := table.HashText(s)
	if p.content != nil {
		p.content.Add(s, hash, n)
	}
	if !p.sketched {
		e := p.counter.find(s, hash)
		if e.n > 0 {
			e.n += n
			return
		}
		p.bound(s)
		if !p.counter.full(s) {
			length, bad := p.length(s, size)
			p.counter.put(e, s, textEntry{hash: hash, n: n, bad: bad, chars: uint32(min(length, math.MaxUint32))})
			return
		}
		p.sketch()
	}
	p.bound(s)
	p.distinct.add(hash)
	p.counter.keep(s, hash, n)
	length, bad := p.length(s, size)
	if n > 1 || bad || length == 0 {
		p.lengths.addTimes(length, n, bad)
		return
	}
	p.scratch = append(p.scratch, float64(length))
	p.lengths.bound(length)
	if len(p.scratch) >= 4096 {
		p.measure()
	}
}

// measure adds up lengths.
func (p *textPart) measure() {
	p.lengths.Add(p.scratch)
	p.scratch = p.scratch[:0]
}

func (p *textPart) bound(s string) {
	if len(s) > longestShown {
		s = s[:longestShown]
	}
	if !p.any || s < p.low {
		p.low = strings.Clone(s)
	}
	if !p.any || s > p.high {
		p.high = strings.Clone(s)
	}
	p.any = true
}

// sketch goes on with estimates: there are too many different texts.
func (p *textPart) sketch() {
	p.lengths.merge(p.counted())
	for _, e := range p.counter.entries {
		if e.n > 0 {
			p.distinct.add(e.hash)
		}
	}
	p.counter.narrow()
	p.sketched = true
}

// counted are the lengths of the texts in the counter, where all are.
func (p *textPart) counted() lengths {
	var l lengths
	if p.sketched {
		return l
	}
	for _, e := range p.counter.entries {
		if e.n > 0 {
			l.addTimes(int64(e.chars), e.n, e.bad)
		}
	}
	return l
}

// all are the lengths of all texts.
func (p *textPart) all() lengths {
	l := p.counted()
	l.merge(p.lengths)
	return l
}

func (p *textPart) merge(o *textPart) {
	switch {
	case p.content == nil || o.content == nil:
		p.content = nil // of some of the texts it is not known
	default:
		p.content.Merge(o.content)
	}
	if o.any {
		p.bound(o.low)
		p.bound(o.high)
	}
	if !p.sketched && !o.sketched {
		for _, e := range o.counter.entries {
			if e.n == 0 {
				continue
			}
			p.mergeEntry(o, e)
		}
		return
	}
	if !p.sketched {
		p.sketch()
	}
	p.lengths.merge(o.all())
	p.counter.lost += o.counter.lost
	for _, e := range o.counter.entries {
		if e.n == 0 {
			continue
		}
		if !o.sketched {
			p.distinct.add(e.hash)
		}
		p.keepEntry(o, e)
	}
	p.distinct.merge(o.distinct)
}

// mergeEntry adds a text of another counter. What is kept of a long one is not the text, so its hash and length come with it.
func (p *textPart) mergeEntry(o *textPart, e textEntry) {
	text := o.counter.text(e)
	if !p.sketched {
		at := p.counter.find(text, e.hash)
		if at.n > 0 {
			at.n += e.n
			return
		}
		if !p.counter.full(text) {
			p.counter.put(at, text, e)
			return
		}
		p.sketch()
	}
	p.distinct.add(e.hash)
	p.lengths.addTimes(int64(e.chars), e.n, e.bad)
	p.keepEntry(o, e)
}

func (p *textPart) keepEntry(o *textPart, e textEntry) {
	p.counter.keep(o.counter.text(e), e.hash, e.n)
}

func (p *textPart) count() (int64, bool) {
	if p.sketched {
		return max(p.distinct.count(), int64(p.counter.used)), true
	}
	return int64(p.counter.used), false
}
