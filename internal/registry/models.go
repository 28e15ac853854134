package registry

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// CreateModel registers a name.
func (s *Service) CreateModel(ctx context.Context, name string, description *string, tags []track.KV) (Model, error) {
	if err := checkModelName("name", name); err != nil {
		return Model{}, err
	}
	set, err := s.checkTags(tags)
	if err != nil {
		return Model{}, err
	}
	now := s.now()
	m := model.Registered{Name: name, Description: description, CreatedUS: now, UpdatedUS: now, Tags: set}
	tellModel(&m)
	m.Note(model.Change{AtUS: now, Kind: model.ModelCreated})
	err = s.deps.Store.CreateModel(ctx, m)
	if fault.KindOf(err) == fault.Conflict {
		err = s.nameTaken(ctx, m)
	}
	return Model{Registered: m}, err
}

// nameTaken says that a name is in use, and whether a model or a prompt has it.
func (s *Service) nameTaken(ctx context.Context, m model.Registered) error {
	what := func(prompt bool) string {
		if prompt {
			return "Prompt"
		}
		return "Registered Model"
	}
	old, err := s.deps.Store.Model(ctx, m.Name)
	if err == nil && old.Prompt() != m.Prompt() {
		return fault.Conflictf("Tried to create a %s with name '%s', but the name is already taken by a %s. MLflow does not allow creating a "+
			"model and a prompt with the same name.", strings.ToLower(what(m.Prompt())), m.Name, strings.ToLower(what(old.Prompt())))
	}
	return fault.Conflictf("%s (name=%s) already exists.", what(m.Prompt()), m.Name)
}

// Model returns a registered model.
func (s *Service) Model(ctx context.Context, name string) (Model, error) {
	if err := checkModelName("name", name); err != nil {
		return Model{}, err
	}
	m, err := s.deps.Store.Model(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		err = noModel(name)
	}
	if err != nil {
		return Model{}, err
	}
	latest, err := s.deps.Store.LatestVersions(ctx, name)
	return Model{Registered: m, Latest: latest}, err
}

// change changes a model and returns it.
func (s *Service) change(ctx context.Context, name string, change func(*model.Registered) error) (Model, error) {
	if err := checkModelName("name", name); err != nil {
		return Model{}, err
	}
	found, final := false, name
	err := s.deps.Store.ChangeModel(ctx, name, func(m *model.Registered) error {
		found = true
		err := change(m)
		final = m.Name
		return err
	})
	if !found && fault.KindOf(err) == fault.NotFound {
		err = noModel(name)
	}
	if err != nil {
		return Model{}, err
	}
	return s.Model(ctx, final)
}

// DescribeModel sets the description of a model.
func (s *Service) DescribeModel(ctx context.Context, name string, description *string) (Model, error) {
	return s.change(ctx, name, func(m *model.Registered) error {
		m.Description, m.UpdatedUS = description, s.now()
		return nil
	})
}

// RenameModel gives a model and its versions another name.
func (s *Service) RenameModel(ctx context.Context, name, to string) (Model, error) {
	if err := checkModelName("new_name", to); err != nil {
		return Model{}, err
	}
	m, err := s.change(ctx, name, func(m *model.Registered) error {
		from := m.Name
		m.Name, m.UpdatedUS = to, s.now()
		m.Note(model.Change{AtUS: m.UpdatedUS, Kind: model.ModelRenamed, From: from, To: to})
		return nil
	})
	if fault.KindOf(err) == fault.Conflict {
		err = fault.Conflictf("Registered Model (name=%s) already exists.", to)
	}
	return m, err
}

// DeleteModel deletes a model with its versions.
func (s *Service) DeleteModel(ctx context.Context, name string) error {
	if err := checkModelName("name", name); err != nil {
		return err
	}
	err := s.deps.Store.DeleteModel(ctx, name, func(m *model.Registered) {
		m.Note(model.Change{AtUS: s.now(), Kind: model.ModelDeleted})
	})
	if fault.KindOf(err) == fault.NotFound {
		err = noModel(name)
	}
	return err
}

// SetModelTag sets a tag of a model.
func (s *Service) SetModelTag(ctx context.Context, name string, tag track.KV) error {
	if err := checkModelName("name", name); err != nil {
		return err
	}
	if err := s.checkTag(tag); err != nil {
		return err
	}
	_, err := s.change(ctx, name, func(m *model.Registered) error {
		m.Tags = track.Set(m.Tags, tag.Key, tag.Value)
		tellModelTag(m, tag.Key, &tag.Value)
		return nil
	})
	return err
}

// DeleteModelTag removes a tag of a model; one that is not there is no error.
func (s *Service) DeleteModelTag(ctx context.Context, name, key string) error {
	if err := checkModelName("name", name); err != nil {
		return err
	}
	if err := s.deps.CheckName("key", key); err != nil {
		return err
	}
	_, err := s.change(ctx, name, func(m *model.Registered) error {
		m.Tags = track.Without(m.Tags, key)
		tellModelTag(m, key, nil)
		return nil
	})
	return err
}

// CheckAlias refuses what no model can have as alias.
func (s *Service) CheckAlias(alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	return checkReserved(alias)
}

// SetAlias makes an alias point to a version.
func (s *Service) SetAlias(ctx context.Context, name, alias, version string) error {
	if err := checkModelName("name", name); err != nil {
		return err
	}
	if err := s.CheckAlias(alias); err != nil {
		return err
	}
	number, err := Number(version)
	if err != nil {
		return err
	}
	return s.changeVersion(ctx, name, number, func(m *model.Registered, _ *model.Version) error {
		if before := m.Alias(alias); before != number {
			m.Note(model.Change{AtUS: s.now(), Kind: model.AliasSet, Alias: alias, Version: number, Before: before})
		}
		m.Aliases = model.SetAlias(m.Aliases, alias, number)
		tellAlias(m, alias, number)
		return nil
	})
}

// DeleteAlias removes an alias; one that is not there is no error.
func (s *Service) DeleteAlias(ctx context.Context, name, alias string) error {
	if err := checkModelName("name", name); err != nil {
		return err
	}
	if err := checkAlias(alias); err != nil {
		return err
	}
	_, err := s.change(ctx, name, func(m *model.Registered) error {
		if before := m.Alias(alias); before != 0 {
			m.Note(model.Change{AtUS: s.now(), Kind: model.AliasRemoved, Alias: alias, Before: before})
		}
		m.Aliases = slices.DeleteFunc(slices.Clone(m.Aliases), func(a model.Alias) bool { return a.Name == alias })
		tellAlias(m, alias, 0)
		return nil
	})
	return err
}

// Query asks for a page of a search.
type Query struct {
	Filter string
	// NamePart is in the name of each model that is asked for, in upper or lower case; empty asks for all.
	NamePart      string
	OrderBy       []string
	Offset, Limit int
}

// SearchModels returns a page of the models that match, and whether there are more. Prompts are not among them unless the
// filter asks for them.
func (s *Service) SearchModels(ctx context.Context, q Query) ([]Model, bool, error) {
	const most = 1000
	if q.Limit > most {
		return nil, false, fault.Invalidf("Invalid value for request parameter max_results. It must be at most %d, but got value %d", most, q.Limit)
	}
	if q.Limit < 0 {
		return nil, false, fault.Invalidf("Invalid value for request parameter max_results. It must not be negative, but got value %d", q.Limit)
	}
	filter, err := search.Models.Parse(q.Filter)
	if err != nil {
		return nil, false, err
	}
	orders, err := modelOrders(q.OrderBy)
	if err != nil {
		return nil, false, err
	}
	models, err := s.deps.Store.Models(ctx)
	if err != nil {
		return nil, false, err
	}
	prompts := search.WantsTag(filter, model.TagIsPrompt)
	filter = search.WithoutTag(filter, model.TagIsPrompt)
	part := strings.ToLower(q.NamePart)
	models = slices.DeleteFunc(models, func(m model.Registered) bool {
		return m.Prompt() != prompts || !strings.Contains(strings.ToLower(m.Name), part) || !filter.Match(modelRow{m})
	})
	total := len(models)
	models = search.Top(models, q.Offset+q.Limit, func(a, b model.Registered) int {
		for _, o := range orders {
			c := cmp.Compare(a.Name, b.Name)
			if o.time {
				c = cmp.Compare(a.UpdatedUS, b.UpdatedUS)
			}
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(a.Name, b.Name)
	})
	models = models[min(q.Offset, len(models)):]
	more := total > q.Offset+q.Limit
	out := make([]Model, len(models))
	for i, m := range models {
		latest, err := s.deps.Store.LatestVersions(ctx, m.Name)
		if err != nil {
			return nil, false, err
		}
		out[i] = Model{Registered: m, Latest: latest}
	}
	return out, more, nil
}

type nameOrTime struct{ time, desc bool }

// modelOrders reads the orders of a search of models, which know only the name and the time of the last change.
func modelOrders(clauses []string) ([]nameOrTime, error) {
	var out []nameOrTime
	for _, clause := range clauses {
		invalid := fault.Invalidf("Invalid order_by clause '%s'. Could not be parsed.", clause)
		words := strings.Fields(clause)
		if len(words) == 0 || len(words) > 2 {
			return nil, invalid
		}
		var o nameOrTime
		if len(words) == 2 {
			switch strings.ToLower(words[1]) {
			case "desc":
				o.desc = true
			case "asc":
			default:
				return nil, fault.Invalidf("Invalid ordering key in order_by clause '%s'.", clause)
			}
		}
		switch key := strings.Trim(words[0], "`\""); key {
		case "name":
		case "timestamp", "last_updated_timestamp":
			o.time = true
		default:
			return nil, fault.Invalidf("Invalid order by key '%s' specified. Valid keys are '{'name', 'timestamp'}'", words[0])
		}
		for _, before := range out {
			if before.time == o.time {
				return nil, &search.DuplicateError{Clauses: clauses}
			}
		}
		out = append(out, o)
	}
	return out, nil
}

type modelRow struct{ model.Registered }

func (r modelRow) Text(e search.Entity, key string) (string, bool) {
	if e == search.Tag {
		return track.Find(r.Tags, key)
	}
	return r.Name, key == "name"
}

func (modelRow) Number(search.Entity, string, search.Part) (float64, bool) { return 0, false }
func (modelRow) Each(string) []string                                      { return nil }
