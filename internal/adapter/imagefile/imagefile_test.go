package imagefile

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"levada/internal/core/images"
	"levada/internal/core/table"
)

// picture has areas, and each colour somewhere.
func picture(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x * 5), uint8(y * 3), uint8((x/9 + y/7) * 40), 255})
		}
	}
	return m
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func encoded(t testing.TB, encode func(w *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, dir string) (*Set, []images.Figures) {
	t.Helper()
	s, err := Open(dir)
	if err != nil || s == nil {
		t.Fatalf("open: %v, %v", s, err)
	}
	all, err := s.Figures(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

func TestEveryFormatIsReadAsWhatItIs(t *testing.T) {
	dir := t.TempDir()
	m := picture(60, 40)
	gray := image.NewGray(m.Rect)
	deep := image.NewGray16(m.Rect)
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i % 251)
	}
	seen := image.NewNRGBA(m.Rect)
	copy(seen.Pix, m.Pix)
	seen.Pix[3] = 7
	palette := image.NewPaletted(m.Rect, color.Palette{color.Black, color.White, color.NRGBA{200, 10, 10, 255}})
	for i := range palette.Pix {
		palette.Pix[i] = uint8(i % 3)
	}
	files := map[string]func(w *bytes.Buffer) error{
		"a.jpg":       func(w *bytes.Buffer) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 90}) },
		"gray.jpeg":   func(w *bytes.Buffer) error { return jpeg.Encode(w, gray, nil) },
		"a.png":       func(w *bytes.Buffer) error { return png.Encode(w, m) },
		"gray.png":    func(w *bytes.Buffer) error { return png.Encode(w, gray) },
		"deep.png":    func(w *bytes.Buffer) error { return png.Encode(w, deep) },
		"seen.png":    func(w *bytes.Buffer) error { return png.Encode(w, seen) },
		"palette.png": func(w *bytes.Buffer) error { return png.Encode(w, palette) },
		"a.gif":       func(w *bytes.Buffer) error { return gif.Encode(w, m, nil) },
		"a.bmp":       func(w *bytes.Buffer) error { return bmp.Encode(w, m) },
		"cat/a.tiff":  func(w *bytes.Buffer) error { return tiff.Encode(w, m, nil) },
		"wrong.png":   func(w *bytes.Buffer) error { return jpeg.Encode(w, m, nil) }, // what is inside counts
	}
	for name, encode := range files {
		write(t, dir, name, encoded(t, encode))
	}
	_, all := open(t, dir)
	got := map[string]string{}
	for _, f := range all {
		got[f.File] = f.Format + " " + f.Mode
		if f.Width != 60 || f.Height != 40 || f.Bytes == 0 {
			t.Errorf("%s has %d×%d pixels, %d bytes", f.File, f.Width, f.Height, f.Bytes)
		}
	}
	want := map[string]string{"a.jpg": "jpeg RGB", "gray.jpeg": "jpeg L", "a.png": "png RGB", "gray.png": "png L", "deep.png": "png I;16", "seen.png": "png RGBA",
		"palette.png": "png P", "a.gif": "gif P", "a.bmp": "bmp RGB", "cat/a.tiff": "tiff RGBA", "wrong.png": "jpeg RGB"}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s is %q, want %q", name, got[name], w)
		}
	}
	// The same pixels are the same whatever the format.
	at := func(name string) images.Figures {
		return all[slices.IndexFunc(all, func(f images.Figures) bool { return f.File == name })]
	}
	if at("a.png").Pixels != at("a.bmp").Pixels {
		t.Error("PNG and BMP of one picture differ")
	}
	if n := images.Apart(at("a.png").Hash, at("a.jpg").Hash); n > 2 {
		t.Errorf("the hashes of PNG and JPEG differ in %d bits", n)
	}
}

// pngOf makes a PNG whose header says a size, and whose pixels are as given.
func pngOf(w, h uint32, data []byte) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, b []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(b)))
		sum := crc32.ChecksumIEEE(append([]byte(kind), b...))
		out = append(append(out, kind...), b...)
		out = binary.BigEndian.AppendUint32(out, sum)
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, 8, 2, 0, 0, 0))
	chunk("IDAT", data)
	chunk("IEND", nil)
	return out
}

func TestDamagedAndHostileFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	whole := encoded(t, func(w *bytes.Buffer) error { return png.Encode(w, picture(50, 50)) })
	photo := encoded(t, func(w *bytes.Buffer) error { return jpeg.Encode(w, picture(200, 200), nil) })
	var bomb bytes.Buffer
	z := zlib.NewWriter(&bomb)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"good.png":      whole,
		"cut.png":       whole[:len(whole)/2],
		"cut.jpg":       photo[:len(photo)/2],
		"empty.png":     {},
		"text.jpg":      []byte("this is no image"),
		"bomb.png":      pngOf(100_000, 100_000, bomb.Bytes()),
		"more.png":      pngOf(10, 10, bomb.Bytes()),
		"portrait.heic": []byte("....ftypheic"),
		"none.gif":      []byte("GIF89a\x00\x00\x00\x00\x00\x00\x00"),
	} {
		write(t, dir, name, content)
	}
	s, all := open(t, dir)
	why := map[string]string{}
	for _, b := range s.Images().BrokenFiles {
		why[b.File] = b.Why
	}
	for name, part := range map[string]string{"cut.png": "damaged", "cut.jpg": "damaged", "empty.png": "empty", "text.jpg": "no JPEG", "bomb.png": "100000 × 100000 pixels",
		"portrait.heic": "not read", "none.gif": ""} {
		if w, broken := why[name]; !broken || !strings.Contains(w, part) {
			t.Errorf("%s is broken (%v) because %q, want %q", name, broken, w, part)
		}
	}
	if !slices.ContainsFunc(all, func(f images.Figures) bool { return f.File == "good.png" }) {
		t.Error("good.png was not read")
	}
	found := table.Findings(s.Scan(0))
	if len(found) != 1 || !strings.Contains(found[0].What, "cannot be read") {
		t.Errorf("findings %v", found)
	}
}

func TestImagesAreATable(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cat/1.png", "cat/2.png", "dog/3.png"} {
		write(t, dir, name, encoded(t, func(w *bytes.Buffer) error { return png.Encode(w, picture(30+len(name), 30)) }))
	}
	write(t, dir, "labels.csv", []byte("a,b\n1,2\n"))
	write(t, dir, ".hidden/4.png", []byte("x"))
	s, _ := open(t, dir)
	columns := s.Columns()
	folder := slices.IndexFunc(columns, func(c table.Column) bool { return c.Name == "folder" })
	same := slices.IndexFunc(columns, func(c table.Column) bool { return c.Name == "is_exact_duplicates" })
	b, err := s.Scan(folder, same).Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range b.Size {
		got = append(got, b.Columns[0].Cell(i).Shown()+" "+b.Columns[1].Cell(i).Shown())
	}
	if want := []string{"cat true", "cat true", "dog true"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	if found := s.Findings(); len(found) != 1 || found[0].Count != 1 {
		t.Errorf("findings %v", found)
	}
}

func TestATableIsNoSetOfImages(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.csv", []byte("a\n1\n"))
	write(t, dir, "b.csv", []byte("a\n1\n"))
	write(t, dir, "logo.png", []byte("x"))
	for _, path := range []string{dir, filepath.Join(dir, "a.csv"), filepath.Join(dir, "none")} {
		if s, err := Open(path); s != nil || err != nil {
			t.Errorf("%s: %v, %v", path, s, err)
		}
	}
}

func FuzzImage(f *testing.F) {
	m := picture(20, 12)
	for _, encode := range []func(w *bytes.Buffer) error{
		func(w *bytes.Buffer) error { return jpeg.Encode(w, m, nil) },
		func(w *bytes.Buffer) error { return png.Encode(w, m) },
		func(w *bytes.Buffer) error { return gif.Encode(w, m, nil) },
		func(w *bytes.Buffer) error { return bmp.Encode(w, m) },
		func(w *bytes.Buffer) error { return tiff.Encode(w, m, nil) },
	} {
		f.Add(encoded(f, encode))
	}
	for _, webp := range []string{"UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==", "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"} { // without loss and with
		b, err := base64.StdEncoding.DecodeString(webp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := look(r)
		if err != nil || h.width*h.height > 1<<20 {
			return
		}
		if frame, _, err := h.decode(r); err == nil && frame.Width*frame.Height <= 1<<20 {
			images.Measure(frame)
		}
	})
}
