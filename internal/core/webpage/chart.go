package webpage

import (
	"fmt"
	"math"
	"strings"
)

// The size of a chart in pixels, and what is left free for its axes.
const (
	chartWidth, chartHeight = 420, 170
	left, right, top, under = 52, 8, 8, 18
)

// mostMarked is up to how many points of a line are marked.
const mostMarked = 12

// XY is a point of a line.
type XY struct{ X, Y float64 }

// Line is a line of a chart. Class is "r" for the reference and "c" for what is compared with it. Low and High, where they are given, are an
// interval around each point.
type Line struct {
	Name, Class string
	Points      []XY
	Low, High   []float64
}

// Chart is a chart of lines, or of steps between edges.
type Chart struct {
	Title string
	// LogX and LogY are for axes whose values are all above 0.
	LogX, LogY bool
	Lines      []Line
	// Marks are horizontal lines, each with its name.
	Marks []Mark
	// X writes a value of the x axis.
	X func(float64) string
}

// Mark is a horizontal line.
type Mark struct {
	Y    float64
	Name string
}

// scale maps values to pixels.
type scale struct {
	low, high, from, to float64
	log                 bool
}

func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	if high == low {
		return (s.from + s.to) / 2
	}
	return s.from + (v-low)/(high-low)*(s.to-s.from)
}

// shown reports whether a value can be drawn.
func (s scale) shown(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!s.log || v > 0)
}

// spread finds the ends of an axis.
func spread(log bool, each func(func(float64))) (low, high float64, any bool) {
	low, high = math.Inf(1), math.Inf(-1)
	s := scale{log: log}
	each(func(v float64) {
		if s.shown(v) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	})
	return low, high, low <= high
}

// Chart draws a chart; nothing where it has no points.
func (p *Writer) Chart(c Chart) {
	xl, xh, anyX := spread(c.LogX, func(add func(float64)) {
		for _, l := range c.Lines {
			for _, q := range l.Points {
				add(q.X)
			}
		}
	})
	yl, yh, anyY := spread(c.LogY, func(add func(float64)) {
		for _, l := range c.Lines {
			for i, q := range l.Points {
				add(q.Y)
				if l.Low != nil {
					add(l.Low[i])
					add(l.High[i])
				}
			}
		}
		for _, m := range c.Marks {
			add(m.Y)
		}
	})
	if !anyX || !anyY {
		return
	}
	x := scale{xl, xh, left, chartWidth - right, c.LogX}
	y := scale{yl, yh, chartHeight - under, top, c.LogY}
	p.Rawf("<figure><figcaption>%s</figcaption><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"%s\">", Escape(c.Title), chartWidth, chartHeight, Escape(c.sentence()))
	p.axes(x, y, c.X)
	for _, m := range c.Marks {
		if y.shown(m.Y) {
			at := y.at(m.Y)
			p.Rawf("<line class=m x1=%d x2=%d y1=%.1f y2=%.1f /><text x=%d y=%.1f text-anchor=end>%s</text>", left, chartWidth-right, at, at, chartWidth-right, math.Max(8, at-3), Escape(m.Name))
		}
	}
	for _, l := range c.Lines {
		p.line(l, x, y)
	}
	p.Raw("</svg></figure>")
}

// sentence is the chart for who cannot see it.
func (c Chart) sentence() string {
	parts := []string{c.Title}
	for _, l := range c.Lines {
		if n := len(l.Points); n > 0 {
			parts = append(parts, fmt.Sprintf("%s ends at %s", l.Name, Figure(l.Points[n-1].Y)))
		}
	}
	return strings.Join(parts, "; ")
}

func (p *Writer) axes(x, y scale, words func(float64) string) {
	p.Rawf("<path class=a d=\"M%d %dV%dH%d\" />", left, top, chartHeight-under, chartWidth-right)
	label := func(at float64, text string) {
		p.Rawf("<text x=%d y=%.1f text-anchor=end>%s</text>", left-4, at+3, Escape(text))
	}
	label(y.to, Figure(y.high))
	if y.low != y.high {
		label(y.from, Figure(y.low))
	}
	if words == nil {
		words = Figure
	}
	p.Rawf("<text x=%d y=%d>%s</text>", left, chartHeight-5, Escape(words(x.low)))
	if x.low != x.high {
		p.Rawf("<text x=%d y=%d text-anchor=end>%s</text>", chartWidth-right, chartHeight-5, Escape(words(x.high)))
	}
}

// line draws a line with its interval behind it.
func (p *Writer) line(l Line, x, y scale) {
	var path, upper, lower strings.Builder
	var back []string
	few := len(l.Points) <= mostMarked // one alone would not be seen as a line
	for i, q := range l.Points {
		if !x.shown(q.X) || !y.shown(q.Y) {
			continue
		}
		if few {
			p.Rawf("<circle class=%s cx=%.1f cy=%.1f r=2.5 />", l.Class, x.at(q.X), y.at(q.Y))
			if l.Low != nil && y.shown(l.Low[i]) && y.shown(l.High[i]) {
				p.Rawf("<line class=\"line %s\" x1=%.1f x2=%.1f y1=%.1f y2=%.1f />", l.Class, x.at(q.X), x.at(q.X), y.at(l.Low[i]), y.at(l.High[i]))
			}
		}
		step := "L"
		if path.Len() == 0 {
			step = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", step, x.at(q.X), y.at(q.Y))
		if l.Low != nil && y.shown(l.Low[i]) && y.shown(l.High[i]) {
			step = "L"
			if upper.Len() == 0 {
				step = "M"
			}
			fmt.Fprintf(&upper, "%s%.1f %.1f", step, x.at(q.X), y.at(l.High[i]))
			back = append(back, fmt.Sprintf("L%.1f %.1f", x.at(q.X), y.at(l.Low[i])))
		}
	}
	for i := len(back) - 1; i >= 0; i-- {
		lower.WriteString(back[i])
	}
	if upper.Len() > 0 {
		p.Rawf("<path class=\"band %s\" d=\"%s%sZ\" />", l.Class, upper.String(), lower.String())
	}
	if path.Len() > 0 {
		p.Rawf("<path class=\"line %s\" d=\"%s\"><title>%s</title></path>", l.Class, path.String(), Escape(l.Name))
	}
}

// ChartStyles are what pages with charts add to their styles.
const ChartStyles = `.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); gap: 1rem; margin-top: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; } figure svg { width: 100%; height: auto; }
svg .a { fill: none; stroke: currentColor; stroke-width: 1; opacity: .5; }
svg .m { stroke: currentColor; stroke-dasharray: 4 3; opacity: .7; }
svg .line { fill: none; stroke-width: 1.6; } svg .line.r { fill: none; stroke: var(--ref); } svg .line.c { fill: none; stroke: var(--cur); }
svg .band { stroke: none; opacity: .18; }
`
