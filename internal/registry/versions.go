package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// Version is a version with the aliases that point to it.
type Version struct {
	model.Version
	Aliases []string
}

// NewVersion asks for a version. RunID and ModelID are nil where the client gave none.
type NewVersion struct {
	Name, Source   string
	RunID, ModelID *string
	RunLink        string
	Description    string
	Tags           []track.KV
}

// CreateVersion registers the model at a source as a new version. The source is checked first: it may name only what the run
// or logged model that is named with it holds, or what lies outside the server.
func (s *Service) CreateVersion(ctx context.Context, n NewVersion) (Version, error) {
	prompt, _ := track.Find(n.Tags, model.TagIsPrompt)
	src := source{uri: n.Source, runID: deref(n.RunID), modelID: deref(n.ModelID)}
	var err error
	if strings.EqualFold(prompt, "true") {
		err = checkPromptSource(n.Source)
	} else {
		err = s.checkSource(ctx, &src, n)
	}
	if err != nil {
		return Version{}, err
	}
	if err := checkModelName("name", n.Name); err != nil {
		return Version{}, err
	}
	tags, err := s.checkTags(n.Tags)
	if err != nil {
		return Version{}, err
	}
	if src.location == "" {
		src.location = src.uri
	}
	files, err := s.deps.Sources.Files(ctx, src.location)
	if err != nil {
		return Version{}, err
	}
	now := s.now()
	v := model.Version{Name: n.Name, CreatedUS: now, UpdatedUS: now, Stage: model.None, Source: src.uri, Location: src.location,
		RunID: src.runID, RunLink: n.RunLink, ModelID: src.modelID, Description: &n.Description, Tags: tags, Files: files}
	err = s.deps.Store.AddVersion(ctx, n.Name, func(m *model.Registered) (model.Version, error) {
		m.Last++
		m.UpdatedUS = now
		v.Number = m.Last
		tellVersion(m, v)
		m.Note(model.Change{AtUS: now, Kind: model.VersionCreated, Version: v.Number})
		return v, nil
	})
	if fault.KindOf(err) == fault.NotFound {
		err = noModel(n.Name)
	}
	if err != nil {
		return Version{}, err
	}
	if src.modelID != "" {
		// The version is stored: a client that is told of an error would make another one.
		if err := s.deps.Sources.Registered(context.WithoutCancel(ctx), src.modelID, n.Name, v.Number); err != nil {
			s.deps.Logger.WarnContext(ctx, "a logged model could not be told of its version", "model", n.Name, "version", v.Number,
				"logged model", src.modelID, "error", err)
		}
	}
	return Version{Version: v}, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Version returns a version.
func (s *Service) Version(ctx context.Context, name, version string) (Version, error) {
	if err := checkModelName("name", name); err != nil {
		return Version{}, err
	}
	number, err := Number(version)
	if err != nil {
		return Version{}, err
	}
	return s.version(ctx, name, number)
}

func (s *Service) version(ctx context.Context, name string, number int64) (Version, error) {
	v, err := s.deps.Store.Version(ctx, name, number)
	if fault.KindOf(err) == fault.NotFound {
		err = noVersion(name, number)
	}
	if err != nil {
		return Version{}, err
	}
	m, err := s.deps.Store.Model(ctx, name)
	return Version{Version: v, Aliases: m.AliasesOf(number)}, err
}

// VersionByAlias returns the version that an alias points to; "latest" is the highest number.
func (s *Service) VersionByAlias(ctx context.Context, name, alias string) (Version, error) {
	if err := checkModelName("name", name); err != nil {
		return Version{}, err
	}
	if err := checkAlias(alias); err != nil {
		return Version{}, err
	}
	m, err := s.Model(ctx, name)
	if err != nil {
		return Version{}, err
	}
	if strings.EqualFold(alias, "latest") {
		if len(m.Latest) == 0 {
			return Version{}, fault.NotFoundf("Latest version not found for model %s.", name)
		}
		return s.version(ctx, name, m.Latest[len(m.Latest)-1].Number)
	}
	for _, a := range m.Aliases {
		if a.Name == alias {
			return s.version(ctx, name, a.Version)
		}
	}
	return Version{}, fault.Invalidf("Registered model alias %s not found.", alias)
}

func (s *Service) changeVersion(ctx context.Context, name string, number int64, change func(*model.Registered, *model.Version) error) error {
	found := false
	err := s.deps.Store.ChangeVersion(ctx, name, number, func(m *model.Registered, v *model.Version) error {
		found = true
		return change(m, v)
	})
	if !found && fault.KindOf(err) == fault.NotFound {
		return noVersion(name, number)
	}
	return err
}

// DescribeVersion sets the description of a version.
func (s *Service) DescribeVersion(ctx context.Context, name, version string, description *string) (Version, error) {
	return s.edit(ctx, name, version, func(_ *model.Registered, v *model.Version) error {
		v.Description, v.UpdatedUS = description, s.now()
		return nil
	})
}

func (s *Service) edit(ctx context.Context, name, version string, change func(*model.Registered, *model.Version) error) (Version, error) {
	if err := checkModelName("name", name); err != nil {
		return Version{}, err
	}
	number, err := Number(version)
	if err != nil {
		return Version{}, err
	}
	if err := s.changeVersion(ctx, name, number, change); err != nil {
		return Version{}, err
	}
	return s.version(ctx, name, number)
}

// MoveVersion puts a version into a stage; with archive those that are in the stage are archived.
func (s *Service) MoveVersion(ctx context.Context, name, version, stage string, archive bool) (Version, error) {
	to, err := canonical(stage)
	if err != nil {
		return Version{}, err
	}
	if archive && to != model.Staging && to != model.Production {
		return Version{}, fmt.Errorf("%w", &ArchiveError{stage})
	}
	if err := checkModelName("name", name); err != nil {
		return Version{}, err
	}
	number, err := Number(version)
	if err != nil {
		return Version{}, err
	}
	now, found := s.now(), false
	pick := func(v model.Version) bool { return v.Number == number || archive && v.Stage == to }
	absent := errors.New("absent")
	err = s.deps.Store.ChangeVersions(ctx, name, pick, func(m *model.Registered, v *model.Version) error {
		v.UpdatedUS, m.UpdatedUS = now, now
		from := v.Stage
		if v.Number == number {
			v.Stage, found = to, true
		} else {
			v.Stage = model.Archived
		}
		if v.Stage != from {
			m.Note(model.Change{AtUS: now, Kind: model.StageChanged, Version: v.Number, From: string(from), To: string(v.Stage)})
		}
		return nil
	})
	if !found && (err == nil || fault.KindOf(err) == fault.NotFound || errors.Is(err, absent)) {
		return Version{}, noVersion(name, number)
	}
	if err != nil {
		return Version{}, err
	}
	return s.version(ctx, name, number)
}

// ArchiveError says that a stage does not archive others. MLflow calls that an internal error, so it has a type of its own.
type ArchiveError struct{ Stage string }

// Error returns MLflow's words.
func (e *ArchiveError) Error() string {
	return fmt.Sprintf("Model version transition cannot archive existing model versions because '%s' is not an Active stage. "+
		"Valid stages are ['Staging', 'Production']", e.Stage)
}

// DeleteVersion deletes a version and the aliases that point to it.
func (s *Service) DeleteVersion(ctx context.Context, name, version string) error {
	number, err := Number(version)
	if err != nil {
		return err
	}
	if err := checkModelName("name", name); err != nil {
		return err
	}
	err = s.deps.Store.DeleteVersion(ctx, name, number, func(m *model.Registered) {
		m.UpdatedUS = s.now()
		for _, a := range m.AliasesOf(number) {
			m.Note(model.Change{AtUS: m.UpdatedUS, Kind: model.AliasRemoved, Alias: a, Before: number})
		}
		m.Note(model.Change{AtUS: m.UpdatedUS, Kind: model.VersionDeleted, Version: number})
		m.Aliases = slices.DeleteFunc(slices.Clone(m.Aliases), func(a model.Alias) bool { return a.Version == number })
	})
	if fault.KindOf(err) == fault.NotFound {
		err = noVersion(name, number)
	}
	return err
}

// SetVersionTag sets a tag of a version.
func (s *Service) SetVersionTag(ctx context.Context, name, version string, tag track.KV) error {
	if err := checkModelName("name", name); err != nil {
		return err
	}
	if _, err := Number(version); err != nil {
		return err
	}
	if err := s.checkTag(tag); err != nil {
		return err
	}
	_, err := s.edit(ctx, name, version, func(m *model.Registered, v *model.Version) error {
		v.Tags = track.Set(v.Tags, tag.Key, tag.Value)
		tellVersionTag(m, v.Number, tag.Key, &tag.Value)
		return nil
	})
	return err
}

// DeleteVersionTag removes a tag of a version; one that is not there is no error.
func (s *Service) DeleteVersionTag(ctx context.Context, name, version, key string) error {
	if err := s.deps.CheckName("key", key); err != nil {
		return err
	}
	_, err := s.edit(ctx, name, version, func(m *model.Registered, v *model.Version) error {
		v.Tags = track.Without(v.Tags, key)
		tellVersionTag(m, v.Number, key, nil)
		return nil
	})
	return err
}

// LatestVersions returns the newest version of each of the stages; of all stages when none is named.
func (s *Service) LatestVersions(ctx context.Context, name string, stages []string) ([]Version, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	wanted := map[model.Stage]bool{}
	for _, stage := range stages {
		c, err := canonical(stage)
		if err != nil {
			return nil, err
		}
		wanted[c] = true
	}
	var out []Version
	for _, v := range m.Latest {
		if len(wanted) == 0 || wanted[v.Stage] {
			out = append(out, Version{Version: v, Aliases: m.AliasesOf(v.Number)})
		}
	}
	return out, nil
}

// SearchVersions returns a page of the versions that match, and whether there are more. Versions of prompts are not among
// them unless the filter asks for them.
func (s *Service) SearchVersions(ctx context.Context, q Query) ([]Version, bool, error) {
	const most = 200_000
	if q.Limit < 1 {
		return nil, false, fault.Invalidf("Invalid value for max_results. It must be a positive integer, but got %d", q.Limit)
	}
	if q.Limit > most {
		return nil, false, fault.Invalidf("Invalid value for request parameter max_results. It must be at most %d, but got value %d", most, q.Limit)
	}
	filter, err := search.ModelVersions.Parse(q.Filter)
	if err != nil {
		return nil, false, err
	}
	if len(q.OrderBy) == 0 {
		q.OrderBy = []string{"last_updated_timestamp DESC", "name ASC", "version_number DESC"}
	}
	orders, err := search.ModelVersions.ParseOrders(q.OrderBy)
	if err != nil {
		return nil, false, err
	}
	models, err := s.deps.Store.Models(ctx)
	if err != nil {
		return nil, false, err
	}
	byName := map[string]model.Registered{}
	for _, m := range models {
		byName[m.Name] = m
	}
	versions, err := s.deps.Store.Versions(ctx)
	if err != nil {
		return nil, false, err
	}
	prompts := search.WantsTag(filter, model.TagIsPrompt)
	filter = search.WithoutTag(filter, model.TagIsPrompt)
	versions = slices.DeleteFunc(versions, func(v *model.Version) bool {
		tag, _ := track.Find(v.Tags, model.TagIsPrompt)
		return (tag == "true" || byName[v.Name].Prompt()) != prompts || !filter.Match(versionRow{v})
	})
	found, more := topVersions(versions, orders, q)
	return found, more, nil
}

// topVersions sorts versions as far as a page needs it, and returns the page and whether there are more.
func topVersions(versions []*model.Version, orders []search.Order, q Query) ([]Version, bool) {
	rows := search.KeyAll(versions, orders, func(v *model.Version, _ int) search.Row { return versionRow{v} })
	top := search.Top(rows, q.Offset+q.Limit, func(a, b search.Keyed[*model.Version]) int {
		for i, o := range orders {
			if c := o.Compare(a.Keys[i], b.Keys[i]); c != 0 {
				return c
			}
		}
		if c := cmp.Compare(a.Row.Name, b.Row.Name); c != 0 {
			return c
		}
		return cmp.Compare(b.Row.Number, a.Row.Number)
	})
	top = top[min(q.Offset, len(top)):]
	out := make([]Version, len(top))
	for i, v := range top {
		out[i] = Version{Version: *v.Row}
	}
	return out, len(rows) > q.Offset+q.Limit
}

// From returns the versions that came of logged models or runs, in the order of their making.
func (s *Service) From(ctx context.Context, modelIDs, runIDs []string) ([]Version, error) {
	all, err := s.deps.Store.Versions(ctx)
	if err != nil {
		return nil, err
	}
	var out []Version
	for _, v := range all {
		if v.ModelID != "" && slices.Contains(modelIDs, v.ModelID) || v.RunID != "" && slices.Contains(runIDs, v.RunID) {
			out = append(out, Version{Version: *v})
		}
	}
	slices.SortFunc(out, func(a, b Version) int {
		return cmp.Or(cmp.Compare(a.CreatedUS, b.CreatedUS), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Number, b.Number))
	})
	return out, nil
}

type versionRow struct{ *model.Version }

func (r versionRow) Text(e search.Entity, key string) (string, bool) {
	switch {
	case e == search.Tag:
		return track.Find(r.Tags, key)
	case key == "name":
		return r.Name, true
	case key == "run_id":
		return r.RunID, true
	}
	return r.Source, key == "source_path"
}

func (r versionRow) Number(_ search.Entity, key string, _ search.Part) (float64, bool) {
	switch key {
	case "version_number":
		return float64(r.Version.Number), true
	case "creation_timestamp":
		return float64(r.CreatedUS), true
	}
	return float64(r.UpdatedUS), true
}

func (versionRow) Each(string) []string { return nil }

// Versions returns the newest versions of a model, at most limit of them, and how many there are.
func (s *Service) Versions(ctx context.Context, name string, limit int) ([]Version, int, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	all, err := s.deps.Store.Versions(ctx)
	if err != nil {
		return nil, 0, err
	}
	var versions []*model.Version
	for _, v := range all {
		if v.Name == name {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b *model.Version) int { return cmp.Compare(b.Number, a.Number) })
	out := make([]Version, min(limit, len(versions)))
	for i := range out {
		out[i] = Version{Version: *versions[i], Aliases: m.AliasesOf(versions[i].Number)}
	}
	return out, len(versions), nil
}
