// Package kinds compares what Levada says of kinds of data with the libraries that people know for them: images with CleanVision, Arrow
// files with PyArrow, languages with texts whose language is known. The libraries take a while to install, so all of it runs in
// `make test-kinds`; the packages themselves have short forms without a library.
package kinds

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"levada/internal/adapter/imagefile"
	"levada/internal/core/images"
	"levada/test/levadatest"
)

// ask runs a script of this folder in the environment of a file of requirements, and reads what it writes last.
func ask(t *testing.T, environment, script string, into any, args ...string) {
	t.Helper()
	if os.Getenv("LEVADA_KINDS") == "" {
		t.Skip("the library takes a while to install: run make test-kinds, or set LEVADA_KINDS=all")
	}
	python, err := levadatest.LibraryPython("kinds", environment)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "results.json")
	args = append([]string{filepath.Join(levadatest.Root(), "test", "kinds", script)}, append(args, out)...)
	if said, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	b, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type cleanVision struct {
	Images map[string]struct {
		Mode   string             `json:"mode"`
		Hash   string             `json:"hash"`
		Scores map[string]float64 `json:"scores"`
		Issues []string           `json:"issues"`
	} `json:"images"`
	Sets map[string][][]string `json:"sets"`
}

// agreement counts images by what is the same.
type agreement struct {
	images, modes, hashes, issues int
	judged                        int // whose issues are the same but for near duplicates
	bits                          int // in which hashes differ at most
	apart                         map[string]float64
	differ                        []string
}

func compareImages(t *testing.T, dir string, want cleanVision) agreement {
	t.Helper()
	set, err := imagefile.Open(dir)
	if err != nil || set == nil {
		t.Fatalf("open %s: %v, %v", dir, set, err)
	}
	all, err := set.Figures(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	report, marks := images.Summarize(all, nil)
	if report.Images != int64(len(want.Images)) || set.Images().Broken != 0 {
		t.Fatalf("%d images were read, %d are broken, want %d", report.Images, set.Images().Broken, len(want.Images))
	}
	scores := images.ScoresOf(all)
	a := agreement{apart: map[string]float64{}}
	for i, f := range all {
		w := want.Images[f.File]
		a.images++
		if f.Mode == w.Mode {
			a.modes++
		} else {
			a.differ = append(a.differ, fmt.Sprintf("%s has mode %s, want %s", f.File, f.Mode, w.Mode))
		}
		var hash uint64
		if _, err := fmt.Sscanf(w.Hash, "%x", &hash); err != nil {
			t.Fatal(err)
		}
		if hash == f.Hash {
			a.hashes++
		}
		a.bits = max(a.bits, images.Apart(hash, f.Hash))
		var issues []string
		for k, name := range images.Names {
			if marks[i][k] {
				issues = append(issues, name)
			}
			if d := math.Abs(scores[i][k] - w.Scores[name]); !strings.Contains(name, "duplicates") {
				a.apart[name] = max(a.apart[name], d)
			}
		}
		slices.Sort(issues)
		slices.Sort(w.Issues)
		near := func(name string) bool { return name == images.NearDuplicates }
		if slices.Equal(slices.DeleteFunc(slices.Clone(issues), near), slices.DeleteFunc(slices.Clone(w.Issues), near)) {
			a.judged++
		}
		if slices.Equal(issues, w.Issues) {
			a.issues++
		} else {
			a.differ = append(a.differ, fmt.Sprintf("%s has %v, want %v", f.File, issues, w.Issues))
		}
	}
	return a
}

func TestIssuesOfImagesAreCleanVisions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	var want map[string]cleanVision
	ask(t, "cleanvision", "cleanvision_values.py", &want, dir)
	t.Run("drawn", func(t *testing.T) {
		a := compareImages(t, filepath.Join(dir, "drawn"), want["drawn"])
		t.Logf("%d images: %d modes, %d hashes, %d lists of issues are equal; the largest differences of scores: %v", a.images, a.modes, a.hashes, a.issues, a.apart)
		if a.modes != a.images || a.issues != a.images || a.hashes != a.images {
			t.Errorf("%d images: %d modes, %d hashes, %d lists of issues are equal\n%s", a.images, a.modes, a.hashes, a.issues, strings.Join(a.differ, "\n"))
		}
		for name, apart := range a.apart {
			if apart > 1e-9 {
				t.Errorf("scores of %s differ by up to %g", name, apart)
			}
		}
	})
	// Decoders of JPEG and lossy WebP may round in other ways; the pixels differ a little.
	t.Run("photographs", func(t *testing.T) {
		a := compareImages(t, filepath.Join(dir, "photographs"), want["photographs"])
		t.Logf("%d images: %d modes, %d hashes, %d lists of issues (%d without near duplicates) are equal; hashes differ in up to %d bits; the largest differences of scores: %v",
			a.images, a.modes, a.hashes, a.issues, a.judged, a.bits, a.apart)
		// An image whose frequencies are close to their median has another hash when its pixels differ by one.
		if a.modes != a.images || a.issues < a.images*95/100 || a.hashes < a.images*90/100 || a.bits > 6 || a.judged != a.images {
			t.Errorf("%d images: %d modes, %d hashes, %d lists of issues are equal\n%s", a.images, a.modes, a.hashes, a.issues, strings.Join(a.differ, "\n"))
		}
		for name, apart := range a.apart {
			if apart > 0.02 {
				t.Errorf("scores of %s differ by up to %g", name, apart)
			}
		}
	})
}
