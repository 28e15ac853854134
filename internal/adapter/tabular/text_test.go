package tabular

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/table/profile"
)

func summary(t *testing.T, content, name string) profile.Summary {
	t.Helper()
	s, err := New().Summarize(context.Background(), strings.NewReader(content), name, 5)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func TestTextIsReadByWhatItLooksLike(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"a.csv", "carrier,delay\nUA,1.5\nAA,\n", "csv carrier:text[UA AA] delay:number[1.5 -]"},
		{"a.csv", "\xef\xbb\xbfa;b\r\n1;2,5\r\n3;4,5\r\n", "csv a:integer[1 3] b:text[2,5 4,5]"},
		{"a.tsv", "a\tb\n1\t2013-01-02\n", "csv a:integer[1] b:date[2013-01-02]"},
		{"", "1,2\n3,4\n", "csv column 1:integer[1 3] column 2:integer[2 4]"},
		{"a.csv", "zip,ok\n007,true\n123,false\n", "csv zip:text[007 123] ok:boolean[true false]"},
		{"a.csv", "a,b\n1\n2,3,4\n", "csv a:integer[1 2] b:integer[- 3] column 3:integer[- 4]"},
		{"a.csv", "a\n\"<b>x</b>\n,\"\n", "csv a:text[<b>x</b>\n,]"},
		{"a.csv", "a\n\xff\n", "csv a:text[\uFFFD]"},
		{"a.jsonl", "{\"a\":1,\"b\":\"x\"}\n\n{\"c\":[1,{\"d\":2}],\"a\":2.5}\n", `jsonl a:number[1 2.5] b:text[x -] c:list[- [1,{"d":2}]]`},
		{"", "{\"at\":\"2013-01-01T05:00:00Z\"}\nnonsense\n{\"at\":null}", "jsonl at:time[2013-01-01 05:00:00 -] 1 bad"},
	} {
		s := summary(t, c.content, c.name)
		got := s.Format
		for i, column := range s.Columns {
			var cells []string
			for _, row := range s.Rows {
				if i < len(row) && row[i] != nil {
					cells = append(cells, *row[i])
				} else {
					cells = append(cells, "-")
				}
			}
			got += fmt.Sprintf(" %s:%s%v", column.Name, column.Type, cells)
		}
		if s.Extent.Bad > 0 {
			got += fmt.Sprintf(" %d bad", s.Extent.Bad)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.content, diff)
		}
	}
}

func TestATableWithTenThousandColumnsIsShownInPart(t *testing.T) {
	row := strings.Repeat("1,", 9_999) + "1\n"
	s := summary(t, strings.Repeat("x,", 9_999)+"x\n"+strings.Repeat(row, 100), "wide.csv")
	if len(s.Columns) != 500 || s.Extent.Columns != 10_000 || s.Extent.Rows != 100 || s.Columns[499].Count != 100 {
		t.Errorf("%d columns, %+v", len(s.Columns), s.Extent)
	}
	keys := make([]string, 2000)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	s = summary(t, "{"+strings.Join(keys, ",")+"}\n", "wide.jsonl")
	if len(s.Columns) != 500 || s.Extent.Columns != 2000 {
		t.Errorf("%d columns, %+v", len(s.Columns), s.Extent)
	}
}

func TestALongTableIsCutAndSaysSo(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,group\n")
	for i := range 100_001 {
		fmt.Fprintf(&b, "%d,g%d\n", i, i%3)
	}
	s := summary(t, b.String(), "long.csv")
	if s.Extent.Rows != 100_000 || s.Extent.Total != -1 || s.Extent.Cut != "the first 100000 rows" {
		t.Errorf("%+v", s.Extent)
	}
	id, group := s.Columns[0], s.Columns[1]
	if !id.Estimated || id.Distinct < 95_000 || id.Distinct > 105_000 || id.Max != "99999" || *id.Mean != 49999.5 || len(id.Top) != 0 {
		t.Errorf("id: %+v", id)
	}
	if group.Estimated || group.Distinct != 3 || group.Top[0] != (profile.Frequent{Value: "g0", Count: 33334}) {
		t.Errorf("group: %+v", group)
	}
	s = summary(t, strings.TrimSuffix(b.String(), "100000,g1\n"), "long.csv")
	if s.Extent.Rows != 100_000 || s.Extent.Total != 100_000 || s.Extent.Cut != "" {
		t.Errorf("a table that ends at the limit: %+v", s.Extent)
	}
}

func TestABombIsReadAsFarAsTheLimit(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	line := bytes.Repeat([]byte("0123456789abcdef,"), 4096)
	for range 2000 { // 130 MiB
		_, _ = z.Write(append(line, '\n'))
	}
	_ = z.Close()
	s, err := New().Summarize(context.Background(), bytes.NewReader(b.Bytes()), "bomb.csv.gz", 5)
	if err != nil || s.Extent.Cut != "the first 64 MiB" {
		t.Errorf("%v, %+v", err, s.Extent)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a.csv", []byte("a,b\n1,\"2\n\",3\n"))
	f.Add("a.jsonl", []byte("{\"a\":{\"b\":[1]}}\n{}"))
	f.Add("", []byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		_, err := New().Summarize(context.Background(), bytes.NewReader(b), name, 10)
		if err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%v has no kind", err)
		}
	})
}
