package run

import "strings"

// LocalPath returns the path that the URI of an artifact names on the machine of the server; false for what is elsewhere. The path may
// be relative.
func LocalPath(uri string) (string, bool) {
	if rest, ok := strings.CutPrefix(uri, "file://"); ok {
		return rest, true
	}
	return uri, !strings.Contains(uri, "://")
}
