// Package textual says what texts are like: which language they are in, which are nearly the same, and which hold what looks like
// personal data.
//
// A State takes the texts of a column one after the other and keeps within fixed bounds of memory; States of parts of a column merge. The
// package is pure: it knows neither tables nor formats. Start reading at State.
package textual

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of what is kept of all columns together.
const (
	mostSampled  = 1 << 14 // texts of a column of which the language is looked for
	mostSketched = 1 << 14 // texts of a column that are compared with each other
	fewColumns   = 8       // of which so much is kept; where there are more, less of each
	leastKept    = 1 << 8
	mostInBand   = 20
	mostPairs    = 5
	longestShown = 120 // bytes
)

// Undetermined is the code of texts that do not tell their language.
const Undetermined = "und"

// Summary is what the texts of a column are like.
type Summary struct {
	// Duplicates are rows whose text is there before. It is an estimate where the number of different values is.
	Duplicates int64 `json:"duplicates"`
	// Languages are those of texts with letters enough to tell, the most frequent first. Sampled says that not all were looked at.
	Languages []LanguageShare `json:"languages,omitempty"`
	Sampled   bool            `json:"languages_sampled,omitempty"`
	// Personal are the kinds of what looks like personal data.
	Personal []Personal `json:"personal,omitempty"`
	// Near is missing where no text has more than ten words.
	Near *Near `json:"near_duplicates,omitempty"`
}

// LanguageShare is a language by its ISO 639-1 code, or Undetermined, and its share of the rows that were looked at.
type LanguageShare struct {
	Language string  `json:"language"`
	Rows     int64   `json:"rows"`
	Share    float64 `json:"share"`
}

// Personal is a kind of personal data, how many rows have it, and the form of the first: # for a digit, x for a letter.
type Personal struct {
	Kind    string `json:"kind"`
	Rows    int64  `json:"rows"`
	Example string `json:"example"`
}

// Near are different texts of more than ten words that are nearly the same as one before.
type Near struct {
	Texts int64 `json:"texts"`
	// Of are the texts that were compared; All says that these are all.
	Of  int64 `json:"of"`
	All bool  `json:"all"`
	// Pairs are the first of them, each with the one before.
	Pairs [][2]string `json:"pairs,omitempty"`
}

// State is what is kept of the texts of a column. It is not safe for use by several goroutines.
type State struct {
	most     int
	limit    uint64 // texts whose hash is at most so much are in the sample
	sample   map[uint64]tongue
	rows     [len(PersonalKinds)]int64
	examples [len(PersonalKinds)]string
	near     *nearState
}

type tongue struct {
	code string
	n    int64
}

// nearState holds sketches of texts, the first of a column. Text i has hashes[i], and all of those are in seen.
type nearState struct {
	seen     map[uint64]bool
	hashes   []uint64
	texts    []string
	sketches []Sketch
	bands    map[bandKey][]int32
	found    int64
	pairs    [][2]string
	full     bool
}

type bandKey struct {
	at   int
	hash uint64
}

// New returns the State of one of so many columns.
func New(columns int) *State {
	most := mostSampled
	if columns > fewColumns {
		most = max(leastKept, mostSampled*fewColumns/columns)
	}
	return &State{most: most, limit: math.MaxUint64, near: newNear()}
}

func newNear() *nearState { return &nearState{seen: map[uint64]bool{}, bands: map[bandKey][]int32{}} }

// Add takes a text that is in n rows into account. Its hash tells it from others.
func (s *State) Add(text string, hash uint64, n int64) {
	found := personal(text, func(kind kinds, example string) {
		for k := range s.examples {
			if kind == 1<<k && s.examples[k] == "" {
				s.examples[k] = masked(example)
			}
		}
	})
	for k := range s.rows {
		if found&(1<<k) != 0 {
			s.rows[k] += n
		}
	}
	if len(text) < leastLetters {
		return
	}
	if hash <= s.limit {
		s.tell(text, hash, n)
	}
	s.near.add(text, hash, s.most)
}

// tell looks for the language of a text, or counts one of which it is known.
func (s *State) tell(text string, hash uint64, n int64) {
	if at, known := s.sample[hash]; known {
		at.n += n
		s.sample[hash] = at
		return
	}
	if s.sample == nil {
		s.sample = map[uint64]tongue{}
	}
	code := Language(text)
	if code == "" && letters(text) >= leastLetters {
		code = Undetermined
	}
	s.sample[hash] = tongue{code, n}
	s.thin()
}

// thin keeps the sample within its bound: of all texts those with low hashes, which are a fair choice and the same in any order.
func (s *State) thin() {
	for len(s.sample) > s.most && s.limit > 0 {
		s.limit /= 2
		for h := range s.sample {
			if h > s.limit {
				delete(s.sample, h)
			}
		}
	}
}

func (n *nearState) add(text string, hash uint64, most int) {
	if n.full || n.seen[hash] || strings.Count(text, " ") < ShortText {
		return
	}
	sketch := SketchOf(Folded(text))
	if sketch == nil {
		return
	}
	if n.full = len(n.sketches) >= min(most, mostSketched); n.full {
		return
	}
	n.keep(shown(text), hash, sketch)
}

// keep compares a text with those before and adds it to them.
func (n *nearState) keep(text string, hash uint64, sketch Sketch) {
	best, at := 0.0, -1
	own := int32(len(n.sketches))
	for b, band := range sketch.Bands() {
		k := bandKey{at: b}
		for _, h := range band {
			k.hash = k.hash*0x9e3779b97f4a7c15 ^ uint64(h)
		}
		of := n.bands[k]
		for _, i := range of {
			if a := sketch.Alike(n.sketches[i]); a > best {
				best, at = a, int(i)
			}
		}
		if len(of) < mostInBand {
			n.bands[k] = append(of, own)
		}
	}
	if best >= LeastAlike {
		n.found++
		if len(n.pairs) < mostPairs {
			n.pairs = append(n.pairs, [2]string{n.texts[at], text})
		}
	}
	n.seen[hash] = true
	n.hashes, n.texts, n.sketches = append(n.hashes, hash), append(n.texts, text), append(n.sketches, sketch)
}

// shown is the beginning of a text, without personal data.
func shown(text string) string {
	text = Mask(text)
	if len(text) > longestShown {
		cut := longestShown
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// Merge takes the texts that another State has seen into account, which stays as it is.
func (s *State) Merge(o *State) {
	s.most, s.limit = min(s.most, o.most), min(s.limit, o.limit)
	if s.sample == nil {
		s.sample = map[uint64]tongue{}
	}
	for h, t := range o.sample {
		at := s.sample[h]
		s.sample[h] = tongue{t.code, at.n + t.n}
	}
	for h := range s.sample {
		if h > s.limit {
			delete(s.sample, h)
		}
	}
	s.thin()
	for k := range s.rows {
		s.rows[k] += o.rows[k]
		if s.examples[k] == "" {
			s.examples[k] = o.examples[k]
		}
	}
	s.near.merge(o.near, s.most)
}

// merge adds the texts of another, as if they came after those that are there.
func (n *nearState) merge(o *nearState, most int) {
	for i, sketch := range o.sketches {
		if n.full || n.seen[o.hashes[i]] {
			continue
		}
		if n.full = len(n.sketches) >= min(most, mostSketched); !n.full {
			n.keep(o.texts[i], o.hashes[i], sketch)
		}
	}
	n.full = n.full || o.full
}

// Summary is what the texts were like. Duplicates are counted by who counts different values.
func (s *State) Summary(duplicates int64) *Summary {
	out := &Summary{Duplicates: duplicates}
	of, all := map[string]int64{}, int64(0)
	for _, t := range s.sample {
		if t.code != "" {
			of[t.code] += t.n
			all += t.n
		}
	}
	for code, n := range of {
		out.Languages = append(out.Languages, LanguageShare{code, n, float64(n) / float64(all)})
	}
	slices.SortFunc(out.Languages, func(a, b LanguageShare) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Language, b.Language))
	})
	out.Sampled = len(out.Languages) > 0 && s.limit < math.MaxUint64
	for k, n := range s.rows {
		if n > 0 {
			out.Personal = append(out.Personal, Personal{PersonalKinds[k], n, s.examples[k]})
		}
	}
	if n := s.near; len(n.sketches) > 0 {
		out.Near = &Near{Texts: n.found, Of: int64(len(n.sketches)), All: !n.full, Pairs: n.pairs}
	}
	return out
}

// stored is the stored form of a State.
type stored struct {
	Most     int               `json:"most"`
	Limit    uint64            `json:"limit"`
	Sample   []storedText      `json:"sample,omitempty"`
	Rows     map[string]int64  `json:"rows,omitempty"`
	Examples map[string]string `json:"examples,omitempty"`
	// Near are the texts that near duplicates are found among, in their order; Full says that there were more.
	Near []storedNear `json:"near,omitempty"`
	Full bool         `json:"full,omitempty"`
}

// storedNear is a text as it is shown, its hash and its sketch, four bytes for a number, the lowest first.
type storedNear struct {
	Hash   uint64 `json:"hash"`
	Text   string `json:"text"`
	Sketch []byte `json:"sketch"`
}

type storedText struct {
	Hash     uint64 `json:"hash"`
	Language string `json:"language"`
	Rows     int64  `json:"rows"`
}

// MarshalJSON stores a State.
func (s *State) MarshalJSON() ([]byte, error) {
	out := stored{Most: s.most, Limit: s.limit, Rows: map[string]int64{}, Examples: map[string]string{}, Full: s.near.full}
	for i, sketch := range s.near.sketches {
		var b []byte
		for _, h := range sketch {
			b = binary.LittleEndian.AppendUint32(b, h)
		}
		out.Near = append(out.Near, storedNear{s.near.hashes[i], s.near.texts[i], b})
	}
	for h, t := range s.sample {
		out.Sample = append(out.Sample, storedText{h, t.code, t.n})
	}
	slices.SortFunc(out.Sample, func(a, b storedText) int { return cmp.Compare(a.Hash, b.Hash) })
	for k, n := range s.rows {
		if n > 0 {
			out.Rows[PersonalKinds[k]], out.Examples[PersonalKinds[k]] = n, s.examples[k]
		}
	}
	return json.Marshal(out)
}

// Read is a State that MarshalJSON has stored; ok is false for anything else.
func Read(b []byte) (s *State, ok bool) {
	var in stored
	if json.Unmarshal(b, &in) != nil || in.Most < 1 || in.Most > mostSampled || len(in.Sample) > in.Most || len(in.Near) > mostSketched {
		return nil, false
	}
	s = &State{most: in.Most, limit: in.Limit, sample: make(map[uint64]tongue, len(in.Sample)), near: newNear()}
	for _, t := range in.Sample {
		if t.Rows <= 0 || t.Hash > in.Limit || len(t.Language) > 3 {
			return nil, false
		}
		s.sample[t.Hash] = tongue{t.Language, t.Rows}
	}
	for k, kind := range PersonalKinds {
		if s.rows[k], s.examples[k] = in.Rows[kind], shown(masked(in.Examples[kind])); s.rows[k] < 0 {
			return nil, false
		}
	}
	for _, n := range in.Near {
		if len(n.Sketch) != 4*hashes || s.near.seen[n.Hash] {
			return nil, false
		}
		sketch := make(Sketch, hashes)
		for i := range sketch {
			sketch[i] = binary.LittleEndian.Uint32(n.Sketch[4*i:])
		}
		s.near.keep(shown(n.Text), n.Hash, sketch)
	}
	s.near.full = in.Full
	return s, true
}
