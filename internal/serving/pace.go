package serving

import (
	"sync"
	"time"
)

// forget is how much of what was seen is kept with each further batch: the last twenty or so count.
const forget = 0.95

// pace knows how long batches take: a fixed time, and a time for each row. It is a line through what was seen, by least squares.
type pace struct {
	mu              sync.Mutex
	n, x, y, xx, xy float64
	most            int64 // rows of the largest batch
}

// add takes in a batch.
func (p *pace) add(rows int64, took time.Duration) {
	x, y := float64(rows), took.Seconds()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.x, p.y = forget*p.n+1, forget*p.x+x, forget*p.y+y
	p.xx, p.xy = forget*p.xx+x*x, forget*p.xy+x*y
	p.most = max(p.most, rows)
}

// rows is how many rows a batch may have to take no longer than bound. What every batch takes, however small, no limit can take away: where it
// is much of the bound, a batch may take twice as long as that, for else the model would do little but begin. ok is false while batches
// of different sizes have not been seen.
func (p *pace) rows(bound time.Duration) (rows int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	spread := p.xx - p.x*p.x/p.n
	if p.n < 4 || spread <= 0.01*p.xx {
		return 0, false
	}
	perRow := (p.xy - p.x*p.y/p.n) / spread
	fixed := min(max(0, (p.y-perRow*p.x)/p.n), p.y/p.n)
	if perRow <= 0 { // more rows take no longer: nothing is known of where they would
		return 2 * p.most, true
	}
	return max(1, int64((max(bound.Seconds(), 2*fixed)-fixed)/perRow)), true
}
