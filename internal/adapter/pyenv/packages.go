package pyenv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Packages lists what is in the environment with a digest, "name==version" each and the Python first; nil when no such environment
// is there.
func (p *Provider) Packages(ctx context.Context, digest string) ([]string, error) {
	envs, err := p.List()
	if err != nil {
		return nil, err
	}
	for _, e := range envs {
		if e.Digest != digest || ctx.Err() != nil {
			continue
		}
		lock, err := os.ReadFile(filepath.Join(e.Path, lockFile))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // removed in this moment
		}
		if err != nil {
			return nil, err
		}
		out := []string{"python==" + e.Python}
		for line := range strings.Lines(string(lock)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "-") {
				out = append(out, Redact(line))
			}
		}
		return out, nil
	}
	return nil, ctx.Err()
}
