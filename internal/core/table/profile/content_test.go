package profile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/table"
)

// mails are rows of which every second has an address, each of them twice.
func mails(from, to int) table.Vector {
	var cells []table.Cell
	for i := from; i < to; i++ {
		cells = append(cells, text(fmt.Sprintf("user%d@example.org", i/4)), text("a note that is not about any of them"))
	}
	return table.VectorOf(cells)
}

func TestPersonalTextsAreNotShown(t *testing.T) {
	s := New(1)
	s.ReadTexts(1)
	v := mails(0, 20)
	s.Add(&v)
	c := s.Column(table.Column{})
	shown, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown), "user") {
		t.Errorf("an address is shown: %s", shown)
	}
	if c.Text == nil || len(c.Text.Personal) != 1 || c.Text.Personal[0].Rows != 20 || c.Text.Duplicates != 34 || c.Text.Languages[0].Language != "en" {
		t.Errorf("%+v", c.Text)
	}
	plain := New(1)
	plain.Add(&v)
	if c := plain.Column(table.Column{}); c.Text != nil || !strings.Contains(c.Max, "@") {
		t.Errorf("what texts say was not asked for: %+v", c)
	}
}

func TestWhatTextsSayMergesAndIsStored(t *testing.T) {
	whole, a, b := New(1), New(1), New(1)
	for _, s := range []*State{whole, a, b} {
		s.ReadTexts(1)
	}
	all, one, two := mails(0, 40), mails(0, 15), mails(15, 40)
	whole.Add(&all)
	a.Add(&one)
	b.Add(&two)
	stored, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	b = &State{}
	if err := json.Unmarshal(stored, b); err != nil {
		t.Fatal(err)
	}
	merged := New(1)
	merged.Merge(a)
	merged.Merge(b)
	want, got := whole.Column(table.Column{}), merged.Column(table.Column{})
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// Of a part nothing is known, so nothing is said of the whole.
	plain := New(1)
	plain.Add(&one)
	merged.Merge(plain)
	if c := merged.Column(table.Column{}); c.Text != nil {
		t.Errorf("%+v", c.Text)
	}
}
