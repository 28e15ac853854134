package registry

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
)

// Found is a model, or one of its versions, that was looked for by name. Version is 0 for the model itself; Alias is the alias that it was
// found by.
type Found struct {
	Model   string
	Version int64
	Alias   string
}

// Find returns up to limit models and versions for what a person writes: a part of a name or of an alias, "name@alias", or a name and the
// number of a version, as in "name 3", "name v3" and "name/3". Prompts are not among them.
func (s *Service) Find(ctx context.Context, text string, limit int) ([]Found, error) {
	models, err := s.deps.Store.Models(ctx)
	if err != nil {
		return nil, err
	}
	w := wantedModel(text)
	models = slices.DeleteFunc(models, func(m model.Registered) bool { return m.Prompt() })
	slices.SortFunc(models, func(a, b model.Registered) int {
		return cmp.Or(cmp.Compare(w.rank(a), w.rank(b)), cmp.Compare(b.UpdatedUS, a.UpdatedUS), cmp.Compare(a.Name, b.Name))
	})
	var out []Found
	for _, m := range models {
		for _, f := range w.in(m) {
			if len(out) == limit {
				return out, nil
			}
			if f.Version > 0 && f.Alias == "" {
				switch _, err := s.deps.Store.Version(ctx, f.Model, f.Version); {
				case err == nil:
				case fault.KindOf(err) == fault.NotFound:
					continue // it was deleted
				default:
					return nil, err
				}
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// wanted is what a person writes, in lower case and in parts.
type wanted struct {
	text string
	// name and alias are the parts of "name@alias"; before and number those of "name 3".
	name, alias string
	aliased     bool
	before      string
	number      int64
}

func wantedModel(text string) wanted {
	w := wanted{text: strings.ToLower(strings.TrimSpace(text))}
	w.name, w.alias, w.aliased = strings.Cut(w.text, "@")
	if i := strings.LastIndexAny(w.text, " /"); i > 0 {
		digits := strings.TrimPrefix(w.text[i+1:], "v")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > 0 {
			w.before, w.number = strings.TrimSpace(w.text[:i]), n
		}
	}
	return w
}

// rank sorts models whose name is what was written first, then those whose name begins so.
func (w wanted) rank(m model.Registered) int {
	name := strings.ToLower(m.Name)
	for i, hit := range []bool{name == w.text || w.number > 0 && name == w.before, strings.HasPrefix(name, w.text)} {
		if hit {
			return i
		}
	}
	return 2
}

// in returns what is wanted of a model.
func (w wanted) in(m model.Registered) (out []Found) {
	name := strings.ToLower(m.Name)
	if w.number > 0 && strings.Contains(name, w.before) && w.number <= m.Last {
		out = append(out, Found{Model: m.Name, Version: w.number})
	}
	if strings.Contains(name, w.text) {
		out = append(out, Found{Model: m.Name})
	}
	for _, a := range m.Aliases {
		alias := strings.ToLower(a.Name)
		if w.aliased && strings.Contains(name, w.name) && strings.HasPrefix(alias, w.alias) || !w.aliased && strings.Contains(alias, w.text) {
			out = append(out, Found{Model: m.Name, Version: a.Version, Alias: a.Name})
		}
	}
	return out
}
