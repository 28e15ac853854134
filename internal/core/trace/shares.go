package trace

import (
	"bytes"
	"slices"
)

// Share is what one span adds to the sums of its trace.
type Share struct {
	id, parent [8]byte
	order      [9]byte
	numbers    [2]map[string]float64 // tokens and costs; nil where the span has none
}

// SharesOf returns what spans add.
func SharesOf(spans []*Span) []Share {
	out := make([]Share, len(spans))
	for i, s := range spans {
		out[i] = Share{id: s.ID, parent: s.Parent, order: orderKey(s)}
		for _, x := range []sums{usage, cost} {
			if v, there := s.Attribute(x.attribute); there {
				out[i].numbers[x.in] = x.parse(plain(v))
			}
		}
	}
	return out
}

// Sums holds what all spans of a trace add, each as it was sent last.
type Sums struct {
	list []Share
	at   map[[8]byte]int
}

// Add takes in spans in the order in which they were sent.
func (s *Sums) Add(sent []Share) {
	if s.at == nil {
		s.at = make(map[[8]byte]int, len(sent))
	}
	for _, one := range sent {
		if i, there := s.at[one.id]; there {
			s.list[i] = one
			continue
		}
		s.at[one.id] = len(s.list)
		s.list = append(s.list, one)
	}
}

// Len is the number of spans.
func (s *Sums) Len() int { return len(s.list) }

func has(shares []Share, x sums) bool {
	return slices.ContainsFunc(shares, func(s Share) bool { return s.numbers[x.in] != nil })
}

// total adds up over the tree of spans. A span that has numbers stands for everything below it: some libraries put sums on the
// parents. It is empty when no span has any.
func (s *Sums) total(x sums) string {
	if !has(s.list, x) {
		return ""
	}
	total := map[string]float64{}
	for _, k := range x.always {
		total[k] = 0
	}
	for _, i := range s.counting(x) {
		for k, v := range s.list[i].numbers[x.in] {
			total[k] += v
		}
	}
	return x.write(total)
}

// counting returns the spans with numbers that have none above them. Sums of fractions depend on the order, so these are in the
// order in which spans are shown.
func (s *Sums) counting(x sums) []int {
	above := make([]covering, len(s.list))
	var out, path []int
	for i := range s.list {
		if s.list[i].numbers[x.in] == nil {
			continue
		}
		if path = s.cover(i, x, above, path[:0]); above[i] == uncovered {
			out = append(out, i)
		}
	}
	if !x.whole {
		slices.SortStableFunc(out, func(a, b int) int { return bytes.Compare(s.list[a].order[:], s.list[b].order[:]) })
	}
	return out
}

// covering says whether there are numbers above a span.
type covering byte

const (
	unknown covering = iota
	asked            // on the way up
	covered
	uncovered
)

// cover goes up from a span until the answer is known, and notes it for all spans on the way. A circle of parents ends the search.
func (s *Sums) cover(i int, x sums, above []covering, path []int) []int {
	answer := uncovered
	for {
		if above[i] != unknown {
			if above[i] == covered {
				answer = covered
			}
			break
		}
		above[i] = asked
		path = append(path, i)
		next, there := s.at[s.list[i].parent]
		if !there || s.list[i].parent == ([8]byte{}) {
			break
		}
		if s.list[next].numbers[x.in] != nil {
			answer = covered
			break
		}
		i = next
	}
	for _, i := range path {
		above[i] = answer
	}
	return path
}
