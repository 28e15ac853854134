package images

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawn is an image whose pixels a function gives.
func drawn(w, h, bands int, of func(x, y, band int) byte) Frame {
	return Frame{Width: w, Height: h, Bands: bands, Row: func(y int, into []byte) {
		for x := range w {
			for b := range bands {
				into[x*bands+b] = of(x, y, b)
			}
		}
	}}
}

func named(file string, f Frame) Figures {
	out := Measure(f)
	out.File, out.Format, out.Mode = file, "png", map[int]string{1: "L", 3: "RGB", 4: "RGBA"}[f.Bands]
	return out
}

// checkers is a picture with areas of different size, so that it has edges and looks like nothing else.
func checkers(seed, low, high int) func(x, y, b int) byte {
	return func(x, y, b int) byte {
		v := (x/(7+seed)*31 + y/(5+seed)*17 + b*40 + x*y%13 + seed*57) % 256
		return byte(low + v*(high-low)/255)
	}
}

func issuesOf(t *testing.T, f Figures) []string {
	t.Helper()
	_, marks := Summarize([]Figures{f}, nil)
	var out []string
	for k, name := range Names {
		if marks[0][k] {
			out = append(out, name)
		}
	}
	return out
}

func TestEachIssueIsFound(t *testing.T) {
	blurred := func(x, y, _ int) byte { return byte(x/3 + y/4) }
	for name, c := range map[string]struct {
		frame Frame
		want  []string
	}{
		"fine":    {drawn(200, 150, 3, checkers(1, 0, 255)), nil},
		"dark":    {drawn(200, 150, 3, checkers(1, 0, 60)), []string{Dark}},
		"light":   {drawn(200, 150, 3, checkers(1, 246, 255)), []string{Light}},
		"blurry":  {drawn(400, 300, 3, blurred), []string{Blurry}},
		"plain":   {drawn(200, 150, 3, func(_, _, b int) byte { return byte(100 + b) }), []string{LowInformation}},
		"narrow":  {drawn(400, 60, 3, checkers(1, 0, 255)), []string{OddAspectRatio}},
		"gray":    {drawn(200, 150, 1, checkers(1, 0, 255)), []string{Grayscale}},
		"1 pixel": {drawn(1, 1, 3, checkers(1, 200, 255)), []string{Blurry, LowInformation}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, issuesOf(t, named("x", c.frame))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnOddSizeIsOneFarFromTheOthers(t *testing.T) {
	var all []Figures
	for i := range 20 {
		all = append(all, Figures{File: fmt.Sprint(i), Width: 100 + i, Height: 100 + i, Hash: uint64(i), Pixels: [16]byte{byte(i)}})
	}
	all = append(all, Figures{File: "large", Width: 900, Height: 900, Hash: 99, Pixels: [16]byte{99}})
	_, marks := Summarize(all, nil)
	for i, m := range marks {
		if m[at(OddSize)] != (i == 20) {
			t.Errorf("image %d: odd size is %v", i, m[at(OddSize)])
		}
	}
}

func TestDuplicatesAreSets(t *testing.T) {
	a, b := drawn(120, 90, 3, checkers(1, 0, 255)), drawn(120, 90, 3, checkers(9, 0, 255))
	slightly := drawn(120, 90, 3, func(x, y, b int) byte {
		v := checkers(1, 0, 255)(x, y, b)
		return v ^ 1
	})
	all := []Figures{named("a", a), named("b", b), named("a again", a), named("a slightly changed", slightly)}
	r, _ := Summarize(all, nil)
	if d := cmp.Diff([]Set{{2, []string{"a", "a again"}}}, r.ExactSets); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Set{{3, []string{"a", "a again", "a slightly changed"}}}, r.NearSets); d != "" {
		t.Error(d)
	}
	// Images that are the same are not reported twice.
	if r, _ := Summarize(all[:3], nil); len(r.NearSets) != 0 {
		t.Errorf("near sets %v", r.NearSets)
	}
}

func TestImagesOfOtherShapeWithTheSamePixelsAreNotTheSame(t *testing.T) {
	plain := func(_, _, _ int) byte { return 7 }
	if named("a", drawn(10, 20, 3, plain)).Pixels == named("b", drawn(20, 10, 3, plain)).Pixels {
		t.Error("10×20 equals 20×10")
	}
}

func TestSharedImagesAreFound(t *testing.T) {
	var train, test []Figures
	for i := range 12 {
		train = append(train, named(fmt.Sprintf("train%d", i), drawn(160, 120, 3, checkers(i, 0, 255))))
	}
	test = append(test, named("equal", drawn(160, 120, 3, checkers(3, 0, 255))), named("darker", drawn(160, 120, 3, checkers(4, 0, 250))),
		named("new", drawn(160, 120, 3, checkers(40, 0, 255))), named("black", drawn(160, 120, 3, func(_, _, _ int) byte { return 0 })))
	train = append(train, named("dark gray", drawn(160, 120, 3, func(_, _, _ int) byte { return 3 })))
	got := Compare(train, test)
	want := Leaks{Exact: Leak{1, 4, []Pair{{"equal", "train3", 0}}}, Near: Leak{Images: 1, Of: 4}, Plain: 1}
	if len(got.Near.Examples) != 1 || got.Near.Examples[0].Test != "darker" || got.Near.Examples[0].Train != "train4" {
		t.Errorf("near: %+v", got.Near)
	}
	want.Near.Examples = got.Near.Examples
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPercentilesAreThoseOfSortedPixels: brightness is counted, not sorted.
func TestPercentilesAreThoseOfSortedPixels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 30).Draw(t, "w"), rapid.IntRange(1, 30).Draw(t, "h")
		pixels := rapid.SliceOfN(rapid.Byte(), w*h*3, w*h*3).Draw(t, "pixels")
		f := Measure(drawn(w, h, 3, func(x, y, b int) byte { return pixels[(y*w+x)*3+b] }))
		values := make([]float64, w*h)
		for i := range values {
			values[i] = math.Sqrt(float64(squareOf(pixels[3*i], pixels[3*i+1], pixels[3*i+2]))/1000) / 255
		}
		slices.Sort(values)
		for _, c := range []struct{ share, got float64 }{{0.05, f.Bright5}, {0.99, f.Bright99}} {
			if want := percentile(values, c.share); math.Abs(want-c.got) > 1e-12 {
				t.Fatalf("percentile %v is %v, want %v", c.share, c.got, want)
			}
		}
	})
}
