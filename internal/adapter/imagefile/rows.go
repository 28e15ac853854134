package imagefile

import (
	"image"
	"image/color"
)

// rows returns what writes a row of an image as bytes. Values of 16 bits are their higher eight, as Pillow has them.
func rows(m image.Image, bands int, video bool) func(y int, into []byte) {
	b := m.Bounds()
	switch m := m.(type) {
	case *image.Gray:
		if bands == 1 {
			return func(y int, into []byte) { copy(into, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]) }
		}
	case *image.RGBA:
		return func(y int, into []byte) { pick(into, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], bands, 4, 1) }
	case *image.NRGBA:
		return func(y int, into []byte) { pick(into, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], bands, 4, 1) }
	case *image.RGBA64:
		return func(y int, into []byte) { pick(into, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], bands, 8, 2) }
	case *image.NRGBA64:
		return func(y int, into []byte) { pick(into, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], bands, 8, 2) }
	case *image.Gray16:
		return func(y int, into []byte) { pick(into, m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):], bands, 2, 2) }
	case *image.YCbCr:
		return func(y int, into []byte) { convert(into, m, b.Min.Y+y, bands, video) }
	case *image.NYCbCrA:
		return func(y int, into []byte) {
			convert(into, &m.YCbCr, b.Min.Y+y, bands, video)
			for x := range b.Dx() * (bands / 4) { // none where alpha has no part
				into[x*bands+3] = m.A[m.AOffset(b.Min.X+x, b.Min.Y+y)]
			}
		}
	case *image.Paletted:
		return palette(m, bands)
	}
	return func(y int, into []byte) {
		for x := range b.Dx() {
			c, _ := color.NRGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			copy(into[x*bands:(x+1)*bands], []byte{c.R, c.G, c.B, c.A})
		}
	}
}

// pick takes the first bands of each pixel; a pixel has so many bytes, and a value has wide of them, the highest first.
func pick(into, from []byte, bands, pixel, wide int) {
	for x := range len(into) / bands {
		for c := range bands {
			into[x*bands+c] = from[x*pixel+c*wide]
		}
	}
}

func palette(m *image.Paletted, bands int) func(y int, into []byte) {
	colours := make([][4]byte, 256)
	for i, c := range m.Palette {
		if n, ok := color.NRGBAModel.Convert(c).(color.NRGBA); ok && i < len(colours) {
			colours[i] = [4]byte{n.R, n.G, n.B, n.A}
		}
	}
	b := m.Bounds()
	return func(y int, into []byte) {
		from := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
		for x := range b.Dx() {
			copy(into[x*bands:(x+1)*bands], colours[from[x]][:])
		}
	}
}

// convert makes colours of luma and chroma. Those of a WebP have the range of video.
func convert(into []byte, m *image.YCbCr, y, bands int, video bool) {
	for x := range m.Rect.Dx() {
		at, chroma := m.YOffset(m.Rect.Min.X+x, y), m.COffset(m.Rect.Min.X+x, y)
		l, cb, cr := m.Y[at], m.Cb[chroma], m.Cr[chroma]
		var r, g, b byte
		if video {
			r, g, b = videoColour(int(l), int(cb), int(cr))
		} else {
			r, g, b = color.YCbCrToRGB(l, cb, cr)
		}
		p := into[x*bands:]
		p[0], p[1], p[2] = r, g, b
	}
}

// videoColour is a colour of ITU-R BT.601 with luma from 16 to 235, in fixed-point numbers with 14 bits behind the point of which the
// products keep six.
func videoColour(y, u, v int) (r, g, b byte) {
	l := y * 19077 >> 8
	clip := func(v int) byte { return byte(max(0, min(255, v>>6))) }
	return clip(l + v*26149>>8 - 14234), clip(l - u*6419>>8 - v*13320>>8 + 8708), clip(l + u*33050>>8 - 17685)
}
