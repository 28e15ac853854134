package lineage

import (
	"context"
	"strconv"
	"time"

	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

// load reads what is to be known of nodes, all of a kind at once.
func (w *walk) load(ctx context.Context, ids []string) error {
	keys := map[Kind][]string{}
	for _, id := range ids {
		if n := w.nodes[id]; !n.loaded {
			n.loaded = true
			kind := kindOf(id)
			keys[kind] = append(keys[kind], keyOf(id))
		}
	}
	for _, step := range []struct {
		kind Kind
		load func(context.Context, []string) error
	}{{Artifact, w.loadContents}, {Run, w.loadRuns}, {Logged, w.loadLogged}, {Version, w.loadVersions},
		{Endpoint, w.loadEndpoints}} {
		if len(keys[step.kind]) == 0 {
			continue
		}
		if err := step.load(ctx, keys[step.kind]); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) loadContents(ctx context.Context, contents []string) error {
	var unknown []string
	for _, c := range contents {
		if w.nodes[contentID(c)].ArtifactID == "" {
			unknown = append(unknown, c)
		}
	}
	found, err := w.store.ArtifactsWith(ctx, unknown, each+1)
	if err != nil {
		return err
	}
	for _, a := range found {
		w.artifact(a)
	}
	for _, c := range unknown {
		n := w.nodes[contentID(c)]
		n.missing = n.ArtifactID == ""
	}
	return nil
}

// artifact notes an artifact with the content of a node.
func (w *walk) artifact(a run.Artifact) string {
	id := contentID(a.Content())
	n := w.node(id)
	if n.ArtifactID == "" {
		n.Kind, n.Name, n.Type, n.Digest, n.Size, n.URI, n.ArtifactID = Artifact, a.Name, a.SchemaTitle, a.Digest, a.Size, a.URI, a.ID
		n.RunID, n.TaskID = a.RunID, a.TaskID
	}
	if a.TaskID != "" {
		if n.instances == nil {
			n.instances = map[string]string{}
		}
		n.instances[a.TaskID] = a.Name
	}
	return id
}

func (w *walk) loadRuns(ctx context.Context, ids []string) error {
	tasks, err := w.store.Tasks(ctx, ids)
	if err != nil {
		return err
	}
	tracked, err := w.store.Runs(ctx, ids)
	if err != nil {
		return err
	}
	reused, err := w.store.Reuses(ctx, ids, 1000)
	if err != nil {
		return err
	}
	for i := range tracked {
		r := &tracked[i]
		n := w.nodes[runID(r.ID)]
		n.Kind, n.Name, n.State, n.RunID, n.ExperimentID, n.Deleted, n.tracked = Run, r.Name, string(r.Status), r.ID, r.ExperimentID, r.Deleted, r
		n.At = time.UnixMilli(r.StartMS).UTC()
	}
	for i := range tasks {
		t := &tasks[i]
		if id := runID(t.ID); w.nodes[id] != nil {
			w.nodes[id].isTask(t)
			continue
		}
		// A task that stands for one that is gone.
		if n := w.nodes[runID(t.CachedFrom)]; n != nil && n.task == nil {
			n.isTask(t)
			n.Deleted = true
		}
	}
	for _, id := range ids {
		n := w.nodes[runID(id)]
		n.Reused = reused[id]
		n.missing = n.task == nil && n.tracked == nil
		if n.missing {
			n.Kind, n.Name, n.Deleted = Run, id, true
		}
	}
	return nil
}

func (n *Node) isTask(t *run.Task) {
	n.Kind, n.Name, n.State, n.RunID, n.TaskID, n.At, n.task = Task, t.DisplayName, string(t.State), t.RunID, t.ID, t.CreatedAt, t
	if n.Name == "" {
		n.Name = t.Name
	}
}

func (w *walk) loadLogged(ctx context.Context, ids []string) error {
	found, err := w.store.Models(ctx, ids)
	if err != nil {
		return err
	}
	for i := range found {
		m := &found[i]
		n := w.nodes[loggedID(m.ID)]
		n.Name, n.State, n.ExperimentID, n.Deleted, n.logged = m.Name, m.Status.String(), m.ExperimentID, m.Deleted, m
		n.At = time.UnixMicro(m.CreatedUS).UTC()
	}
	w.mark(ids, loggedID, func(n *Node) bool { return n.logged == nil })
	return nil
}

func (w *walk) loadVersions(ctx context.Context, names []string) error {
	found, err := w.store.Versions(ctx, names)
	if err != nil {
		return err
	}
	var models []string
	for i := range found {
		v := &found[i]
		n := w.nodes[versionID(versionName(v))]
		if n == nil {
			continue // it was asked for in another spelling
		}
		n.Name, n.Model, n.Version, n.Type, n.version = v.Name+" version "+strconv.FormatInt(v.Number, 10), v.Name, strconv.FormatInt(v.Number, 10), string(v.Stage), v
		n.At = time.UnixMicro(v.CreatedUS).UTC()
		models = append(models, v.Name)
	}
	registered, err := w.store.Registered(ctx, models)
	if err != nil {
		return err
	}
	aliases := map[string]model.Registered{}
	for _, m := range registered {
		aliases[m.Name] = m
	}
	for i := range found {
		if n := w.nodes[versionID(versionName(&found[i]))]; n != nil {
			n.Aliases = aliases[n.Model].AliasesOf(found[i].Number)
		}
	}
	w.mark(names, versionID, func(n *Node) bool { return n.version == nil })
	return nil
}

func (w *walk) loadEndpoints(ctx context.Context, names []string) error {
	found, err := w.store.Deployed(ctx, names)
	if err != nil {
		return err
	}
	for _, d := range found {
		n := w.nodes[endpointID(d.Endpoint)]
		n.Name, n.Model, n.deployed = d.Endpoint, d.Model, append(n.deployed, d)
		if d.At.After(n.At) {
			n.At = d.At
		}
	}
	w.mark(names, endpointID, func(n *Node) bool { return n.deployed == nil })
	return nil
}

func versionName(v *model.Version) string { return v.Name + "/" + strconv.FormatInt(v.Number, 10) }

// mark names what is remembered and not there any more.
func (w *walk) mark(keys []string, id func(string) string, missing func(*Node) bool) {
	for _, key := range keys {
		if n := w.nodes[id(key)]; missing(n) {
			n.Name, n.Deleted, n.missing = key, true, true
		}
	}
}

// dataset notes a dataset that a run read.
func (w *walk) dataset(d track.DatasetInput) (id, context string) {
	id = datasetID(d.Dataset.Name + "\x00" + d.Dataset.Digest)
	n := w.node(id)
	context, _ = d.Context()
	if n.Name == "" {
		n.Kind, n.Name, n.Type, n.Digest, n.URI, n.Context = Dataset, d.Dataset.Name, d.Dataset.SourceType, d.Dataset.Digest, d.Dataset.Source, context
	}
	n.loaded = true
	return id, context
}
