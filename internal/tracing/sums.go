package tracing

import (
	"sync"

	"levada/internal/core/trace"
)

// maxKept bounds the spans whose numbers are kept in memory, of all traces together; each takes some hundred bytes.
const maxKept = 200_000

// kept holds the numbers of spans of traces that grow, so that a span that comes alone does not make the writer read all that came
// before it. The database decides whether they are right: what it counts of a trace grows with each batch.
type kept struct {
	mu     sync.Mutex
	traces map[string]keptSums
	spans  int
}

type keptSums struct {
	spans, bytes int64
	sums         *trace.Sums
	n            int
}

// take removes what is kept of a trace and returns it if it is of a trace with these counts; else nil.
func (k *kept) take(id string, spans, bytes int64) *trace.Sums {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, there := k.traces[id]
	if !there {
		return nil
	}
	delete(k.traces, id)
	k.spans -= one.n
	if one.spans != spans || one.bytes != bytes {
		return nil
	}
	return one.sums
}

// keep notes the sums of a trace that has these counts now. Others, no matter which, make room for it.
func (k *kept) keep(id string, spans, bytes int64, sums *trace.Sums) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.traces == nil {
		k.traces = map[string]keptSums{}
	}
	k.spans += sums.Len() - k.traces[id].n
	for other, one := range k.traces {
		if k.spans <= maxKept {
			break
		}
		if other != id {
			delete(k.traces, other)
			k.spans -= one.n
		}
	}
	k.traces[id] = keptSums{spans, bytes, sums, sums.Len()}
}
