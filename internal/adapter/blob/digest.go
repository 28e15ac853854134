package blob

import (
	"encoding/hex"
	"strings"

	"levada/internal/core/fault"
)

const (
	filePrefix = "sha256:"
	dirPrefix  = "dir-sha256:"
	sumLen     = 64 // hex digits of a SHA-256
)

// parsed is a digest that was checked, so that its sum can be part of a path.
type parsed struct {
	sum string
	dir bool
}

// parseDigest accepts "sha256:<hex>" and "dir-sha256:<hex>" with 64 lower-case hex digits and nothing else.
func parseDigest(s string) (parsed, error) {
	for prefix, dir := range map[string]bool{filePrefix: false, dirPrefix: true} {
		if sum, ok := strings.CutPrefix(s, prefix); ok && validSum(sum) {
			return parsed{sum: sum, dir: dir}, nil
		}
	}
	return parsed{}, fault.Invalidf("%.80q is not a digest: want sha256: or dir-sha256: and %d lower-case hex digits", s, sumLen)
}

func validSum(sum string) bool {
	if len(sum) != sumLen || strings.ToLower(sum) != sum {
		return false
	}
	_, err := hex.DecodeString(sum)
	return err == nil
}
