package mlflow

import (
	"cmp"
	"strconv"

	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/registry"
)

type versionWire struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	CreatedMS   int64    `json:"creation_timestamp"`
	UpdatedMS   int64    `json:"last_updated_timestamp"`
	Stage       string   `json:"current_stage"`
	Description *string  `json:"description,omitempty"`
	Source      string   `json:"source"`
	RunID       string   `json:"run_id"`
	Status      string   `json:"status"`
	Tags        []kv     `json:"tags,omitempty"`
	RunLink     string   `json:"run_link"`
	UserID      string   `json:"user_id,omitempty"`
	Message     string   `json:"status_message,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
}

func wireVersion(v registry.Version) versionWire {
	w := versionWire{Name: v.Name, Version: strconv.FormatInt(v.Number, 10), CreatedMS: v.CreatedUS / 1000, UpdatedMS: v.UpdatedUS / 1000,
		Stage: string(v.Stage), Description: v.Description, Source: v.Source, RunID: v.RunID, Status: cmp.Or(v.Status, "READY"), Message: v.StatusMessage, UserID: v.UserID, Tags: kvs(v.Tags),
		RunLink: v.RunLink, Aliases: v.Aliases}
	return w
}

type aliasWire struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

type modelWire struct {
	Name        string        `json:"name"`
	CreatedMS   int64         `json:"creation_timestamp"`
	UpdatedMS   int64         `json:"last_updated_timestamp"`
	Description string        `json:"description,omitempty"`
	Latest      []versionWire `json:"latest_versions,omitempty"`
	Tags        []kv          `json:"tags,omitempty"`
	Aliases     []aliasWire   `json:"aliases,omitempty"`
}

func wireModel(m registry.Model) modelWire {
	w := modelWire{Name: m.Name, CreatedMS: m.CreatedUS / 1000, UpdatedMS: m.UpdatedUS / 1000, Tags: kvs(m.Tags)}
	if m.Description != nil {
		w.Description = *m.Description
	}
	for _, v := range m.Latest {
		w.Latest = append(w.Latest, wireVersion(registry.Version{Version: v}))
	}
	for _, a := range m.Aliases {
		w.Aliases = append(w.Aliases, aliasWire{a.Name, strconv.FormatInt(a.Version, 10)})
	}
	return w
}

type modelAnswer struct {
	Model modelWire `json:"registered_model"`
}

type versionAnswer struct {
	Version versionWire `json:"model_version"`
}

// version reads the number of a version, which clients send as text.
func (r *request) version(name string) string {
	v, there := r.take(name, required)
	if i, ok := integer(v); there && ok {
		return strconv.FormatInt(i, 10)
	}
	return r.text(name, required)
}

func (d *door) createModel(r *request) (any, error) {
	name, tags, description := r.text("name", required), r.pairs("tags"), r.optionalText("description")
	if r.err != nil {
		return nil, r.err
	}
	m, err := d.Registry.CreateModel(r.Context(), name, description, tags)
	return modelAnswer{wireModel(m)}, err
}

func (d *door) getModel(r *request) (any, error) {
	name := r.text("name", required)
	if r.err != nil {
		return nil, r.err
	}
	m, err := d.Registry.Model(r.Context(), name)
	return modelAnswer{wireModel(m)}, err
}

func (d *door) updateModel(r *request) (any, error) {
	name, description := r.text("name", required), r.text("description", optional)
	if r.err != nil {
		return nil, r.err
	}
	m, err := d.Registry.DescribeModel(r.Context(), name, &description)
	return modelAnswer{wireModel(m)}, err
}

func (d *door) renameModel(r *request) (any, error) {
	name, to := r.text("name", required), r.text("new_name", required)
	if r.err != nil {
		return nil, r.err
	}
	m, err := d.Registry.RenameModel(r.Context(), name, to)
	return modelAnswer{wireModel(m)}, err
}

func (d *door) deleteModel(r *request) (any, error) {
	name := r.text("name", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.DeleteModel(r.Context(), name)
}

func (r *request) registryQuery(byDefault int64) registry.Query {
	return registry.Query{Filter: r.text("filter", optional), OrderBy: r.texts("order_by", optional), Limit: r.limit64("max_results", byDefault),
		Offset: r.page()}
}

func (r *request) atMost(n, most int) {
	if r.err == nil && n > most {
		r.err = fault.Invalidf("Invalid value \"%d\" for parameter 'max_results' supplied:  Hint: Value was of type 'str'."+seeDocs, n)
	}
}

func (d *door) searchModels(r *request) (any, error) {
	q := r.registryQuery(100)
	r.atMost(q.Limit, 1000)
	if r.err != nil {
		return nil, r.err
	}
	found, more, err := d.Registry.SearchModels(r.Context(), q)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Models []modelWire `json:"registered_models,omitempty"`
		Token  string      `json:"next_page_token,omitempty"`
	}
	for _, m := range found {
		answer.Models = append(answer.Models, wireModel(m))
	}
	if more {
		answer.Token = encodeToken(q.Offset + q.Limit)
	}
	return answer, nil
}

type versionsAnswer struct {
	Versions []versionWire `json:"model_versions,omitempty"`
	Token    string        `json:"next_page_token,omitempty"`
}

func (d *door) latestVersions(r *request) (any, error) {
	name, stages := r.text("name", required), r.texts("stages", optional)
	if r.err != nil {
		return nil, r.err
	}
	found, err := d.Registry.LatestVersions(r.Context(), name, stages)
	var answer versionsAnswer
	for _, v := range found {
		answer.Versions = append(answer.Versions, wireVersion(v))
	}
	return answer, err
}

func (d *door) setModelTag(r *request) (any, error) {
	name, tag := r.text("name", required), track.KV{Key: r.text("key", required), Value: r.text("value", optional)}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.SetModelTag(r.Context(), name, tag)
}

func (d *door) deleteModelTag(r *request) (any, error) {
	name, key := r.text("name", required), r.text("key", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.DeleteModelTag(r.Context(), name, key)
}

func (d *door) setAlias(r *request) (any, error) {
	name, alias, version := r.text("name", required), r.text("alias", required), r.version("version")
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.SetAlias(r.Context(), name, alias, version)
}

func (d *door) deleteAlias(r *request) (any, error) {
	name, alias := r.text("name", required), r.text("alias", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.DeleteAlias(r.Context(), name, alias)
}

func (d *door) versionByAlias(r *request) (any, error) {
	name, alias := r.text("name", required), r.text("alias", required)
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.VersionByAlias(r.Context(), name, alias)
	return versionAnswer{wireVersion(v)}, err
}

func (d *door) createVersion(r *request) (any, error) {
	n := registry.NewVersion{Name: r.text("name", required), Source: r.text("source", required), RunID: r.optionalText("run_id"), Tags: r.pairs("tags"),
		RunLink: r.text("run_link", optional), Description: r.text("description", optional), ModelID: r.optionalText("model_id")}
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.CreateVersion(r.Context(), n)
	return versionAnswer{wireVersion(v)}, err
}

func (d *door) getVersion(r *request) (any, error) {
	name, version := r.text("name", required), r.version("version")
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.Version(r.Context(), name, version)
	return versionAnswer{wireVersion(v)}, err
}

func (d *door) updateVersion(r *request) (any, error) {
	name, version, description := r.text("name", required), r.version("version"), r.optionalText("description")
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.DescribeVersion(r.Context(), name, version, description)
	return versionAnswer{wireVersion(v)}, err
}

func (d *door) moveVersion(r *request) (any, error) {
	name, version, stage := r.text("name", required), r.version("version"), r.text("stage", required)
	archive := r.flag("archive_existing_versions")
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.MoveVersion(r.Context(), name, version, stage, archive)
	return versionAnswer{wireVersion(v)}, err
}

func (d *door) deleteVersion(r *request) (any, error) {
	name, version := r.text("name", required), r.version("version")
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.DeleteVersion(r.Context(), name, version)
}

func (d *door) downloadURI(r *request) (any, error) {
	name, version := r.text("name", optional), r.text("version", optional)
	if r.err != nil {
		return nil, r.err
	}
	v, err := d.Registry.Version(r.Context(), name, version)
	return map[string]string{"artifact_uri": v.Location}, err
}

func (d *door) searchVersions(r *request) (any, error) {
	q := r.registryQuery(10_000)
	r.atMost(q.Limit, 200_000)
	if r.err != nil {
		return nil, r.err
	}
	found, more, err := d.Registry.SearchVersions(r.Context(), q)
	if err != nil {
		return nil, err
	}
	var answer versionsAnswer
	for _, v := range found {
		answer.Versions = append(answer.Versions, wireVersion(v))
	}
	if more {
		answer.Token = encodeToken(q.Offset + q.Limit)
	}
	return answer, nil
}

func (d *door) setVersionTag(r *request) (any, error) {
	name, version, tag := r.text("name", required), r.version("version"), track.KV{Key: r.text("key", required), Value: r.text("value", optional)}
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.SetVersionTag(r.Context(), name, version, tag)
}

func (d *door) deleteVersionTag(r *request) (any, error) {
	name, version, key := r.text("name", required), r.version("version"), r.text("key", required)
	if r.err != nil {
		return nil, r.err
	}
	return empty{}, d.Registry.DeleteVersionTag(r.Context(), name, version, key)
}
