package lineage

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

// walk is a graph that is being found.
type walk struct {
	store Store
	nodes map[string]*Node
	edges map[[2]string]string
	// shown are the nodes of the answer; others are known because something named them.
	shown map[string]bool
	full  bool
	// most and skip bound the neighbours of the root.
	most, skip int
}

func (w *walk) node(id string) *Node {
	n := w.nodes[id]
	if n == nil {
		n = &Node{ID: id, Kind: kindOf(id)}
		w.nodes[id] = n
	}
	return n
}

// Graph finds the lineage of a node: level by level away from it, up to a depth and a number of nodes.
func (s *Service) Graph(ctx context.Context, q Query) (Graph, error) {
	if q.Depth < 1 || q.Depth > MaxDepth {
		return Graph{}, fault.Invalidf("find lineage: a depth of %d is not between 1 and %d", q.Depth, MaxDepth)
	}
	if q.Neighbours < 0 || q.Neighbours > MaxNeighbours || q.Skip < 0 || q.Skip > MaxSkip {
		return Graph{}, fault.Invalidf("find lineage: %d neighbours after %d; at most %d after at most %d are shown", q.Neighbours, q.Skip, MaxNeighbours, MaxSkip)
	}
	w := &walk{store: s.store, nodes: map[string]*Node{}, edges: map[[2]string]string{}, shown: map[string]bool{},
		most: cmp.Or(q.Neighbours, each), skip: q.Skip}
	root, err := w.root(ctx, q.Node)
	if err != nil {
		return Graph{}, err
	}
	w.shown[root] = true
	for _, d := range []Direction{Up, Down} {
		if q.Direction == d || q.Direction == Both || q.Direction == "" {
			if err := w.follow(ctx, root, d, q.Depth); err != nil {
				return Graph{}, err
			}
		}
	}
	return w.graph(ctx, root)
}

// root finds the node that is asked for.
func (w *walk) root(ctx context.Context, name string) (string, error) {
	id, artifact, err := parse(name)
	if err != nil {
		return "", err
	}
	none := fault.NotFoundf("find lineage: there is no %s", fault.Shorten(name, 200))
	if artifact != "" {
		found, err := w.store.Artifacts(ctx, []string{artifact})
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			return "", none
		}
		id = w.artifact(found[0])
	}
	w.node(id)
	if kindOf(id) == Dataset {
		return id, w.findDataset(ctx, id, none)
	}
	if err := w.load(ctx, []string{id}); err != nil {
		return "", err
	}
	n := w.nodes[id]
	if n.missing {
		return "", none
	}
	// A task that reused an earlier result is shown as the one that made it.
	if n.task != nil && n.task.CachedFrom != "" && !n.Deleted {
		id = runID(n.task.CachedFrom)
		w.node(id)
		return id, w.load(ctx, []string{id})
	}
	if n.Kind == Artifact && n.Digest != "" {
		// All who made this content.
		found, err := w.store.ArtifactsWith(ctx, []string{keyOf(id)}, w.skip+w.most+1)
		if err != nil {
			return "", err
		}
		for _, a := range found {
			w.artifact(a)
		}
	}
	return id, nil
}

// findDataset looks for a dataset among what runs have read: it is a thing of its own only by that.
func (w *walk) findDataset(ctx context.Context, id string, none error) error {
	users, err := w.store.RunsWithDataset(ctx, []string{keyOf(id)}, 1)
	if err != nil {
		return err
	}
	runs, err := w.store.Runs(ctx, users[keyOf(id)])
	if err != nil {
		return err
	}
	for _, r := range runs {
		for _, d := range r.Datasets {
			w.dataset(d)
		}
	}
	if !w.nodes[id].loaded {
		return none
	}
	return nil
}

// follow goes away from a node in one direction. One level beyond the last is looked at, to know where there is more.
func (w *walk) follow(ctx context.Context, root string, d Direction, depth int) error {
	level, seen := []string{root}, map[string]bool{root: true}
	for step := 1; len(level) > 0; step++ {
		if err := w.load(ctx, level); err != nil {
			return err
		}
		most, skip := each, 0
		if step == 1 {
			most, skip = w.most, w.skip
		}
		found, err := w.neighbours(ctx, level, d, skip+most+1)
		if err != nil {
			return err
		}
		var next []string
		for _, from := range level {
			list := found[from]
			list = list[min(skip, len(list)):]
			if len(list) > most {
				w.more(from, d)
				list = list[:most]
			}
			for _, l := range list {
				if !w.shown[l.to] && (step > depth || len(w.shown) >= maxNodes) {
					w.more(from, d)
					w.full = w.full || step <= depth
					continue
				}
				w.connect(from, l, d)
				if !seen[l.to] {
					seen[l.to] = true
					next = append(next, l.to)
				}
				if !w.shown[l.to] {
					w.shown[l.to] = true
					w.nodes[l.to].Level = signed(step, d)
				}
			}
		}
		if step > depth {
			return nil
		}
		level = next
	}
	return nil
}

func signed(step int, d Direction) int {
	if d == Up {
		return -step
	}
	return step
}

func (w *walk) more(id string, d Direction) {
	if d == Up {
		w.nodes[id].MoreUp = true
	} else {
		w.nodes[id].MoreDown = true
	}
}

func (w *walk) connect(id string, l neighbour, d Direction) {
	key := [2]string{id, l.to}
	if d == Up {
		key = [2]string{l.to, id}
	}
	if w.edges[key] == "" {
		w.edges[key] = l.label
	}
}

// neighbour is a node beside another, and how the two are connected.
type neighbour struct{ to, label string }

// neighbours finds what is beside the nodes of a level, which are loaded, with a few queries for all of them; of what others say of a
// node at most limit.
func (w *walk) neighbours(ctx context.Context, level []string, d Direction, limit int) (map[string][]neighbour, error) {
	out := map[string][]neighbour{}
	add := func(from, to, label string) {
		if slices.ContainsFunc(out[from], func(n neighbour) bool { return n.to == to }) {
			return
		}
		w.node(to)
		out[from] = append(out[from], neighbour{to, label})
	}
	keys := map[Kind][]string{}
	for _, id := range level {
		n := w.nodes[id]
		if n.missing {
			continue
		}
		if d == Up {
			w.madeOf(n, add)
		} else {
			w.became(n, add)
		}
		keys[kindOf(id)] = append(keys[kindOf(id)], keyOf(id))
	}
	if d == Up {
		return out, w.imported(ctx, out)
	}
	return out, w.users(ctx, keys, limit, add)
}

// madeOf adds what a node was made of, all of which the node itself tells.
func (w *walk) madeOf(n *Node, add func(from, to, label string)) {
	switch {
	case n.Kind == Artifact:
		for _, task := range slices.Sorted(maps.Keys(n.instances)) {
			add(n.ID, runID(task), n.instances[task])
		}
	case n.logged != nil && n.logged.SourceRunID != "":
		add(n.ID, runID(n.logged.SourceRunID), "")
	case n.version != nil && n.version.ModelID != "":
		add(n.ID, loggedID(n.version.ModelID), "")
	case n.version != nil && n.version.RunID != "":
		add(n.ID, runID(n.version.RunID), "")
	}
	for _, d := range n.deployed {
		add(n.ID, versionID(d.Model+"/"+d.Version), "deployed")
	}
	if n.task != nil {
		w.artifacts(n.ID, n.task.Inputs, add)
	}
	if r := n.tracked; r != nil {
		for _, d := range r.Datasets {
			id, context := w.dataset(d)
			add(n.ID, id, context)
		}
		for _, m := range r.ModelInputs {
			add(n.ID, loggedID(m), "")
		}
		// What the run beneath which it was logged has read it may have read too.
		if parent, there := track.Find(r.Tags, track.TagParentRun); there && n.task == nil && parent != r.ID {
			add(n.ID, runID(parent), "part of")
		}
	}
}

// became adds what came of a node as far as the node itself tells.
func (w *walk) became(n *Node, add func(from, to, label string)) {
	if n.task != nil {
		w.artifacts(n.ID, n.task.Outputs, add)
	}
	if n.tracked != nil {
		for _, m := range n.tracked.Outputs {
			add(n.ID, loggedID(m.ModelID), "")
		}
	}
}

// artifacts adds the artifacts among inputs or outputs.
func (w *walk) artifacts(id string, v run.Values, add func(from, to, label string)) {
	for _, name := range slices.Sorted(maps.Keys(v.Artifacts)) {
		for _, a := range v.Artifacts[name] {
			add(id, w.artifact(a), name)
		}
	}
}

// users adds what others say they have made of nodes.
func (w *walk) users(ctx context.Context, keys map[Kind][]string, limit int, add func(from, to, label string)) error {
	for _, ask := range []struct {
		kind  Kind
		query func(context.Context, []string, int) (map[string][]string, error)
		from  func(string) string
		to    func(string) string
		label string
	}{
		{Artifact, w.store.Users, contentID, runID, ""},
		{Dataset, w.store.RunsWithDataset, datasetID, runID, ""},
		{Logged, w.store.VersionsOfModels, loggedID, versionID, ""},
		{Logged, w.store.RunsWithModel, loggedID, runID, ""},
		{Run, w.store.ModelsOf, runID, loggedID, ""},
		{Run, w.store.VersionsOfRuns, runID, versionID, ""},
		{Run, w.store.RunsBeneath, runID, runID, "part of"},
		{Version, w.store.EndpointsOf, versionID, endpointID, "deployed"},
	} {
		if len(keys[ask.kind]) == 0 {
			continue
		}
		found, err := ask.query(ctx, keys[ask.kind], limit)
		if err != nil {
			return err
		}
		for _, key := range keys[ask.kind] {
			for _, other := range found[key] {
				add(ask.from(key), ask.to(other), ask.label)
			}
		}
	}
	return nil
}

// imported leaves out importers: what they name was not made by them. The artifact says that it was imported.
func (w *walk) imported(ctx context.Context, found map[string][]neighbour) error {
	var makers []string
	for from, list := range found {
		if w.nodes[from].Kind != Artifact {
			continue
		}
		for _, l := range list {
			makers = append(makers, l.to)
		}
	}
	slices.Sort(makers)
	if err := w.load(ctx, slices.Compact(makers)); err != nil {
		return err
	}
	for from, list := range found {
		n := w.nodes[from]
		if n.Kind != Artifact {
			continue
		}
		found[from] = slices.DeleteFunc(list, func(l neighbour) bool {
			task := w.nodes[l.to].task
			importer := task != nil && task.Kind == run.KindImporter
			n.Imported = n.Imported || importer
			return importer
		})
	}
	return nil
}

// graph is what was found, in an order that is the same each time.
func (w *walk) graph(ctx context.Context, root string) (Graph, error) {
	g := Graph{Root: root, Truncated: w.full}
	ids := slices.Sorted(maps.Keys(w.shown))
	if err := w.load(ctx, ids); err != nil {
		return g, err
	}
	var runs []string
	for _, id := range ids {
		n := w.nodes[id]
		g.Nodes = append(g.Nodes, n)
		if n.Kind == Task || n.Kind == Artifact && n.RunID != "" {
			runs = append(runs, n.RunID)
		}
	}
	names, err := w.store.RunNames(ctx, runs)
	if err != nil {
		return g, err
	}
	for _, n := range g.Nodes {
		n.RunName = names[n.RunID]
	}
	slices.SortFunc(g.Nodes, func(a, b *Node) int { return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.ID, b.ID)) })
	for key, label := range w.edges {
		if label == "" {
			label = w.inputName(key)
		}
		g.Edges = append(g.Edges, Edge{From: key[0], To: key[1], Label: label})
	}
	slices.SortFunc(g.Edges, func(a, b Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return g, nil
}

// inputName is what a task or run calls what it read.
func (w *walk) inputName(key [2]string) string {
	to := w.nodes[key[1]]
	if to.task != nil {
		for name, artifacts := range to.task.Inputs.Artifacts {
			for _, a := range artifacts {
				if contentID(a.Content()) == key[0] {
					return name
				}
			}
		}
	}
	if to.tracked != nil {
		for _, d := range to.tracked.Datasets {
			if datasetID(d.Dataset.Name+"\x00"+d.Dataset.Digest) == key[0] {
				context, _ := d.Context()
				return context
			}
		}
	}
	return ""
}
