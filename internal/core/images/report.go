package images

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"
)

// The names of the issues, as CleanVision has them.
const (
	Dark            = "dark"
	Light           = "light"
	LowInformation  = "low_information"
	OddAspectRatio  = "odd_aspect_ratio"
	OddSize         = "odd_size"
	Grayscale       = "grayscale"
	Blurry          = "blurry"
	ExactDuplicates = "exact_duplicates"
	NearDuplicates  = "near_duplicates"
)

// Names are all issues in the order of reports.
var Names = []string{ExactDuplicates, NearDuplicates, Dark, Light, Blurry, LowInformation, OddAspectRatio, OddSize, Grayscale}

// The thresholds of CleanVision 0.3: a score below is an issue.
const (
	darkBelow        = 0.32
	lightBelow       = 0.05
	informationBelow = 0.3
	aspectBelow      = 0.35
	blurryBelow      = 0.29
	entropyFactor    = 0.1
	edgeFactor       = 0.01
	spreadAbove      = 0.18 // of gray values, from which an image counts as less blurry
	sizeRange        = 3    // interquartile ranges
)

// Report is what a set of images is like.
type Report struct {
	// Images were read; Broken are files that could not be.
	Images      int64    `json:"images"`
	Broken      int64    `json:"broken"`
	BrokenFiles []Broken `json:"broken_files,omitempty"`
	// WithIssues are images that have at least one issue.
	WithIssues int64   `json:"with_issues"`
	Issues     []Issue `json:"issues"`
	// Sets of images that are the same, pixel by pixel, and of those that look the same; the largest first.
	ExactSets []Set `json:"exact_duplicate_sets,omitempty"`
	NearSets  []Set `json:"near_duplicate_sets,omitempty"`
	// Formats and Modes count images: jpeg, png, …; RGB, L, RGBA, P, … as Pillow names them.
	Formats map[string]int64 `json:"formats"`
	Modes   map[string]int64 `json:"modes"`
	// Colourless are images that have colours, all of which are gray.
	Colourless int64 `json:"colourless"`
	// Channels are those of all images together, where each image counts the same.
	Channels []Channel `json:"channels,omitempty"`
}

// Broken is a file that is no image, or a damaged one.
type Broken struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Issue is one of the nine, and the images that have it.
type Issue struct {
	Name  string  `json:"issue"`
	Count int64   `json:"count"`
	Share float64 `json:"share"`
	// Below is the score below which an image has the issue; 0 where it is not about a score.
	Below float64 `json:"below,omitempty"`
	// Worst are the images with the lowest scores.
	Worst []Example `json:"worst,omitempty"`
}

// Example is an image and its score, from 0 to 1, of which 0 is the worst.
type Example struct {
	File  string  `json:"file"`
	Score float64 `json:"score"`
}

// Set are images that are alike. Files are the first of them.
type Set struct {
	Count int      `json:"count"`
	Files []string `json:"files"`
}

// Channel is a band of colour: mean and standard deviation of its values divided by 255, over all images, as a model's input is normalised by.
type Channel struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
}

// The bounds of what a report holds.
const (
	mostExamples = 10
	mostSets     = 50
	mostInSet    = 10
	mostBroken   = 50
)

// Scores are those of an image by its issue.
type Scores [9]float64

// Marks says which issues an image has, in the order of Names.
type Marks [9]bool

// Summarize makes the report of a set of images, and the marks of each.
func Summarize(all []Figures, broken []Broken) (*Report, []Marks) {
	r, _, marks := summarize(all, broken)
	return r, marks
}

// ScoresOf are the scores of each image of a set, in the order of Names.
func ScoresOf(all []Figures) []Scores {
	_, scores, _ := summarize(all, nil)
	return scores
}

func summarize(all []Figures, broken []Broken) (*Report, []Scores, []Marks) {
	r := &Report{Images: int64(len(all)), Broken: int64(len(broken)), BrokenFiles: broken[:min(len(broken), mostBroken)],
		Formats: map[string]int64{}, Modes: map[string]int64{}}
	marks, scores := make([]Marks, len(all)), make([]Scores, len(all))
	odd, oddBelow := oddSizes(all)
	for i, f := range all {
		r.Formats[f.Format]++
		r.Modes[f.Mode]++
		if f.Colourless && f.Mode != "L" {
			r.Colourless++
		}
		scores[i], marks[i] = judge(f)
		scores[i][at(OddSize)], marks[i][at(OddSize)] = odd[i], odd[i] < oddBelow
	}
	r.ExactSets = duplicates(all, scores, marks, at(ExactDuplicates), func(f Figures) key { return key{pixels: f.Pixels} }, nil)
	r.NearSets = duplicates(all, scores, marks, at(NearDuplicates), func(f Figures) key { return key{hash: f.Hash} }, func(members []int) bool {
		// Images that are the same are not said to look the same, too.
		return slices.ContainsFunc(members, func(i int) bool { return all[i].Pixels != all[members[0]].Pixels })
	})
	below := map[string]float64{Dark: darkBelow, Light: lightBelow, Blurry: blurryBelow, LowInformation: informationBelow, OddAspectRatio: aspectBelow, OddSize: oddBelow}
	for k, name := range Names {
		issue := Issue{Name: name, Below: below[name]}
		var found []int
		for i := range all {
			if marks[i][k] {
				found = append(found, i)
			}
		}
		issue.Count = int64(len(found))
		issue.Share = share(issue.Count, r.Images)
		slices.SortStableFunc(found, func(a, b int) int { return cmp.Compare(scores[a][k], scores[b][k]) })
		for _, i := range found[:min(len(found), mostExamples)] {
			issue.Worst = append(issue.Worst, Example{all[i].File, scores[i][k]})
		}
		r.Issues = append(r.Issues, issue)
	}
	for _, m := range marks {
		if m != (Marks{}) {
			r.WithIssues++
		}
	}
	r.Channels = channels(all)
	return r, scores, marks
}

func at(name string) int { return slices.Index(Names, name) }

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// judge scores an image by itself.
func judge(f Figures) (Scores, Marks) {
	var s Scores
	for i := range s {
		s[i] = 1
	}
	s[at(Dark)] = f.Bright99
	s[at(Light)] = 1 - f.Bright5
	s[at(LowInformation)] = min(1, entropyFactor*f.Entropy)
	s[at(OddAspectRatio)] = min(float64(f.Width)/float64(f.Height), float64(f.Height)/float64(f.Width))
	sharp, spread := 1-math.Exp(-f.Edges*edgeFactor), 1-math.Exp(-f.GraySpread*edgeFactor)
	if spread <= spreadAbove {
		spread = 0
	}
	s[at(Blurry)] = min(1, sharp+spread)
	var m Marks
	m[at(Dark)] = s[at(Dark)] < darkBelow
	m[at(Light)] = s[at(Light)] < lightBelow
	m[at(LowInformation)] = s[at(LowInformation)] < informationBelow
	m[at(OddAspectRatio)] = s[at(OddAspectRatio)] < aspectBelow
	m[at(Blurry)] = s[at(Blurry)] < blurryBelow
	if withoutColour(f.Mode) {
		s[at(Grayscale)], m[at(Grayscale)] = 0, true
	}
	return s, m
}

// withoutColour reports whether a mode has no bands of colour.
func withoutColour(mode string) bool { return slices.Contains([]string{"L", "LA", "1", "I;16"}, mode) }

// oddSizes scores the square roots of the areas: 1 in the middle of the usual range, 0.5 at its ends, which are three interquartile
// ranges from the quartiles. It returns the score below which a size is odd, too.
func oddSizes(all []Figures) ([]float64, float64) {
	if len(all) == 0 {
		return nil, 0.5
	}
	sizes := make([]float64, len(all))
	for i, f := range all {
		sizes[i] = math.Sqrt(float64(f.Width)) * math.Sqrt(float64(f.Height))
	}
	sorted := slices.Sorted(slices.Values(sizes))
	low, high := percentile(sorted, 0.25), percentile(sorted, 0.75)
	least, most := low-sizeRange*(high-low), high+sizeRange*(high-low)
	middle, wide, below := (least+most)/2, most-least, 0.5
	if wide == 0 {
		wide, below = middle, 1
	}
	for i, s := range sizes {
		sizes[i] = 1 - min(1, math.Abs(s-middle)/wide)
	}
	return sizes, below
}

// percentile is that of sorted numbers, between two in proportion.
func percentile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	i := int(at)
	low, high := sorted[i], sorted[min(i+1, len(sorted)-1)]
	return low + (high-low)*(at-float64(i))
}

// key is what duplicates have in common.
type key struct {
	pixels [16]byte
	hash   uint64
}

// duplicates marks the images that others are equal to. The score is one by the size of the set.
func duplicates(all []Figures, scores []Scores, marks []Marks, issue int, of func(Figures) key, counts func(members []int) bool) []Set {
	sets := map[key][]int{}
	var order []key
	for i, f := range all {
		k := of(f)
		if sets[k] == nil {
			order = append(order, k)
		}
		sets[k] = append(sets[k], i)
	}
	var out []Set
	for _, k := range order {
		members := sets[k]
		if len(members) < 2 || counts != nil && !counts(members) {
			continue
		}
		s := Set{Count: len(members)}
		for n, i := range members {
			scores[i][issue], marks[i][issue] = 1/float64(len(members)), true
			if n < mostInSet {
				s.Files = append(s.Files, all[i].File)
			}
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Set) int { return cmp.Compare(b.Count, a.Count) })
	return out[:min(len(out), mostSets)]
}

// channels adds up the channels of images: the variance within them and that between them.
func channels(all []Figures) []Channel {
	if len(all) == 0 {
		return nil
	}
	out := []Channel{{Name: "red"}, {Name: "green"}, {Name: "blue"}}
	n := float64(len(all))
	for c := range out {
		var mean, square float64
		for _, f := range all {
			mean += f.Mean[c] / n
			square += (f.SD[c]*f.SD[c] + f.Mean[c]*f.Mean[c]) / n
		}
		out[c].Mean, out[c].SD = mean/255, math.Sqrt(max(0, square-mean*mean))/255
	}
	return out
}

// Folder is the folder of a file, which often is its label; empty at the top.
func Folder(file string) string {
	if dir := path.Dir(strings.ReplaceAll(file, "\\", "/")); dir != "." {
		return dir
	}
	return ""
}
