package store

import (
	"context"
	"encoding/json"
	"fmt"

	"levada/internal/core/endpoint"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

// Lineage is what the lineage service sees of a Store. Every method takes many keys and is one query, or two: a graph is found level by
// level, not node by node. What is not there is left out of the answer.
type Lineage struct{ s *Store }

// Lineage returns the part of the store that is for the lineage service.
func (s *Store) Lineage() Lineage { return Lineage{s} }

// putUses notes what a task reads, once it runs or its result was found.
func putUses(ctx context.Context, tx *tx, t run.Task) error {
	if t.Kind != run.KindContainer || t.State == run.Pending || t.State == run.Skipped {
		return nil
	}
	maker := t.ID
	if t.CachedFrom != "" {
		maker = t.CachedFrom
	}
	var contents []string
	for _, artifacts := range t.Inputs.Artifacts {
		for _, a := range artifacts {
			contents = append(contents, a.Content())
		}
	}
	if len(contents) == 0 {
		return nil
	}
	list, err := keysOf(contents)
	if err != nil {
		return err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `
		INSERT INTO artifact_uses (content, maker, run_id, path)
		SELECT value, $2, $3, $4 FROM json_each($1) WHERE true
		ON CONFLICT DO NOTHING`, list, maker, t.RunID, t.Path)
	return err
}

// keysOf is a list of keys as a query takes it.
func keysOf(keys []string) (string, error) {
	if keys == nil {
		keys = []string{}
	}
	text, err := json.Marshal(keys)
	return string(text), err
}

// those reads the bodies that a query selects by $1, a list of keys.
func those[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, keys []string, more ...any) ([]T, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	list, err := keysOf(keys)
	if err != nil {
		return nil, err
	}
	return readAll(ctx, s, scan, query, append([]any{list}, more...)...)
}

// grouped reads, for each key, at most each of the texts that a query finds. The query is one text column and names its key k.value; it
// is run inside of another that goes through the keys, so that a key with a million of them costs no more than others.
func (l Lineage) grouped(ctx context.Context, query string, keys []string, each int) (map[string][]string, error) {
	type group struct {
		key  string
		list []string
	}
	groups, err := those(ctx, l.s, func(scan scanner) (group, error) {
		var g group
		var list string
		if err := scan(&g.key, &list); err != nil {
			return g, err
		}
		return g, decode("list", list, &g.list)
	}, fmt.Sprintf(`
		SELECT k.value, (SELECT json_group_array(found) FROM (%s LIMIT $2))
		FROM json_each($1) k`, query), keys, each)
	out := map[string][]string{}
	for _, g := range groups {
		if len(g.list) > 0 {
			out[g.key] = g.list
		}
	}
	return out, err
}

// Artifacts returns artifacts by their ids.
func (l Lineage) Artifacts(ctx context.Context, ids []string) ([]run.Artifact, error) {
	// Uses the primary key.
	return those(ctx, l.s, scanArtifact, `SELECT body FROM artifacts WHERE id IN (SELECT value FROM json_each($1))`, ids)
}

// ArtifactsWith returns, for each of some contents, at most each artifacts that have it, the newest first.
func (l Lineage) ArtifactsWith(ctx context.Context, contents []string, each int) ([]run.Artifact, error) {
	// Uses artifacts_by_digest, artifacts_by_uri, which wants the expression and the condition as they are there, and the primary key.
	ids, err := l.grouped(ctx, `
		SELECT id AS found FROM (
			SELECT id, created_at FROM artifacts WHERE digest = k.value AND k.value <> ''
			UNION ALL
			SELECT id, created_at FROM artifacts WHERE json_extract(body, '$.uri') = k.value AND digest = ''
			UNION ALL
			SELECT id, created_at FROM artifacts WHERE 'artifact:' || id = k.value AND id = substr(k.value, 10))
		ORDER BY created_at DESC, id`, contents, each)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, content := range contents {
		all = append(all, ids[content]...)
	}
	found, err := l.Artifacts(ctx, all)
	if err != nil {
		return nil, err
	}
	byID := byKey(found, func(a run.Artifact) string { return a.ID })
	out := make([]run.Artifact, 0, len(all))
	for _, id := range all {
		if a, ok := byID[id]; ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// Tasks returns tasks by their ids. For one whose run was deleted it returns a task that reused its result, which has the same inputs
// and outputs and names it.
func (l Lineage) Tasks(ctx context.Context, ids []string) ([]run.Task, error) {
	// Uses tasks_by_id.
	tasks, err := those(ctx, l.s, scanTask, `SELECT body FROM tasks WHERE id IN (SELECT value FROM json_each($1))`, ids)
	if err != nil {
		return nil, err
	}
	there := byKey(tasks, func(t run.Task) string { return t.ID })
	var gone []string
	for _, id := range ids {
		if _, ok := there[id]; !ok {
			gone = append(gone, id)
		}
	}
	// Uses tasks_by_source.
	stand, err := those(ctx, l.s, scanTask, `
		SELECT found.body
		FROM json_each($1) k
		JOIN tasks found ON found.rowid = (SELECT rowid FROM tasks WHERE cached_from = k.value AND cached_from <> '' LIMIT 1)`, gone)
	return append(tasks, stand...), err
}

// Users returns, for each content, at most each ids of tasks that read it.
func (l Lineage) Users(ctx context.Context, contents []string, each int) (map[string][]string, error) {
	// Uses the primary key.
	return l.grouped(ctx, `SELECT DISTINCT maker AS found FROM artifact_uses WHERE content = k.value`, contents, each)
}

// Reuses says how many tasks took over the result of each task, counting no further than most.
func (l Lineage) Reuses(ctx context.Context, ids []string, most int) (map[string]int, error) {
	// Uses tasks_by_source.
	found, err := l.grouped(ctx, `SELECT id AS found FROM tasks WHERE cached_from = k.value AND cached_from <> ''`, ids, most)
	out := map[string]int{}
	for id, list := range found {
		out[id] = len(list)
	}
	return out, err
}

// RunNames returns the names of pipelines' runs.
func (l Lineage) RunNames(ctx context.Context, ids []string) (map[string]string, error) {
	type named struct{ id, name string }
	// Uses the primary key.
	rows, err := those(ctx, l.s, func(scan scanner) (named, error) {
		var n named
		err := scan(&n.id, &n.name)
		return n, err
	}, `SELECT id, display_name FROM runs WHERE id IN (SELECT value FROM json_each($1))`, ids)
	out := map[string]string{}
	for _, n := range rows {
		out[n.id] = n.name
	}
	return out, err
}

// Runs returns tracked runs by their ids, with the tags that tell where they belong and with what they read and made.
func (l Lineage) Runs(ctx context.Context, ids []string) ([]track.Run, error) {
	// Uses the primary key.
	runs, err := those(ctx, l.s, scanTrackedRun, `
		SELECT `+trackedRunColumns+` FROM tracking_runs WHERE id IN (SELECT value FROM json_each($1))`, ids)
	if err != nil || len(runs) == 0 {
		return runs, err
	}
	at := map[string]*track.Run{}
	for i := range runs {
		at[runs[i].ID] = &runs[i]
	}
	type part struct{ run, kind, body string }
	scan := func(scan scanner) (part, error) {
		var p part
		err := scan(&p.run, &p.kind, &p.body)
		return p, err
	}
	// Uses the primary keys.
	parts, err := those(ctx, l.s, scan, `
		SELECT run_id, kind, body
		FROM tracking_links
		WHERE run_id IN (SELECT value FROM json_each($1))
		ORDER BY run_id, n`, ids)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		r := at[p.run]
		if r == nil {
			continue
		}
		if err := link(r, p.kind, p.body); err != nil {
			return nil, err
		}
	}
	tags, err := those(ctx, l.s, scan, `
		SELECT run_id, key, value
		FROM tracking_tags
		WHERE run_id IN (SELECT value FROM json_each($1)) AND key IN ('`+track.TagParentRun+`', '`+track.TagPipelineRun+`', '`+track.TagTask+`')`, ids)
	for _, p := range tags {
		if r := at[p.run]; r != nil {
			r.Tags = append(r.Tags, track.KV{Key: p.kind, Value: p.body})
		}
	}
	return runs, err
}

// RunsWithDataset returns, for each dataset, at most each ids of runs that read it..
func (l Lineage) RunsWithDataset(ctx context.Context, datasets []string, each int) (map[string][]string, error) {
	// Uses tracking_links_by_ref.
	return l.grouped(ctx, `SELECT DISTINCT run_id AS found FROM tracking_links WHERE kind = '`+linkDataset+`' AND ref = k.value`, datasets, each)
}

// RunsWithModel returns, for each logged model, at most each ids of runs that read it.
func (l Lineage) RunsWithModel(ctx context.Context, models []string, each int) (map[string][]string, error) {
	// Uses tracking_links_by_ref.
	return l.grouped(ctx, `SELECT DISTINCT run_id AS found FROM tracking_links WHERE kind = '`+linkInput+`' AND ref = k.value`, models, each)
}

// RunsBeneath returns, for each run, at most each ids of runs that say they are beneath it.
func (l Lineage) RunsBeneath(ctx context.Context, runs []string, each int) (map[string][]string, error) {
	// Uses tracking_tags_by_parent.
	return l.grouped(ctx, `SELECT run_id AS found FROM tracking_tags WHERE key = '`+track.TagParentRun+`' AND value = k.value`, runs, each)
}

// Models returns logged models by their ids.
func (l Lineage) Models(ctx context.Context, ids []string) ([]track.LoggedModel, error) {
	// Uses the primary key.
	return those(ctx, l.s, scanLogged, `SELECT body FROM tracking_models WHERE id IN (SELECT value FROM json_each($1))`, ids)
}

// ModelsOf returns, for each run, at most each ids of logged models that it made.
func (l Lineage) ModelsOf(ctx context.Context, runs []string, each int) (map[string][]string, error) {
	// Uses tracking_models_by_run, which wants the expression as it is there.
	return l.grouped(ctx, `SELECT id AS found FROM tracking_models WHERE json_extract(body, '$.source_run_id') = k.value`, runs, each)
}

// Versions returns versions of registered models. A version is named "model/number".
func (l Lineage) Versions(ctx context.Context, names []string) ([]model.Version, error) {
	// Uses the primary key: the name ends at the last slash.
	return those(ctx, l.s, scanModelVersion, `
		SELECT v.body
		FROM json_each($1) k
		JOIN registry_versions v
			ON v.name = rtrim(rtrim(k.value, '0123456789'), '/')
			AND v.version = CAST(substr(k.value, length(rtrim(k.value, '0123456789')) + 1) AS INTEGER)`, names)
}

// Registered returns registered models.
func (l Lineage) Registered(ctx context.Context, names []string) ([]model.Registered, error) {
	// Uses the primary key.
	return those(ctx, l.s, scanModel, `SELECT body FROM registry_models WHERE name IN (SELECT value FROM json_each($1))`, names)
}

// versionName is the name that Versions takes.
const versionName = `name || '/' || version`

// VersionsOfModels returns, for each logged model, at most each names of versions that it became.
func (l Lineage) VersionsOfModels(ctx context.Context, models []string, each int) (map[string][]string, error) {
	// Uses registry_versions_by_model, which wants the expression as it is there.
	return l.grouped(ctx, `SELECT `+versionName+` AS found FROM registry_versions WHERE json_extract(body, '$.model_id') = k.value`, models, each)
}

// VersionsOfRuns returns, for each run, at most each names of versions that were registered from it and not from a logged model.
func (l Lineage) VersionsOfRuns(ctx context.Context, runs []string, each int) (map[string][]string, error) {
	// Uses registry_versions_by_run, which wants the expression as it is there.
	return l.grouped(ctx, `
		SELECT `+versionName+` AS found
		FROM registry_versions
		WHERE json_extract(body, '$.run_id') = k.value AND COALESCE(json_extract(body, '$.model_id'), '') = ''`, runs, each)
}

// Deployed returns the versions of endpoints.
func (l Lineage) Deployed(ctx context.Context, endpoints []string) ([]endpoint.Deployed, error) {
	// Uses the primary key.
	return those(ctx, l.s, scanDeployed, `
		SELECT body
		FROM endpoint_versions
		WHERE endpoint IN (SELECT value FROM json_each($1))
		ORDER BY endpoint, CAST(version AS INTEGER)`, endpoints)
}

// EndpointsOf returns the endpoints at which versions are deployed. There are few of them: each is looked at.
func (l Lineage) EndpointsOf(ctx context.Context, versions []string, each int) (map[string][]string, error) {
	return l.grouped(ctx, `
		SELECT endpoint AS found
		FROM endpoint_versions
		WHERE json_extract(body, '$.model') || '/' || version = k.value
		ORDER BY endpoint`, versions, each)
}
