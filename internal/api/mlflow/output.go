package mlflow

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// appender is an answer that encodes itself, because it is large or asked for often.
type appender interface{ appendTo(out *output) }

// output is an answer on its way: what is in bytes is sent whenever it is much, so that an answer of any size takes little
// memory.
type output struct {
	bytes  []byte
	w      http.ResponseWriter
	status int
	// begun says that a part was sent: its status cannot be changed any more.
	begun bool
	err   error
}

// sendAbove is how many bytes are gathered, and keptAbove how large a buffer may be that is used again.
const (
	sendAbove = 64 << 10
	keptAbove = 2 * sendAbove
)

// errGone is wrapped by what goes wrong with the connection.
var errGone = errors.New("the answer could not be sent")

func (o *output) reset(w http.ResponseWriter, status int) {
	if cap(o.bytes) > keptAbove {
		o.bytes = nil
	}
	*o = output{bytes: o.bytes[:0], w: w, status: status}
}

// spill sends what was gathered when it is much. It is called between the elements of a list.
func (o *output) spill() {
	if len(o.bytes) > sendAbove {
		o.send()
	}
}

func (o *output) send() {
	if o.err != nil {
		o.bytes = o.bytes[:0]
		return
	}
	if !o.begun {
		o.w.Header().Set("Content-Type", "application/json")
		o.w.WriteHeader(o.status)
		o.begun = true
	}
	if _, err := o.w.Write(o.bytes); err != nil {
		o.err = fmt.Errorf("%w: %w", errGone, err)
	}
	o.bytes = o.bytes[:0]
}

// end sends the rest and returns what went wrong.
func (o *output) end() error {
	if !o.begun && o.err == nil {
		o.w.Header().Set("Content-Length", strconv.Itoa(len(o.bytes)))
	}
	o.send()
	o.w = nil
	return o.err
}
