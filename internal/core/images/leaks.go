package images

import "cmp"

// nearBits is how many bits of the perceptual hash images may differ in to be the same picture in two splits. Saving a picture again at
// another quality changes up to two or three, and unrelated ones differ in about 32.
const nearBits = 3

// Pair is an image of the test set and one of the training set.
type Pair struct {
	Test  string `json:"test"`
	Train string `json:"train"`
	// Bits are those in which their perceptual hashes differ.
	Bits int `json:"bits"`
}

// Leak are images of the test set that are in the training set.
type Leak struct {
	Images   int64  `json:"images"`
	Of       int64  `json:"of"`
	Examples []Pair `json:"examples,omitempty"`
}

// Leaks is what two splits share.
type Leaks struct {
	Exact Leak `json:"exact"`
	// Near are images that look the same and are not equal. Plain ones, which all look the same, are left out and counted.
	Near  Leak  `json:"near"`
	Plain int64 `json:"plain"`
}

// Any reports whether anything is shared.
func (l Leaks) Any() bool { return l.Exact.Images+l.Near.Images > 0 }

// bandsOfHash cut a hash into parts, one more than bits may differ: one part at least of near hashes is equal.
const bandsOfHash = nearBits + 1

type band struct {
	at   int
	bits uint64
}

func bandOf(hash uint64, at int) band {
	const wide = 64 / bandsOfHash
	return band{at, hash >> (at * wide) & (1<<wide - 1)}
}

// Compare says which images of a test set are in the training set.
func Compare(train, test []Figures) Leaks {
	exact, hashes, near := map[[16]byte]int{}, map[uint64]bool{}, map[band][]int{}
	for i, f := range train {
		if _, known := exact[f.Pixels]; !known {
			exact[f.Pixels] = i
		}
		if hashes[f.Hash] || plain(f) {
			continue
		}
		hashes[f.Hash] = true
		for b := range bandsOfHash {
			k := bandOf(f.Hash, b)
			near[k] = append(near[k], i)
		}
	}
	var out Leaks
	out.Exact.Of, out.Near.Of = int64(len(test)), int64(len(test))
	for _, f := range test {
		if i, ok := exact[f.Pixels]; ok {
			out.Exact.found(Pair{Test: f.File, Train: train[i].File})
			continue
		}
		if plain(f) {
			out.Plain++
			continue
		}
		best, bits := -1, nearBits+1
		for b := range bandsOfHash {
			for _, i := range near[bandOf(f.Hash, b)] {
				if n := Apart(f.Hash, train[i].Hash); cmp.Or(cmp.Compare(n, bits), cmp.Compare(i, best)) < 0 {
					best, bits = i, n
				}
			}
		}
		if best >= 0 {
			out.Near.found(Pair{Test: f.File, Train: train[best].File, Bits: bits})
		}
	}
	return out
}

// plain reports whether an image has next to nothing in it that its hash could tell from others.
func plain(f Figures) bool { return max(f.SD[0], f.SD[1], f.SD[2]) < plainSD }

// plainSD is the standard deviation of each channel, from 0 to 255, below which an image is plain.
const plainSD = 2

func (l *Leak) found(p Pair) {
	l.Images++
	if len(l.Examples) < mostExamples {
		l.Examples = append(l.Examples, p)
	}
}
