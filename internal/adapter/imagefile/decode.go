package imagefile

import (
	"bufio"
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"levada/internal/core/images"
)

// codec reads a format.
type codec struct {
	name   string
	begins func(head []byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func magic(texts ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, t := range texts {
			if bytes.HasPrefix(head, []byte(t)) {
				return true
			}
		}
		return false
	}
}

// codecs are those of the formats that are read. A GIF is its first picture.
var codecs = []codec{
	{"jpeg", magic("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode},
	{"png", magic("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode},
	{"gif", magic("GIF87a", "GIF89a"), gif.DecodeConfig, gif.Decode},
	{"webp", func(h []byte) bool {
		return len(h) >= 12 && string(h[:4]) == "RIFF" && string(h[8:12]) == "WEBP"
	}, webp.DecodeConfig, webp.Decode},
	{"bmp", magic("BM"), bmp.DecodeConfig, bmp.Decode},
	{"tiff", magic("II*\x00", "MM\x00*"), tiff.DecodeConfig, tiff.Decode},
}

// header is what is known of an image before it is decoded.
type header struct {
	codec
	format        string
	width, height int
	png           [2]byte // bits of a value, and the type of colours
}

// look reads the beginning of a file: its format, whatever its name says, and its size.
func look(f io.ReadSeeker) (header, error) {
	var h header
	head := make([]byte, 32)
	n, err := io.ReadFull(f, head)
	if err != nil && n == 0 {
		return h, broken("%w", err)
	}
	head = head[:n]
	for _, c := range codecs {
		if c.begins(head) {
			h.codec, h.format = c, c.name
		}
	}
	if h.format == "" {
		return h, broken("the file is no JPEG, PNG, GIF, WebP, BMP or TIFF")
	}
	if h.format == "png" && n > 25 {
		h.png = [2]byte{head[24], head[25]}
	}
	var c image.Config
	err = rewound(f, func(r io.Reader) (err error) {
		c, err = h.config(r)
		return err
	})
	if err != nil {
		return h, broken("the %s is damaged: %w", h.format, err)
	}
	h.width, h.height = c.Width, c.Height
	if c.Width <= 0 || c.Height <= 0 {
		return h, broken("the %s has no pixels", h.format)
	}
	if int64(c.Width)*int64(c.Height) > maxPixels {
		return h, broken("the image has %d × %d pixels; at most %d million are read", c.Width, c.Height, maxPixels/1_000_000)
	}
	return h, nil
}

// rewound reads a file from its beginning.
func rewound(f io.ReadSeeker, do func(io.Reader) error) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return guarded(func() error {
		in := bufio.NewReaderSize(f, 1<<16)
		if at, ok := f.(io.ReaderAt); ok { // TIFF is read at places
			return do(struct {
				io.Reader
				io.ReaderAt
			}{in, at})
		}
		return do(in)
	})
}

// decode gives the pixels, and how they are stored in the words of Pillow.
func (h header) decode(f io.ReadSeeker) (images.Frame, string, error) {
	var m image.Image
	err := rewound(f, func(r io.Reader) (err error) {
		m, err = h.codec.decode(r)
		return err
	})
	if err != nil {
		return images.Frame{}, "", broken("the %s is damaged: %w", h.format, err)
	}
	b := m.Bounds()
	if b.Dx() <= 0 || b.Dy() <= 0 || int64(b.Dx())*int64(b.Dy()) > maxPixels {
		return images.Frame{}, "", broken("the %s has no pixels, or more than its beginning says", h.format)
	}
	mode := h.mode(m)
	frame := images.Frame{Width: b.Dx(), Height: b.Dy(), Bands: bandsOf[mode]}
	frame.Row = rows(m, frame.Bands, h.format == "webp")
	return frame, mode, nil
}

// bandsOf are the bands that the pixels of a mode are read as.
var bandsOf = map[string]int{"1": 1, "L": 1, "I;16": 1, "P": 3, "RGB": 3, "CMYK": 3, "LA": 4, "RGBA": 4}

// mode names how pixels are stored.
func (h header) mode(m image.Image) string {
	if h.format == "png" {
		switch h.png[1] {
		case 0:
			switch h.png[0] {
			case 1:
				return "1"
			case 16:
				return "I;16"
			}
			return "L"
		case 2:
			return "RGB"
		case 3:
			return "P"
		case 4:
			return "LA"
		default:
			return "RGBA"
		}
	}
	switch m := m.(type) {
	case *image.Gray:
		return "L"
	case *image.Gray16:
		return "I;16"
	case *image.Paletted:
		if h.format == "gif" && grayRamp(m.Palette) {
			return "L"
		}
		return "P"
	case *image.CMYK:
		return "CMYK"
	case *image.NRGBA, *image.NRGBA64, *image.NYCbCrA:
		if o, ok := m.(interface{ Opaque() bool }); ok && h.format == "webp" && o.Opaque() {
			return "RGB"
		}
		return "RGBA"
	}
	return "RGB"
}

// grayRamp reports whether each colour of a palette is the gray of its number: the image is a gray one in the clothes of a palette.
func grayRamp(p color.Palette) bool {
	for i, c := range p {
		r, g, b, _ := c.RGBA()
		if r>>8 != uint32(i) || g>>8 != uint32(i) || b>>8 != uint32(i) {
			return false
		}
	}
	return true
}
