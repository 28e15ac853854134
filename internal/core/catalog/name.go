package catalog

import "levada/internal/core/fault"

// CheckName refuses a name that is empty or too long; what says whose name it is ("experiment").
func CheckName(what, name string) error {
	const most = 255
	if name == "" {
		return fault.Invalidf("the %s needs a name", what)
	}
	if len(name) > most {
		return fault.Invalidf("the name of the %s is %d bytes; at most %d are allowed", what, len(name), most)
	}
	return nil
}
