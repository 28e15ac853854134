package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/images"
	"levada/internal/core/table"
)

// imageSet are images that were measured.
type imageSet interface {
	Figures(ctx context.Context) ([]images.Figures, error)
}

// printImages prints what images are like, before the figures of their columns.
func (a *app) printImages(r *images.Report) error {
	style, w := a.style(a.deps.Stdout), a.deps.Stdout
	fmt.Fprintf(w, "%s, %s cannot be read, %s with an issue; %s; %s\n", counted(r.Images, "image"), counted(r.Broken, "file"),
		counted(r.WithIssues, "image"), tallied(r.Formats), tallied(r.Modes))
	var channels []string
	for _, c := range r.Channels {
		channels = append(channels, fmt.Sprintf("%s %.4f ± %.4f", c.Name, c.Mean, c.SD))
	}
	if len(channels) > 0 {
		fmt.Fprintf(w, "channels, from 0 to 1: %s\n", strings.Join(channels, ", "))
	}
	fmt.Fprintln(w)
	t := console.NewTable("ISSUE", "IMAGES", "SHARE", "SCORE BELOW", "WORST")
	t.Flexible = 4
	for _, i := range r.Issues {
		below, worst := "", []string{}
		if i.Below > 0 {
			below = fmt.Sprintf("%g", i.Below)
		}
		for n, e := range i.Worst {
			if n == 3 {
				break
			}
			worst = append(worst, short(e.File, 40))
		}
		count := grouped(i.Count)
		if i.Count > 0 {
			count = style.Warn(count)
		}
		t.Add(i.Name, count, percent(i.Count, r.Images), below, strings.Join(worst, ", "))
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	for _, b := range r.BrokenFiles[:min(len(r.BrokenFiles), mostListedFiles)] {
		fmt.Fprintf(w, "%s %s: %s\n", style.Bad("broken"), short(b.File, 60), console.Clean(b.Why))
	}
	a.printSets("the same", r.ExactSets)
	a.printSets("look the same", r.NearSets)
	fmt.Fprintln(w)
	return nil
}

const mostListedFiles = 5

func (a *app) printSets(what string, sets []images.Set) {
	for _, s := range sets[:min(len(sets), mostListedFiles)] {
		var names []string
		for _, f := range s.Files[:min(len(s.Files), mostListedFiles)] {
			names = append(names, short(f, 40))
		}
		if s.Count > len(names) {
			names = append(names, "…")
		}
		fmt.Fprintf(a.deps.Stdout, "%s: %s (%d)\n", what, strings.Join(names, ", "), s.Count)
	}
}

// tallied lists counts by name.
func tallied(counts map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %s", grouped(counts[name]), name))
	}
	return strings.Join(parts, ", ")
}

// imageLeaks compares two sets of images; ok is false where the sources are tables.
func imageLeaks(ctx context.Context, train, test table.Source) (leaks images.Leaks, ok bool, err error) {
	a, ok1 := train.(imageSet)
	b, ok2 := test.(imageSet)
	if ok1 != ok2 {
		return leaks, false, fault.Invalidf("one of the two holds images and the other a table; compare images with images")
	}
	if !ok1 {
		return leaks, false, nil
	}
	trained, err := a.Figures(ctx)
	if err != nil {
		return leaks, true, err
	}
	tested, err := b.Figures(ctx)
	if err != nil {
		return leaks, true, err
	}
	if len(trained) == 0 || len(tested) == 0 {
		return leaks, true, fault.Invalidf("no image of one of the two can be read")
	}
	return images.Compare(trained, tested), true, nil
}

// reportImageLeaks prints what two sets share and returns the exit status.
func (a *app) reportImageLeaks(l images.Leaks, g *gate, asJSON bool) error {
	report := struct {
		Found bool `json:"leaks"`
		images.Leaks
	}{l.Any(), l}
	if asJSON {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printImageLeak("the same images", l.Exact)
		a.printImageLeak("images that look the same", l.Near)
		if l.Plain > 0 {
			fmt.Fprintf(a.deps.Stdout, "note: %s of the test set have next to nothing in them and were not compared by looks\n", counted(l.Plain, "image"))
		}
	}
	return a.settle(g, !l.Any(), report, fmt.Sprintf("leakage: %s of %s of the test set are in the training set, %s look as if", grouped(l.Exact.Images), counted(l.Exact.Of, "image"), grouped(l.Near.Images)))
}

func (a *app) printImageLeak(what string, l images.Leak) {
	style := a.style(a.deps.Stdout)
	mark := style.Good("ok  ")
	if l.Images > 0 {
		mark = style.Bad("LEAK")
	}
	fmt.Fprintf(a.deps.Stdout, "%s %s: %s of %s of the test set\n", mark, what, grouped(l.Images), counted(l.Of, "image"))
	for _, p := range l.Examples[:min(len(l.Examples), mostListedFiles)] {
		fmt.Fprintf(a.deps.Stdout, "     %s is %s", short(p.Test, 60), short(p.Train, 60))
		if p.Bits > 0 {
			fmt.Fprintf(a.deps.Stdout, ", %d of 64 bits differ", p.Bits)
		}
		fmt.Fprintln(a.deps.Stdout)
	}
}
