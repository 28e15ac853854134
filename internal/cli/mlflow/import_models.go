package mlflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// bringLogged brings a logged model with its metrics and files.
func (i *importer) bringLogged(ctx context.Context, m track.LoggedModel, read bool) error {
	i.report.read(LoggedModels, 1)
	i.countLogged(m, i.report.read)
	experiment, ok := i.experiments[m.ExperimentID]
	if !ok || !idForm.MatchString(m.ID) {
		i.report.fail("logged models", "are in an experiment that was not brought, or have an id of another form than MLflow's", fault.Shorten(m.ID, 60))
		return nil
	}
	uri := i.uriHere(m.ArtifactLocation)
	place := uri
	if place == "" {
		place = filesScheme + path.Join(experiment, "models", m.ID, "artifacts")
	}
	i.place(m.ArtifactLocation, m.ID, place)
	metrics := modelSeries(m)
	bare := m
	bare.Metrics = nil
	owner, again := Owner{URI: m.ArtifactLocation, ExperimentID: m.ExperimentID, ModelID: m.ID}, false
	mark := markOf([]any{bare, metrics, i.hasFiles(owner)}) // JSON has no NaN; the values of series are bytes
	if i.to != nil && !i.recheck {
		noted, err := i.to.Imported(ctx, track.ImportedLoggedModel, []string{m.ID})
		if err != nil {
			return err
		}
		if isKnown(noted[m.ID], mark) {
			i.report.before(LoggedModels, 1)
			i.countLogged(m, i.report.before)
			return nil
		}
		again = noted[m.ID].Mark != ""
	}
	if i.to != nil {
		sent := bare
		sent.ExperimentID, sent.ArtifactLocation = experiment, uri
		if _, err := i.to.ImportLoggedModel(ctx, sent, metrics); err != nil {
			return i.perItem(err, "logged models", m.ID)
		}
		i.report.written(LoggedModels, 1)
		i.countLogged(m, i.report.written)
	}
	whole, err := i.bringFiles(ctx, owner, place, again)
	if err != nil || !whole || !read || i.to == nil {
		return err
	}
	return i.to.MarkImported(ctx, track.ImportedLoggedModel, map[string]string{m.ID: mark})
}

func (i *importer) countLogged(m track.LoggedModel, count func(Kind, int)) {
	count(Params, len(m.Params))
	count(Tags, len(m.Tags))
	count(ModelMetrics, len(m.Metrics))
}

// modelSeries gathers the metrics of a logged model.
func modelSeries(m track.LoggedModel) []track.ModelSeries {
	var out []track.ModelSeries
	for _, x := range m.Metrics {
		n := len(out) - 1
		if n < 0 || out[n].Key != x.Key || out[n].RunID != x.RunID || out[n].DatasetName != x.DatasetName || out[n].DatasetDigest != x.DatasetDigest {
			out = append(out, track.ModelSeries{Series: track.Series{Key: x.Key}, RunID: x.RunID, DatasetName: x.DatasetName, DatasetDigest: x.DatasetDigest})
			n++
		}
		out[n].Add(x.Point)
	}
	return out
}

// bringRegistered brings the registered models. Versions that were copied from others name those as their source, so the names
// that change are known before the last model is sent.
func (i *importer) bringRegistered(ctx context.Context) error {
	return i.from.RegisteredModels(ctx, func(r Registered) error {
		i.report.read(RegisteredModels, 1)
		i.countRegistered(r, i.report.read)
		files := make([]bool, len(r.Versions))
		for n := range r.Versions {
			var err error
			if files[n], err = i.locate(ctx, r.Name, &r.Versions[n]); err != nil {
				return err
			}
		}
		if i.to == nil {
			return nil
		}
		return i.sendRegistered(ctx, r, markOf([]any{r, files}))
	})
}

func (i *importer) countRegistered(r Registered, count func(Kind, int)) {
	count(Tags, len(r.Tags))
	count(Versions, len(r.Versions))
	count(Aliases, len(r.Aliases))
	for _, v := range r.Versions {
		count(Tags, len(v.Tags))
	}
}

func (i *importer) sendRegistered(ctx context.Context, r Registered, mark string) error {
	key := track.ImportKey(r.Name, r.CreatedUS)
	if !i.recheck {
		noted, err := i.to.Imported(ctx, track.ImportedRegisteredModel, []string{key})
		if err != nil {
			return err
		}
		if n := noted[key]; isKnown(n, mark) {
			i.names[r.Name] = n.Target
			i.report.before(RegisteredModels, 1)
			i.countRegistered(r, i.report.before)
			return nil
		}
	}
	there, err := i.to.ImportRegisteredModel(ctx, key, r.Registered, r.Versions)
	if err != nil {
		return i.perItem(err, "registered models", r.Name)
	}
	name := there.Name
	i.names[r.Name] = name
	if name == "" {
		i.report.leave("registered models", "were deleted here and stay so", r.Name, 1)
		return nil
	}
	if name != r.Name {
		i.report.leave("registered models", "have another name here, because there was one of theirs", fmt.Sprintf("%q is %q", r.Name, name), 1)
	}
	i.report.written(RegisteredModels, 1)
	i.countRegistered(r, i.report.written)
	for _, n := range there.Kept {
		i.report.written(Versions, -1)
		i.report.fail("model versions", "have a number that a version made here has; that one stays", name+"/"+strconv.FormatInt(n, 10))
	}
	for _, n := range there.Deleted {
		i.report.written(Versions, -1)
		i.report.leave("model versions", "were deleted here and stay so", name+"/"+strconv.FormatInt(n, 10), 1)
	}
	if len(there.Kept) > 0 {
		return nil
	}
	return i.to.MarkImported(ctx, track.ImportedRegisteredModel, map[string]string{key: mark})
}

// locate finds where the files of a version are here, and rewrites its location and source so that they lead there. Files that
// belong to no run and no logged model are brought to a place of the version's own. It reports whether all of those came.
func (i *importer) locate(ctx context.Context, name string, v *model.Version) (whole bool, err error) {
	whole = true
	if v.Location == "prompt-template" || v.Location == "dummy-source" {
		return true, nil // a prompt has no files
	}
	here, found := i.find(v.Location)
	if !found {
		if _, is := elsewhere(v.Location); is && i.uriHere(v.Location) != "" {
			here, found = v.Location, true
		}
	}
	if !found {
		sum := sha256.Sum256([]byte(name))
		here = filesScheme + path.Join("imported", "models", hex.EncodeToString(sum[:6]), strconv.FormatInt(v.Number, 10))
		owner := Owner{URI: v.Location}
		if whole, err = i.bringFiles(ctx, owner, here, false); err != nil {
			return false, err
		}
		whole = whole && i.hasFiles(owner)
	}
	switch {
	case strings.HasPrefix(v.Source, "models:/m-"), strings.HasPrefix(v.Source, "runs:/"):
	case strings.HasPrefix(v.Source, "models:/"):
		ref := strings.TrimPrefix(v.Source, "models:/")
		if other, version, ok := strings.Cut(ref, "/"); ok && i.names[other] != "" {
			v.Source = "models:/" + i.names[other] + "/" + version
		}
	default:
		v.Source = here
	}
	v.Location = here
	return whole, nil
}

// find returns where a location of the source is here: below the files of a run or logged model that was brought.
func (i *importer) find(location string) (string, bool) {
	for _, scheme := range []string{"runs:/", "models:/"} {
		if ref, ok := strings.CutPrefix(location, scheme); ok {
			id, rest, _ := strings.Cut(strings.TrimLeft(ref, "/"), "/")
			place, ok := i.owners[id]
			return strings.TrimSuffix(place+"/"+rest, "/"), ok
		}
	}
	uri := plainURI(location)
	for at := uri; ; {
		if place, ok := i.places[at]; ok {
			return strings.TrimSuffix(place+strings.TrimPrefix(uri, at), "/"), true
		}
		cut := strings.LastIndexByte(at, '/')
		if cut <= 0 {
			return "", false
		}
		at = at[:cut]
	}
}
