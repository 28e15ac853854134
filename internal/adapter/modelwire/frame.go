// Package modelwire is the protocol between the server and the workers that have a model loaded: frames with a small JSON header and buffers.
//
// python/modelworker.py describes it; this is the one writing of it in Go, for both sides. It knows no model and no process. Start
// reading at Read and AppendHead.
package modelwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// The kinds of frames; python/modelworker.py describes the protocol.
const (
	KindLoad    = 1
	KindPredict = 2
	KindCheck   = 3
	KindOK      = 16
	KindRaised  = 17
	KindFailed  = 18
)

// FixedBytes are those of a frame after its length and before the sizes of its buffers.
const FixedBytes = 16

// The largest frame in bytes, and the most buffers in one.
const (
	MaxFrame  = 1 << 30
	MaxParts  = 1<<16 - 1
	maxHeader = 16 << 20
)

// Frame is what came from a worker. Its buffers share one piece of memory.
type Frame struct {
	ID      uint32
	Kind    uint16
	Rows    uint32 // of the batch: what -1 as first dimension in the header stands for
	Header  []byte
	Buffers [][]byte
}

// ErrGarbage is wrapped by the errors that tell of what is no frame, or not the one that was waited for.
var ErrGarbage = errors.New("the worker answered what is not in its protocol")

// Read reads a frame. head is a scratch of four bytes.
func Read(r io.Reader, head []byte) (Frame, error) {
	var f Frame
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return f, err
	}
	n := binary.LittleEndian.Uint32(head)
	if n < FixedBytes || n > MaxFrame {
		return f, fmt.Errorf("%w: a frame of %d bytes", ErrGarbage, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return f, err
	}
	return f, f.decode(body)
}

func (f *Frame) decode(body []byte) error {
	f.ID, f.Kind = binary.LittleEndian.Uint32(body), binary.LittleEndian.Uint16(body[4:])
	parts, head := int(binary.LittleEndian.Uint16(body[6:])), int(binary.LittleEndian.Uint32(body[12:]))
	f.Rows = binary.LittleEndian.Uint32(body[8:])
	at := FixedBytes + 8*parts
	if head > maxHeader || at+head > len(body) {
		return fmt.Errorf("%w: a header of %d bytes in a frame of %d", ErrGarbage, head, len(body))
	}
	sizes := body[FixedBytes:at]
	f.Header = body[at : at+head]
	rest := body[at+head:]
	f.Buffers = make([][]byte, parts)
	for i := range f.Buffers {
		size := binary.LittleEndian.Uint64(sizes[8*i:])
		if size > uint64(len(rest)) {
			return fmt.Errorf("%w: a buffer of %d bytes where %d are left", ErrGarbage, size, len(rest))
		}
		f.Buffers[i] = rest[:size:size]
		rest = rest[min(int(size)+Padding(int(size)), len(rest)):]
	}
	return nil
}

// Padding is how many zeros follow n bytes of a buffer.
func Padding(n int) int { return -n & 7 }

// AppendHead appends everything of a frame before its buffers; the length is filled in by Finish.
func AppendHead(b []byte, id uint32, kind uint16, rows uint32, header []byte, sizes []uint64) []byte {
	head := len(header)
	pad := Padding(FixedBytes + 8*len(sizes) + head)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(sizes)))
	b = binary.LittleEndian.AppendUint32(b, rows)
	b = binary.LittleEndian.AppendUint32(b, uint32(head+pad))
	for _, n := range sizes {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = append(b, header...)
	return append(b, "       "[:pad]...)
}

// Finish fills in the length of the only frame in b.
func Finish(b []byte) []byte {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// Check says whether the bytes of an output are what its type and shape promise.
func Check(t *infer.Tensor) error {
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return err
	}
	width := int64(t.Datatype.Width())
	switch {
	case width < 0:
		return fmt.Errorf("there is no datatype %q", fault.Shorten(string(t.Datatype), 40))
	case width > 0 && (n > int64(len(t.Data)) || n*width != int64(len(t.Data))):
		return fmt.Errorf("shape %v of %s has %d bytes", t.Shape, t.Datatype, len(t.Data))
	case width == 0 && textBytes(t.Data, n) != int64(len(t.Data)):
		return fmt.Errorf("shape %v of BYTES does not fit its %d bytes", t.Shape, len(t.Data))
	}
	return nil
}

// textBytes is how many bytes n elements of a BYTES tensor have; -1 where they are not there.
func textBytes(data []byte, n int64) int64 {
	at := int64(0)
	for range n {
		if int64(len(data)) < at+4 {
			return -1
		}
		at += 4 + int64(binary.LittleEndian.Uint32(data[at:]))
		if at > int64(len(data)) {
			return -1
		}
	}
	return at
}
