package rollout

import (
	"hash/fnv"
	"slices"
	"time"
)

// Past is a request of the past, as it was logged.
type Past struct {
	ID      string
	At      time.Time
	Version string
	Answer
	// Values are those that became known of it, such as its accuracy.
	Values map[string]float64
}

// Windows divides requests of the past into windows, as they would have been observed: the baseline first. There is none for a time without requests. With a single version
// its requests are divided in two by lot, which is the same each time: so a plan can be tried on a version that is as good as the baseline.
func Windows(requests []Past, versions []string, every time.Duration) []Window {
	if len(requests) == 0 {
		return nil
	}
	requests = slices.Clone(requests)
	slices.SortStableFunc(requests, func(a, b Past) int { return a.At.Compare(b.At) })
	first, arms := requests[0].At, max(2, len(versions))
	var out []Window
	for _, r := range requests {
		arm := slices.Index(versions, r.Version)
		switch {
		case arm < 0:
			continue
		case len(versions) == 1:
			arm = lot(r.ID)
		}
		if len(out) == 0 || !r.At.Before(out[len(out)-1].To) {
			from := first.Add(r.At.Sub(first) / every * every)
			w := Window{From: from, To: from.Add(every)}
			for range arms {
				w.Arms = append(w.Arms, NewArm())
			}
			out = append(out, w)
		}
		a := &out[len(out)-1].Arms[arm]
		a.Count(r.Answer)
		for name, v := range r.Values {
			a.Value(name, v)
		}
	}
	return out
}

// lot divides ids in two.
func lot(id string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	z := h.Sum64()
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9 // the last bits of FNV depend on the last letters alone
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int(z >> 63)
}
