package catalog

import (
	"unicode/utf8"

	"levada/internal/core/fault"
)

// CheckTags refuses more tags, or longer ones, than KFP takes (backend/src/apiserver/model/pipeline_tags.go).
func CheckTags(tags map[string]string) error {
	const most, longest = 20, 63
	if len(tags) > most {
		return fault.Invalidf("there are %d tags; at most %d are allowed", len(tags), most)
	}
	for key, value := range tags {
		switch {
		case key == "":
			return fault.Invalidf("a tag has no name")
		case utf8.RuneCountInString(key) > longest:
			return fault.Invalidf("the tag %.20q… has a name of more than %d characters", key, longest)
		case utf8.RuneCountInString(value) > longest:
			return fault.Invalidf("the tag %q has a value of more than %d characters", key, longest)
		}
	}
	return nil
}
