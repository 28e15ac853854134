package tabular

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"levada/internal/core/fault"
)

// inflater decompresses pages. It keeps what is costly to make.
type inflater struct {
	zstd *zstd.Decoder
	gzip *gzip.Reader
}

func (f *inflater) close() {
	if f.zstd != nil {
		f.zstd.Close()
	}
}

// inflate decompresses a page to the size that its header gives, and never further. It may use dst, not what is in it.
func (f *inflater) inflate(dst, b []byte, codec int, size int64) ([]byte, error) {
	if size < 0 || size > maxPage {
		return nil, errDamaged
	}
	switch codec {
	case 0:
		return b, nil
	case 1: // Snappy
		if n, err := s2.DecodedLen(b); err != nil || int64(n) != size {
			return nil, errDamaged
		}
		out, err := s2.Decode(dst[:cap(dst)], b)
		if err != nil {
			return nil, errDamaged
		}
		return out, nil
	case 2:
		var err error
		if f.gzip == nil {
			f.gzip, err = gzip.NewReader(bytes.NewReader(b))
		} else {
			err = f.gzip.Reset(bytes.NewReader(b))
		}
		if err != nil {
			return nil, errDamaged
		}
		return toTheByte(dst, f.gzip, size)
	case 6:
		if err := f.open(maxPage); err != nil {
			return nil, err
		}
		out, err := f.zstd.DecodeAll(b, dst[:0])
		if err != nil || int64(len(out)) != size {
			return nil, errDamaged
		}
		return out, nil
	}
	name := map[int]string{3: "LZO", 4: "Brotli", 5: "LZ4", 7: "LZ4"}[codec]
	return nil, fault.Invalidf("its compression %s (number %d) is not known here; write the file with Snappy, Zstandard or gzip", name, codec)
}

// open makes a decoder of Zstandard that makes no more than so many bytes.
func (f *inflater) open(most uint64) error {
	if f.zstd != nil {
		return nil
	}
	var err error
	f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(most+1<<20), zstd.WithDecoderMaxWindow(maxPage),
		zstd.WithDecoderLowmem(true))
	return err
}

// zstandard decompresses a buffer of Arrow to the size that stands before it.
func (f *inflater) zstandard(b []byte, size int64) ([]byte, error) {
	if err := f.open(maxArrowBuffer); err != nil {
		return nil, err
	}
	out, err := f.zstd.DecodeAll(b, nil)
	if err != nil || int64(len(out)) != size {
		return nil, errArrow
	}
	return out, nil
}

func toTheByte(dst []byte, z io.Reader, size int64) ([]byte, error) {
	out := bytes.NewBuffer(dst[:0])
	n, err := io.Copy(out, io.LimitReader(z, size+1))
	if err != nil || n != size {
		return nil, errDamaged
	}
	return out.Bytes(), nil
}
