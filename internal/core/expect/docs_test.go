package expect_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/core/expect"
)

var update = flag.Bool("update", false, "rewrite the table in docs/data-checks.md")

const (
	begin = "<!-- expectations: made by go test ./internal/core/expect -update -->\n"
	end   = "<!-- end -->\n"
)

func TestThePageListsAllExpectations(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "data-checks.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, okToo := strings.Cut(rest, end)
	if !ok || !okToo {
		t.Fatalf("%s has no place for the table", path)
	}
	var b strings.Builder
	about := ""
	for _, d := range expect.Describe() {
		if d.About != about {
			about = d.About
			fmt.Fprintf(&b, "\nAbout %s:\n\n| short | expectation | what is expected |\n|---|---|---|\n", about)
		}
		short := ""
		if d.Short != "" {
			short = "`" + strings.TrimSpace(d.Short+" "+map[string]string{"": "", "range": "[least, greatest]", "columns": "[a, b]"}[d.Argument]) + "`"
			if d.Argument != "" && d.Argument != "range" && d.Argument != "columns" {
				short = "`" + d.Short + ": " + d.Argument + "`"
			}
			short = strings.Replace(short, d.Short+" [", d.Short+": [", 1)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", short, d.Type, d.Doc)
	}
	want := before + begin + b.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Errorf("%s is not up to date: make update-golden", path)
	}
}
