package images

import (
	"encoding/hex"
	"fmt"

	"levada/internal/core/table"
)

// Table makes a table of images, one in a row: its figures, and which issues it has. What is known of tables is known of images then:
// expectations, drift, differences.
func Table(all []Figures, marks []Marks) table.Memory {
	n := len(all)
	var m table.Memory
	text := func(name string, of func(f Figures) string) {
		v := table.Vector{Kind: table.Text, Size: n, Texts: make([]string, n)}
		for i, f := range all {
			v.Texts[i] = of(f)
		}
		m.Names, m.Vectors = append(m.Names, table.Column{Name: name}), append(m.Vectors, v)
	}
	whole := func(name string, of func(f Figures) int64) {
		v := table.Vector{Kind: table.Integer, Size: n, Ints: make([]int64, n)}
		for i, f := range all {
			v.Ints[i] = of(f)
		}
		m.Names, m.Vectors = append(m.Names, table.Column{Name: name}), append(m.Vectors, v)
	}
	number := func(name string, of func(f Figures) float64) {
		v := table.Vector{Kind: table.Number, Size: n, Floats: make([]float64, n)}
		for i, f := range all {
			v.Floats[i] = of(f)
		}
		m.Names, m.Vectors = append(m.Names, table.Column{Name: name}), append(m.Vectors, v)
	}
	text("file", func(f Figures) string { return f.File })
	text("folder", func(f Figures) string { return Folder(f.File) })
	text("format", func(f Figures) string { return f.Format })
	text("mode", func(f Figures) string { return f.Mode })
	whole("width", func(f Figures) int64 { return int64(f.Width) })
	whole("height", func(f Figures) int64 { return int64(f.Height) })
	whole("bytes", func(f Figures) int64 { return f.Bytes })
	number("aspect_ratio", func(f Figures) float64 { return float64(f.Width) / float64(f.Height) })
	number("brightness", func(f Figures) float64 { return f.Brightness })
	number("entropy", func(f Figures) float64 { return f.Entropy })
	number("sharpness", func(f Figures) float64 { return f.Edges })
	for c, name := range []string{"red", "green", "blue"} {
		number(name+"_mean", func(f Figures) float64 { return f.Mean[c] })
		number(name+"_sd", func(f Figures) float64 { return f.SD[c] })
	}
	text("pixels", func(f Figures) string { return hex.EncodeToString(f.Pixels[:]) })
	text("phash", func(f Figures) string { return fmt.Sprintf("%016x", f.Hash) })
	for k, name := range Names {
		v := table.Vector{Kind: table.Boolean, Size: n, Ints: make([]int64, n)}
		for i := range marks {
			if marks[i][k] {
				v.Ints[i] = 1
			}
		}
		m.Names, m.Vectors = append(m.Names, table.Column{Name: "is_" + name}), append(m.Vectors, v)
	}
	return m
}
