// Package images says what images are like, and which of them are of little use to a model.
//
// It measures the pixels of one image after the other, marks the nine issues of CleanVision by its formulas and thresholds, finds
// duplicates, and images that two sets share. The package is pure: it knows neither files nor how images are encoded; adapter/imagefile
// reads them. Start reading at Measure, then at Summarize.
package images

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
)

// Frame is a decoded image. Its rows are read one after the other, so that there is no second copy of a large image.
type Frame struct {
	Width, Height int
	// Bands are the values of a pixel: 1 for gray, 3 for red, green and blue, 4 with alpha (not multiplied into the others).
	Bands int
	// Row writes the Width×Bands bytes of a row.
	Row func(y int, into []byte)
}

// Figures are what was measured of an image.
type Figures struct {
	File   string
	Format string
	// Mode is how pixels are stored, in the words of Pillow: L is gray, RGB, RGBA, P a palette, 1 black and white, I;16, LA, CMYK.
	Mode          string
	Width, Height int
	Bytes         int64 // of the file

	// Brightness is that of the mean colour, from 0 to 1; Dark and Light the percentiles 99 and 5 of the brightness of the pixels.
	Brightness, Bright99, Bright5 float64
	// Entropy is that of the values of all bands together, in bits.
	Entropy float64
	// Edges is the standard deviation of the image's edges when it is small and gray, and GraySpread that of its gray histogram.
	Edges, GraySpread float64
	// Mean and SD are those of red, green and blue, from 0 to 255. Gray images have the same three times.
	Mean, SD [3]float64
	// Colourless says that red, green and blue are equal in each pixel.
	Colourless bool
	// Pixels is a digest of size and pixels; Hash is the perceptual hash of 64 bits.
	Pixels [16]byte
	Hash   uint64
}

// Measure looks at all pixels. It reads the rows twice.
func Measure(f Frame) Figures {
	m := newMeasure(f)
	row := make([]byte, f.Width*f.Bands)
	for y := range f.Height {
		f.Row(y, row)
		m.row(y, row)
	}
	out := Figures{Width: f.Width, Height: f.Height, Colourless: m.colourless}
	copy(out.Pixels[:], m.digest.Sum(nil))
	m.channels(&out)
	out.Entropy = m.entropy()
	out.Bright5, out.Bright99 = m.brightness(row)
	small := m.small.finish()
	gray := small.gray(f.Bands)
	out.Edges, out.GraySpread = edgeSpread(gray, m.small.to.w, m.small.to.h), graySpread(gray)
	out.Hash = perceptual(m.low.finish().pixels)
	return out
}

// measure is what is kept while the rows go by.
type measure struct {
	frame      Frame
	counts     [4][256]int64 // of the values of each band
	coarse     []int64       // of the brightness of the pixels, in steps of 1<<fineBits
	digest     hash.Hash
	small      *resampler
	low        *resampler // of which the perceptual hash is made
	luma       []byte
	scaled     []byte // premultiplied by alpha
	colourless bool
}

// The brightness of a pixel is the square root of 0.241 red² + 0.691 green² + 0.068 blue². In thousandths its square is a whole
// number, which can be counted: percentiles are then exact without sorting.
const (
	weightRed, weightGreen, weightBlue = 241, 691, 68
	fineBits                           = 10
	mostSquare                         = 1000 * 255 * 255
)

func squareOf(r, g, b byte) int {
	return weightRed*int(r)*int(r) + weightGreen*int(g)*int(g) + weightBlue*int(b)*int(b)
}

func newMeasure(f Frame) *measure {
	m := &measure{frame: f, digest: sha256.New(), colourless: true}
	head := binary.LittleEndian.AppendUint32(nil, uint32(f.Width))
	head = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(head, uint32(f.Height)), uint32(f.Bands))
	_, _ = m.digest.Write(head) // a hash never fails
	if f.Bands > 1 {
		m.coarse = make([]int64, mostSquare>>fineBits+1)
	}
	w, h := smallSize(f.Width, f.Height)
	m.small = newResampler(size{f.Width, f.Height}, size{w, h}, f.Bands, bicubic)
	m.low = newResampler(size{f.Width, f.Height}, size{hashSide, hashSide}, 1, lanczos)
	m.luma = make([]byte, f.Width)
	if f.Bands == 4 {
		m.scaled = make([]byte, f.Width*4)
	}
	return m
}

func (m *measure) row(y int, row []byte) {
	_, _ = m.digest.Write(row)
	bands := m.frame.Bands
	switch bands {
	case 1:
		for _, v := range row {
			m.counts[0][v]++
		}
		m.low.row(y, row)
		m.small.row(y, row)
		return
	case 3:
		for i := 0; i+2 < len(row); i += 3 {
			m.pixel(row[i], row[i+1], row[i+2])
		}
	case 4:
		for i := 0; i+3 < len(row); i += 4 {
			m.pixel(row[i], row[i+1], row[i+2])
			m.counts[3][row[i+3]]++
		}
	}
	toGray(m.luma, row, bands)
	m.low.row(y, m.luma)
	if bands == 4 {
		premultiply(m.scaled, row)
		row = m.scaled
	}
	m.small.row(y, row)
}

func (m *measure) pixel(r, g, b byte) {
	m.counts[0][r]++
	m.counts[1][g]++
	m.counts[2][b]++
	m.coarse[squareOf(r, g, b)>>fineBits]++
	m.colourless = m.colourless && r == g && g == b
}

// channels are mean and standard deviation of red, green and blue, and the brightness of the mean.
func (m *measure) channels(out *Figures) {
	for c := range 3 {
		counts := &m.counts[c]
		if m.frame.Bands == 1 {
			counts = &m.counts[0]
		}
		var n, sum, squares float64
		for v, k := range counts {
			n += float64(k)
			sum += float64(k) * float64(v)
			squares += float64(k) * float64(v*v)
		}
		out.Mean[c] = sum / n
		out.SD[c] = math.Sqrt(max(0, squares/n-out.Mean[c]*out.Mean[c]))
	}
	r, g, b := out.Mean[0], out.Mean[1], out.Mean[2]
	out.Brightness = math.Sqrt((weightRed*r*r+weightGreen*g*g+weightBlue*b*b)/1000) / 255
}

// entropy is that of Pillow's Image.entropy: of one histogram that has the values of each band in a part of its own.
func (m *measure) entropy() float64 {
	all := float64(m.frame.Width) * float64(m.frame.Height) * float64(m.frame.Bands)
	e := 0.0
	for c := range m.frame.Bands {
		for _, n := range m.counts[c] {
			if n > 0 {
				p := float64(n) / all
				e -= p * math.Log2(p)
			}
		}
	}
	return e
}

// brightness returns the percentiles 5 and 99 of the brightness of the pixels, between two values in proportion, as numpy does.
func (m *measure) brightness(row []byte) (p5, p99 float64) {
	n := int64(m.frame.Width) * int64(m.frame.Height)
	ranks := make([]int64, 0, 4)
	shares := [2]float64{0.05, 0.99}
	for _, s := range shares {
		at := int64(s * float64(n-1))
		ranks = append(ranks, at, min(at+1, n-1))
	}
	values := m.atRanks(ranks, row)
	out := [2]float64{}
	for i, s := range shares {
		at := s * float64(n-1)
		low, high := values[2*i], values[2*i+1]
		out[i] = low + (high-low)*(at-math.Floor(at))
	}
	return out[0], out[1]
}

// atRanks returns the brightness of the pixels at some ranks. The steps that hold them are found first, then counted finely in a
// second reading.
func (m *measure) atRanks(ranks []int64, row []byte) []float64 {
	out := make([]float64, len(ranks))
	if m.frame.Bands == 1 {
		for i, rank := range ranks {
			v, _ := find(m.counts[0][:], rank)
			out[i] = float64(v) / 255
		}
		return out
	}
	fine := map[int][]int64{}
	steps, within := make([]int, len(ranks)), make([]int64, len(ranks))
	for i, rank := range ranks {
		steps[i], within[i] = find(m.coarse, rank)
		fine[steps[i]] = make([]int64, 1<<fineBits)
	}
	wanted := make([]bool, len(m.coarse))
	for step := range fine {
		wanted[step] = true
	}
	for y := range m.frame.Height {
		m.frame.Row(y, row)
		for i := 0; i < len(row); i += m.frame.Bands {
			if s := squareOf(row[i], row[i+1], row[i+2]); wanted[s>>fineBits] {
				fine[s>>fineBits][s&(1<<fineBits-1)]++
			}
		}
	}
	for i, step := range steps {
		v, _ := find(fine[step], within[i])
		out[i] = math.Sqrt(float64(step<<fineBits+v)/1000) / 255
	}
	return out
}

// find returns the place of a histogram that holds a rank from 0, and the rank within it.
func find(counts []int64, rank int64) (at int, within int64) {
	for i, n := range counts {
		if rank < n {
			return i, rank
		}
		rank -= n
	}
	return len(counts) - 1, 0
}
