package store

import (
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

func FuzzAPageTokenGivesAPageOrIsInvalid(f *testing.F) {
	s := openForTest(f)
	q := listing.Query{SortBy: "created_at"}
	st, err := runList().plan(q, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(st.encodeToken(position{key: int64(5), id: "x"}, st.digest()))
	f.Add(st.encodeToken(position{key: "text", id: "x"}, st.digest()))
	f.Add("e30")
	f.Fuzz(func(t *testing.T, token string) {
		q := q
		q.PageToken = token
		if _, err := s.ListRuns(t.Context(), q); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatal(err)
		}
	})
}
