package drift

import (
	"fmt"
	"io"

	"levada/internal/core/table"
	"levada/internal/core/webpage"
)

// mostPictures bounds how many columns of a page have a histogram.
const mostPictures = 300

// WritePage writes a report as a web page that needs nothing else.
func WritePage(w io.Writer, r Report, reference, current string) error {
	p := &page{webpage.New(w, "Drift", "")}
	p.Raw("<h1>Drift</h1><p class=names><b>reference</b> ")
	p.Text(reference)
	p.Raw(" · <b>current</b> ")
	p.Text(current)
	p.Raw("</p>")
	p.verdict(r)
	p.findings(r.Findings)
	p.joint(r.Together)
	p.Raw("<table><thead><tr><th>column<th>kind<th>method<th>score<th>limit<th>drift<th>effect<th>importance<th>reference<th>current<th>" +
		"<span class=ref>■</span> reference <span class=cur>■</span> current</tr></thead><tbody>")
	for i, c := range r.Columns {
		p.column(c, i < mostPictures)
	}
	p.Raw("</tbody></table>")
	p.misread(reference, r.ReferenceFindings)
	p.misread(current, r.CurrentFindings)
	return p.Flush()
}

type page struct{ *webpage.Writer }

// Figure is a number with as many digits as people read.
func Figure(v float64) string { return webpage.Figure(v) }

// Verdict is the report in a sentence.
func (r Report) Verdict() string {
	if r.NotJudged != "" {
		return "not judged: " + r.NotJudged
	}
	verdict := "no dataset drift"
	if r.Drifted {
		verdict = "dataset drift"
	}
	return fmt.Sprintf("%d of %d columns drifted (%.1f %%, limit %s %%): %s", r.DriftedColumns, r.Compared, 100*r.Share, Figure(100*r.ShareLimit), verdict)
}

func (p *page) verdict(r Report) {
	class := "verdict"
	if r.Drifted {
		class += " bad"
	}
	p.Raw(fmt.Sprintf("<p class=\"%s\">%s</p><p>%d rows of the reference, %d current rows.", class, webpage.Escape(r.Verdict()), r.ReferenceRows, r.CurrentRows))
	if r.FalseDiscovery > 0 {
		p.Raw(" P-values are held to a false discovery rate of " + Figure(r.FalseDiscovery) + " over all columns.")
	}
	if r.Season != "" {
		p.Raw(" ")
		p.Text(r.Season + ".")
	}
	p.Raw("</p>")
}

func (p *page) findings(all []Finding) {
	if len(all) == 0 {
		return
	}
	p.Raw("<h2>Changes of form</h2><ul>")
	for _, f := range all {
		p.Raw("<li><b>")
		p.Text(f.Column)
		p.Raw("</b>: " + webpage.Escape(f.Text) + "</li>")
	}
	p.Raw("</ul>")
}

// mostMisread is how many findings of a table a page has.
const mostMisread = 100

// misread lists what was misread of a table.
func (p *page) misread(name string, all []table.Finding) {
	if len(all) == 0 {
		return
	}
	p.Raw("<h2>How ")
	p.Text(name)
	p.Raw(" was read</h2><ul>")
	for i, f := range all {
		if i == mostMisread {
			p.Raw(fmt.Sprintf("<li>… and %d more", len(all)-i))
			break
		}
		p.Raw("<li>")
		if f.Column != "" {
			p.Raw("<b>")
			p.Text(f.Column)
			p.Raw("</b>: ")
		}
		p.Text(f.Sentence())
		p.Raw("</li>")
	}
	p.Raw("</ul>")
}

func (p *page) joint(all []Joint) {
	if len(all) == 0 {
		return
	}
	p.Raw("<h2>Columns together</h2><table><thead><tr><th>what<th>columns<th>method<th>score<th>limit<th>drift</tr></thead><tbody>")
	for _, j := range all {
		p.Raw("<tr><td class=name>")
		p.Text(j.Name)
		p.note(j.Note)
		p.Raw(fmt.Sprintf("<td class=n>%d<td>%s", j.Columns, webpage.Escape(j.Label)))
		p.Number(j.Score)
		p.Number(&j.Threshold)
		p.drift(j.Drifted)
		p.Raw("</tr>")
	}
	p.Raw("</tbody></table>")
}

func (p *page) note(s string) {
	if s != "" {
		p.Raw("<div class=note>")
		p.Text(s)
		p.Raw("</div>")
	}
}

func (p *page) drift(yes bool) {
	if yes {
		p.Raw("<td class=yes>drift")
		return
	}
	p.Raw("<td>–")
}

func (p *page) column(c Column, picture bool) {
	p.Raw("<tr><td class=name>")
	p.Text(c.Name)
	if c.Role != "feature" {
		p.Raw(" <span class=note>" + webpage.Escape(c.Role) + "</span>")
	}
	p.note(c.Note)
	p.Raw("<td>" + webpage.Escape(string(c.Kind)) + "<td>" + webpage.Escape(c.Label))
	p.Number(c.Score)
	if c.Method != "" {
		p.Number(&c.Threshold)
	} else {
		p.Raw("<td>")
	}
	p.drift(c.Drifted)
	p.Number(c.Effect)
	p.Number(c.Importance)
	p.summary(c.Reference)
	p.summary(c.Current)
	p.Raw("<td>")
	if picture && c.Histogram != nil {
		p.picture(c.Histogram)
	}
	p.Raw("</tr>\n")
}

func (p *page) summary(s Summary) {
	p.Raw("<td>")
	if s.Mean != nil && s.SD != nil {
		p.Raw(webpage.Escape(Figure(*s.Mean) + " ± " + Figure(*s.SD)))
	} else if s.Distinct > 0 {
		p.Raw(fmt.Sprintf("%d different", s.Distinct))
	}
	if s.Missing > 0 && s.Rows > 0 {
		p.Raw(fmt.Sprintf("<div class=note>%.2g %% missing</div>", 100*float64(s.Missing)/float64(s.Rows)))
	}
}

// The size of a histogram in pixels.
const pictureWidth, pictureHeight = 280, 56

// picture draws both distributions side by side, bar by bar.
func (p *page) picture(d *Distribution) {
	most := 0.0
	for i := range d.Reference {
		most = max(most, d.Reference[i], d.Current[i])
	}
	if most == 0 {
		return
	}
	step := float64(pictureWidth) / float64(len(d.Reference))
	p.Raw(fmt.Sprintf("<svg width=%d height=%d role=img aria-label=\"histogram\">", pictureWidth, pictureHeight+12))
	for i := range d.Reference {
		x := float64(i) * step
		p.bar("r", x+step*0.08, step*0.42, d.Reference[i]/most)
		p.bar("c", x+step*0.5, step*0.42, d.Current[i]/most)
	}
	if d.Edges != nil {
		p.label(0, "start", Figure(d.Edges[0]))
		p.label(pictureWidth, "end", Figure(d.Edges[len(d.Edges)-1]))
	} else {
		for i, l := range d.Labels {
			if step >= 24 || i == 0 {
				p.label(float64(i)*step+step*0.08, "start", cut(l, max(3, int(step/5.5))))
			}
		}
	}
	p.Raw("</svg>")
}

func (p *page) bar(class string, x, width, share float64) {
	height := share * pictureHeight
	p.Raw(fmt.Sprintf("<rect class=%s x=%.1f y=%.1f width=%.1f height=%.1f />", class, x, pictureHeight-height, width, height))
}

func (p *page) label(x float64, anchor, text string) {
	p.Raw(fmt.Sprintf("<text x=%.1f y=%d text-anchor=%s>%s</text>", x, pictureHeight+10, anchor, webpage.Escape(text)))
}
