package predict

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"levada/internal/core/fault"
)

// Room is what the large bodies that are in work at one time may have together, so that many of them do not take all memory of the server.
// The doors share one. A nil Room has no bound.
type Room struct {
	most int64
	used atomic.Int64
}

// NewRoom returns a room for so many bytes of bodies.
func NewRoom(bytes int64) *Room { return &Room{most: bytes} }

// small is what a body may have without a place in the room, in bytes.
const small = 1 << 20

// Place is what one request has of a room. The zero value has none and asks for none.
type Place struct {
	room *Room
	has  int64
}

// Place begins a request. Leave gives back what it has taken, when nothing of the request is held any more.
func (r *Room) Place() *Place { return &Place{room: r} }

// Leave gives back what the request has taken.
func (p *Place) Leave() {
	if p.has > 0 {
		p.room.used.Add(-p.has)
		p.has = 0
	}
}

// grow asks for room for a body of so many bytes.
func (p *Place) grow(bytes int64) error {
	if p.room == nil || bytes <= small || bytes <= p.has {
		return nil
	}
	more := bytes - p.has
	if p.room.used.Add(more) > p.room.most {
		p.room.used.Add(-more)
		return fault.Exhaustedf("large requests that are being answered have %d MiB together, which is the most: send this one again later, or fewer rows at once", p.room.most>>20)
	}
	p.has = bytes
	return nil
}

// Body reads the body of a request into buf, which it may replace, and refuses more than limit bytes. What is compressed with gzip or deflate is
// unpacked, and the limit is for what comes out.
func Body(w http.ResponseWriter, r *http.Request, limit int64, place *Place, buf []byte) ([]byte, error) {
	return bodyInTime(w, r, limit, place, buf, readTime, silence)
}

func bodyInTime(w http.ResponseWriter, r *http.Request, limit int64, place *Place, buf []byte, whole, silence time.Duration) (_ []byte, err error) {
	if r.ContentLength > limit {
		return buf, tooLarge(limit)
	}
	// The deadline is for the body alone: while a model works, the connection may be silent. It stays when the body could not be read, because
	// the server reads what is left of it before it answers. A recorder of tests has none to set.
	control := http.NewResponseController(w)
	defer func() {
		if err == nil {
			_ = control.SetReadDeadline(time.Time{})
		}
	}()
	body, err := unpacked(r, newSteady(r.Body, control, whole, silence))
	if err != nil {
		return buf, err
	}
	// Memory follows what came, not what was promised: a client may announce much and send nothing.
	if want := min(r.ContentLength+1, 64<<10); int64(cap(buf)) < want {
		buf = make([]byte, 0, want)
	}
	buf, err = ReadAll(body, limit, place, buf[:0])
	if err != nil && fault.KindOf(err) == fault.Internal {
		err = fault.Invalidf("the body could not be read to its end: %w", err)
	}
	return buf, err
}

// steady reads a body whose client may be silent for a while only, and has to be done at a time: one that stops in the middle of a large body
// does not keep its room for long.
type steady struct {
	io.Reader
	control   *http.ResponseController
	silence   time.Duration
	last, set time.Time // the end of all, and when the deadline was set
}

func newSteady(in io.Reader, control *http.ResponseController, whole, silence time.Duration) *steady {
	return &steady{Reader: in, control: control, silence: silence, last: time.Now().Add(whole)}
}

func (s *steady) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(s.set) > s.silence/8 {
		s.set = now
		deadline := now.Add(s.silence)
		if deadline.After(s.last) {
			deadline = s.last
		}
		_ = s.control.SetReadDeadline(deadline)
	}
	return s.Reader.Read(p)
}

// ReadAll reads to the end, appending to buf, which it may replace: at most limit bytes, as far as there is room.
func ReadAll(in io.Reader, limit int64, place *Place, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			// One byte beyond the limit shows that there is more. It takes no room, so that as many of the largest fit as the room is made for.
			size := min(max(512, 2*int64(cap(buf))), limit+1)
			if err := place.grow(min(size, limit)); err != nil {
				return buf, err
			}
			grown := make([]byte, len(buf), size)
			copy(grown, buf)
			buf = grown
		}
		n, err := in.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return buf, tooLarge(limit)
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// unpacked is the body as its sender has written it: Content-Encoding is gzip, or deflate, which means the format of zlib (RFC 9110,
// section 8.4.1).
func unpacked(r *http.Request, sent io.Reader) (io.Reader, error) {
	encoding := r.Header.Get("Content-Encoding")
	out, err := Unpack(encoding, sent)
	switch {
	case err != nil:
		return nil, fault.Invalidf("the body is said to be encoded as %q and is not: %w", fault.Shorten(encoding, 40), err)
	case out == nil:
		return nil, fault.Invalidf("the body is encoded as %q; gzip and deflate are read, and what is not encoded", fault.Shorten(encoding, 40))
	}
	return out, nil
}

// Unpack reads what an encoding has made; nil where the encoding is not known.
func Unpack(encoding string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return in, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(in)
	case "deflate":
		return zlib.NewReader(in)
	}
	return nil, nil //nolint:nilnil // as the comment says
}

func tooLarge(limit int64) error {
	return fault.TooLargef("the request has more than the %d bytes that are allowed: send fewer rows at once, or raise the setting serving_max_mib", limit)
}

// writeTime bounds how long a client may take for each part of an answer, writePart is how large these are, in bytes.
const (
	writeTime = 60 * time.Second
	writePart = 1 << 20
)

// Write writes an answer whose header was set, and reports whether all of it went out. A client that does not take a part of a large one in time
// is given up, so that it does not keep the memory of the answer; small ones go into the buffers of the system.
func Write(w http.ResponseWriter, parts ...[]byte) (whole bool) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > 64<<10 {
		return writeLarge(w, writeTime, parts)
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return false // the client has gone
		}
	}
	return true
}

func writeLarge(w http.ResponseWriter, limit time.Duration, parts [][]byte) (whole bool) {
	control := http.NewResponseController(w)
	// The connection may be used again, for a stream too. What is left of this answer is behind the deadline, by the flush.
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	for _, p := range parts {
		for len(p) > 0 {
			n := min(len(p), writePart)
			_ = control.SetWriteDeadline(time.Now().Add(limit)) // a recorder of tests has none to set
			if _, err := w.Write(p[:n]); err != nil {
				return false
			}
			p = p[n:]
		}
	}
	_ = control.Flush()
	return true
}
