package images

import "math"

// What follows does to pixels what Pillow does, to the bit: CleanVision's thresholds are about images that Pillow has made small. The
// weights are fixed-point numbers with 22 bits behind the point, and a value between the two passes is a byte.
const weightBits = 22

type size struct{ w, h int }

// kernel is a filter: its support, and its weight at a distance.
type kernel struct {
	support float64
	weight  func(x float64) float64
}

// bicubic is Keys' cubic convolution with a = -1/2.
var bicubic = kernel{2, func(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}}

// lanczos is a sinc in a window of a sinc, three wide.
var lanczos = kernel{3, func(x float64) float64 {
	if x < -3 || x >= 3 {
		return 0
	}
	return sinc(x) * sinc(x/3)
}}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// weights are those of the values from first on that make one value.
type weights struct {
	first int
	of    []int32
}

// weighed returns the weights for each of the values that n are made into.
func weighed(n, into int, k kernel) []weights {
	scale := float64(n) / float64(into)
	wide := max(1, scale)
	support := k.support * wide
	out := make([]weights, into)
	for i := range out {
		center := (float64(i) + 0.5) * scale
		first := max(0, int(center-support+0.5))
		last := min(n, int(center+support+0.5))
		exact, sum := make([]float64, last-first), 0.0
		for x := range exact {
			exact[x] = k.weight((float64(x+first) - center + 0.5) / wide)
			sum += exact[x]
		}
		of := make([]int32, len(exact))
		for x, w := range exact {
			if sum != 0 {
				w /= sum
			}
			of[x] = int32(w*(1<<weightBits) + math.Copysign(0.5, w))
		}
		out[i] = weights{first, of}
	}
	return out
}

// resampler makes an image smaller or larger while its rows go by.
type resampler struct {
	from, to size
	bands    int
	columns  []weights
	rows     []weights
	between  []byte // all rows, of the width that is wanted
	same     bool
}

func newResampler(from, to size, bands int, k kernel) *resampler {
	r := &resampler{from: from, to: to, bands: bands, same: from == to, between: make([]byte, from.h*to.w*bands)}
	r.columns, r.rows = weighed(from.w, to.w, k), weighed(from.h, to.h, k)
	return r
}

func (r *resampler) row(y int, row []byte) {
	out := r.between[y*r.to.w*r.bands : (y+1)*r.to.w*r.bands]
	if r.same || r.from.w == r.to.w {
		copy(out, row)
		return
	}
	for x, w := range r.columns {
		for b := range r.bands {
			sum := int64(1) << (weightBits - 1)
			at := w.first*r.bands + b
			for _, k := range w.of {
				sum += int64(row[at]) * int64(k)
				at += r.bands
			}
			out[x*r.bands+b] = clip(sum >> weightBits)
		}
	}
}

// raster is a small image.
type raster struct {
	w, h   int
	pixels []byte
}

func (r *resampler) finish() raster {
	if r.same || r.from.h == r.to.h {
		return raster{r.to.w, r.to.h, r.between}
	}
	wide := r.to.w * r.bands
	out := make([]byte, r.to.h*wide)
	for y, w := range r.rows {
		for x := range wide {
			sum := int64(1) << (weightBits - 1)
			at := w.first*wide + x
			for _, k := range w.of {
				sum += int64(r.between[at]) * int64(k)
				at += wide
			}
			out[y*wide+x] = clip(sum >> weightBits)
		}
	}
	return raster{r.to.w, r.to.h, out}
}

func clip(v int64) byte { return byte(max(0, min(255, v))) }

// toGray is the luma of ITU-R BT.601, rounded. Alpha has no part in it.
func toGray(into, row []byte, bands int) {
	for x := range into {
		i := x * bands
		into[x] = byte((int(row[i])*19595 + int(row[i+1])*38470 + int(row[i+2])*7471 + 0x8000) >> 16)
	}
}

// premultiply multiplies colours by their alpha, so that what cannot be seen has no part in what is made of them.
func premultiply(into, row []byte) {
	for i := 0; i+3 < len(row); i += 4 {
		alpha := int(row[i+3])
		for b := range 3 {
			t := int(row[i+b])*alpha + 128
			into[i+b] = byte((t>>8 + t) >> 8)
		}
		into[i+3] = row[i+3]
	}
}

// gray is the image without colours. An image with alpha is premultiplied until then.
func (r raster) gray(bands int) []byte {
	if bands == 1 {
		return r.pixels
	}
	if bands == 4 {
		for i := 0; i+3 < len(r.pixels); i += 4 {
			if alpha := int(r.pixels[i+3]); alpha != 0 && alpha != 255 {
				for b := range 3 {
					r.pixels[i+b] = byte(min(255, 255*int(r.pixels[i+b])/alpha))
				}
			}
		}
	}
	out := make([]byte, r.w*r.h)
	toGray(out, r.pixels, bands)
	return out
}

// mostSide is the longer side of the small image whose edges are looked at.
const mostSide = 64

// smallSize is the size of that image. The quotient is rounded down as Python's // of floats does.
func smallSize(w, h int) (int, int) {
	ratio := float64(max(w, h)) / mostSide
	if ratio <= 1 {
		return w, h
	}
	return max(1, floorDivide(float64(w), ratio)), max(1, floorDivide(float64(h), ratio))
}

func floorDivide(a, b float64) int {
	q := (a - math.Mod(a, b)) / b
	floor := math.Floor(q)
	if q-floor > 0.5 {
		floor++
	}
	return int(floor)
}

// edgeSpread is the standard deviation of an image after a 3×3 filter that shows edges (8 in the middle, -1 around). Its border stays.
func edgeSpread(gray []byte, w, h int) float64 {
	var sum, squares float64
	for y := range h {
		for x := range w {
			v := int(gray[y*w+x])
			if w > 2 && h > 2 && x > 0 && y > 0 && x < w-1 && y < h-1 {
				v *= 9
				for dy := -1; dy <= 1; dy++ {
					at := (y+dy)*w + x
					v -= int(gray[at-1]) + int(gray[at]) + int(gray[at+1])
				}
				v = max(0, min(255, v))
			}
			sum += float64(v)
			squares += float64(v * v)
		}
	}
	n := float64(w * h)
	return math.Sqrt(max(0, (squares-sum*sum/n)/n))
}

// graySpread is the standard deviation of the 256 counts of a gray histogram.
func graySpread(gray []byte) float64 {
	var counts [256]float64
	for _, v := range gray {
		counts[v]++
	}
	mean, squares := float64(len(gray))/256, 0.0
	for _, n := range counts {
		squares += (n - mean) * (n - mean)
	}
	return math.Sqrt(squares / 256)
}
