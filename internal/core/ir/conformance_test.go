package ir_test

import (
	"os"
	"path/filepath"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

// corpus is where pipelines compiled by others lie beside the checkout; the tests skip without it.
const corpus = "../../../../shared/conformance/kfp"

func files(t *testing.T, glob string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(corpus, glob))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skipf("no files match %s beside this checkout: the conformance corpus is not here", glob)
	}
	return found
}

func TestEveryValidPipelineOfTheCorpusIsAccepted(t *testing.T) {
	for _, f := range files(t, "valid/*/*") {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p, err := ir.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ir.Parse(p.Canonical)
			if err != nil {
				t.Fatalf("the canonical form is refused: %v", err)
			}
			if again.Digest != p.Digest {
				t.Errorf("digest of the canonical form is %s, of the file %s", again.Digest, p.Digest)
			}
		})
	}
}

func TestEveryInvalidFileOfTheCorpusIsRefused(t *testing.T) {
	for _, f := range files(t, "invalid/*") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ir.Parse(data)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: want an Invalid error, got %v", filepath.Base(f), err)
		}
		t.Logf("%s: %v", filepath.Base(f), err)
	}
}
