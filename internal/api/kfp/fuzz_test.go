package kfp

import (
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

func FuzzAFilterIsUnderstoodOrRefused(f *testing.F) {
	for _, s := range []string{
		`{"predicates":[{"operation":1,"key":"display_name","stringValue":"x"}]}`,
		`{"predicates":[{"operation":"IN","key":"state","string_values":{"values":["FAILED","RUNNING"]}}]}`,
		`%7B%22predicates%22%3A%5B%7B%22operation%22%3A%22EQUALS%22%2C%22key%22%3A%22storage_state%22%2C%22string_value%22%3A%22ARCHIVED%22%7D%5D%7D`,
		`{"predicates":[{"operation":"GREATER_THAN","key":"created_at","timestamp_value":"2026-01-02T03:04:05Z"}]}`,
		`{"predicates":[{"operation":6,"key":"created_at","long_value":"17"}]}`, `{"predicates":[{"op":"IS_SUBSTRING"}]}`, `[]`, `{}`, `null`,
		`{"predicates":[{"operation":8,"key":"storage_state","string_values":{"values":[]}}]}`, `%7B%22predicates%22%3Anull%7D`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		predicates, err := runColumns.filter(text)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid {
				t.Fatalf("an error of kind %v: %v", k, err)
			}
			if n := len(err.Error()); n > 2048 {
				t.Fatalf("a message of %d bytes", n)
			}
			return
		}
		for _, p := range predicates {
			if p.Key == "" || p.Op == "" || len(p.Values) == 0 && p.Op != listing.In {
				t.Fatalf("%s became %+v", text, p)
			}
		}
	})
}
