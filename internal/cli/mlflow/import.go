package mlflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// Target is the Levada server that takes what is brought.
type Target interface {
	Imported(ctx context.Context, kind track.ImportKind, ids []string) (map[string]track.Imported, error)
	MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error
	ImportExperiment(ctx context.Context, e track.Experiment) (track.Experiment, error)
	ImportRuns(ctx context.Context, runs []track.Run) (map[string]string, error)
	ImportMetrics(ctx context.Context, runID string, metrics []track.Series) error
	ImportLoggedModel(ctx context.Context, m track.LoggedModel, metrics []track.ModelSeries) (string, error)
	ImportRegisteredModel(ctx context.Context, key string, m model.Registered, versions []model.Version) (model.Brought, error)
	Files(ctx context.Context, dir string) (map[string]int64, error)
	PutFile(ctx context.Context, path string, content io.Reader) error
}

// Import brings what a source has to a target; without a target it only reads and counts. Recheck looks again at what earlier
// imports have brought whole. What goes wrong with one thing is told to the report; an error means that the import cannot go
// on. It may be repeated at any time: what was brought is not brought twice.
func Import(ctx context.Context, from Source, to Target, recheck bool, report *Report) error {
	i := &importer{from: from, to: to, recheck: recheck, report: report, experiments: map[string]string{}, places: map[string]string{},
		owners: map[string]string{}, names: map[string]string{}}
	if err := i.bringExperiments(ctx); err != nil {
		return err
	}
	if err := i.from.Runs(ctx, func(runs []Run) error { return i.bringRuns(ctx, runs) }); err != nil {
		return err
	}
	if err := i.from.LoggedModels(ctx, func(m track.LoggedModel, read bool) error { return i.bringLogged(ctx, m, read) }); err != nil {
		return err
	}
	if err := i.bringRegistered(ctx); err != nil {
		return err
	}
	for what, n := range from.Others(ctx) {
		report.leave(what, "are not kept by Levada", "", n)
	}
	return ctx.Err()
}

// workers is how many runs are brought at the same time.
const workers = 4

type importer struct {
	from    Source
	to      Target
	recheck bool
	report  *Report
	// experiments are the ids here by those of the source; only those that were brought are in it.
	experiments map[string]string
	// places are where files are here, by where they are in the source, in plain form.
	places map[string]string
	// owners are where the files of runs and logged models are here, by id.
	owners map[string]string
	// names are the registered models that have another name here.
	names map[string]string
}

// perItem sorts out errors: those that only concern the thing that was sent are reported, the others end the import.
func (i *importer) perItem(err error, kind, example string) error {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.NotFound, fault.TooLarge:
		i.report.fail(kind, err.Error(), example)
		return nil
	}
	return fmt.Errorf("bring %s %s: %w", kind, example, err)
}

func (i *importer) bringExperiments(ctx context.Context) error {
	list, err := i.from.Experiments(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		i.report.read(Experiments, 1)
		i.report.read(Tags, len(e.Tags))
		if i.to == nil {
			i.experiments[e.ID] = e.ID
			continue
		}
		if err := i.bringExperiment(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) bringExperiment(ctx context.Context, e track.Experiment) error {
	key, mark := track.ImportKey(e.ID, e.CreatedAt.UnixMilli()), markOf(e)
	if !i.recheck {
		noted, err := i.to.Imported(ctx, track.ImportedExperiment, []string{key})
		if err != nil {
			return err
		}
		if isKnown(noted[key], mark) {
			i.experiments[e.ID] = noted[key].Target
			i.report.before(Experiments, 1)
			i.report.before(Tags, len(e.Tags))
			return nil
		}
	}
	sent := e
	sent.ArtifactLocation = i.uriHere(e.ArtifactLocation)
	there, err := i.to.ImportExperiment(ctx, sent)
	if err != nil {
		return i.perItem(err, "experiments", e.Name)
	}
	i.experiments[e.ID] = there.ID
	i.report.written(Experiments, 1)
	i.report.written(Tags, len(e.Tags))
	switch {
	case there.Name != e.Name:
		i.report.leave("experiments", "have another name here, because there was one of theirs", fmt.Sprintf("%q is %q", e.Name, there.Name), 1)
	case there.Deleted != e.Deleted:
		i.report.leave("experiments", "are not deleted here: the default experiment cannot be", e.Name, 1)
	}
	if there.ID != e.ID {
		i.report.leave("experiments", "have another id here, because theirs was taken or is no number", fmt.Sprintf("%s is %s", e.ID, there.ID), 1)
	}
	return i.to.MarkImported(ctx, track.ImportedExperiment, map[string]string{key: mark})
}

// isKnown reports whether a thing was brought whole and has not changed since. The empty mark is that of a thing which was not
// brought whole, so it is never one that is known; the empty target that of a thing that was deleted here.
func isKnown(noted track.Imported, mark string) bool {
	return mark != "" && noted.Mark == mark && noted.Target != ""
}

// markOf says what a thing looks like; empty for what JSON cannot hold (NaN), which is brought again.
func markOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// bringRuns brings a batch of runs: first what they are, then their points and files, then the note that they are whole.
func (i *importer) bringRuns(ctx context.Context, runs []Run) error {
	var changed []Run
	marks, ids := map[string]string{}, []string(nil)
	for _, r := range runs {
		i.report.read(Runs, 1)
		i.countRun(r, i.report.read)
		if !idForm.MatchString(r.ID) {
			i.report.fail("runs", "have an id of another form than MLflow's", fault.Shorten(r.ID, 60))
			continue
		}
		if _, ok := i.experiments[r.ExperimentID]; !ok {
			i.report.fail("runs", "are in an experiment that was not brought", r.ID)
			continue
		}
		place := i.uriHere(r.ArtifactURI)
		if place == "" {
			place = filesScheme + path.Join(i.experiments[r.ExperimentID], r.ID, "artifacts")
		}
		i.place(r.ArtifactURI, r.ID, place)
		marks[r.ID] = markOf([]any{r.Run, r.State, i.hasFiles(r.owner())})
		ids = append(ids, r.ID)
		changed = append(changed, r)
	}
	changed, again, err := i.unfinished(ctx, changed, ids, marks)
	if err != nil || len(changed) == 0 {
		return err
	}
	failed, err := i.sendRuns(ctx, changed)
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	whole := make([]bool, len(changed))
	for n, r := range changed {
		if failed[r.ID] == "" {
			group.Go(func() (err error) {
				whole[n], err = i.bringRun(gctx, r, again[r.ID])
				return err
			})
		}
	}
	err = group.Wait()
	if i.to == nil {
		return err
	}
	done := map[string]string{}
	for n, r := range changed {
		if whole[n] {
			done[r.ID] = marks[r.ID]
		}
	}
	if len(done) == 0 {
		return err
	}
	return errors.Join(err, i.to.MarkImported(context.WithoutCancel(ctx), track.ImportedRun, done))
}

func (i *importer) countRun(r Run, count func(Kind, int)) {
	count(Params, len(r.Params))
	count(Tags, len(r.Tags))
	count(Inputs, len(r.Datasets)+len(r.ModelInputs)+len(r.Outputs))
}

// place notes where the files of a run or logged model are here.
func (i *importer) place(uri, id, place string) {
	i.places[plainURI(uri)], i.owners[id] = place, place
}

// filesScheme begins the locations that Levada serves.
const filesScheme = "mlflow-artifacts:/"

// uriHere is a location that stays as it is, in an object store; empty for one whose files come along.
func (i *importer) uriHere(uri string) string {
	if _, is := elsewhere(uri); !is {
		return ""
	}
	if i.hasFiles(Owner{URI: uri}) {
		return ""
	}
	return uri
}

// hasFiles reports whether the files of an owner can be read. It is part of a mark: files that an earlier import did not find are
// brought when they are there.
func (i *importer) hasFiles(of Owner) bool {
	tree, _ := i.from.Files(context.Background(), of)
	if tree == nil {
		return false
	}
	_ = tree.Close() // it was only looked for
	return true
}

// unfinished leaves out what an earlier import has brought whole and what has not changed since, and says which of the others
// were whole once.
func (i *importer) unfinished(ctx context.Context, runs []Run, ids []string, marks map[string]string) (changed []Run, again map[string]bool, err error) {
	if i.to == nil || i.recheck {
		return runs, nil, nil
	}
	noted, err := i.to.Imported(ctx, track.ImportedRun, ids)
	if err != nil {
		return nil, nil, err
	}
	again = map[string]bool{}
	return slices.DeleteFunc(runs, func(r Run) bool {
		if !isKnown(noted[r.ID], marks[r.ID]) {
			again[r.ID] = noted[r.ID].Mark != ""
			return false
		}
		i.report.before(Runs, 1)
		i.countRun(r, i.report.before)
		return true
	}), again, nil
}

// sendRuns sends runs and reports those that were refused.
func (i *importer) sendRuns(ctx context.Context, runs []Run) (failed map[string]string, err error) {
	if i.to == nil {
		return nil, nil
	}
	sent := make([]track.Run, len(runs))
	for n, r := range runs {
		sent[n] = r.Run
		sent[n].ExperimentID, sent[n].ArtifactURI = i.experiments[r.ExperimentID], i.uriHere(r.ArtifactURI)
	}
	// Runs with long values are sent a few at a time: a request has a limit.
	failed = map[string]string{}
	for len(sent) > 0 {
		n, size := 0, 0
		for n < len(sent) && (n == 0 || size < 16<<20) {
			size += sizeOf(sent[n])
			n++
		}
		if err := i.sendSome(ctx, sent[:n], failed); err != nil {
			return nil, err
		}
		sent = sent[n:]
	}
	for _, r := range runs {
		if failed[r.ID] == "" {
			i.report.written(Runs, 1)
			i.countRun(r, i.report.written)
		}
	}
	return failed, nil
}

// sendSome sends runs in one request, or in more where they are too large for one. Those that were refused are noted in failed.
func (i *importer) sendSome(ctx context.Context, sent []track.Run, failed map[string]string) error {
	some, err := i.to.ImportRuns(ctx, sent)
	switch half := len(sent) / 2; {
	case fault.KindOf(err) == fault.TooLarge && half > 0:
		if err := i.sendSome(ctx, sent[:half], failed); err != nil {
			return err
		}
		return i.sendSome(ctx, sent[half:], failed)
	case fault.KindOf(err) == fault.TooLarge:
		some = map[string]string{sent[0].ID: "have parameters, tags and links that are together too long for one request"}
	case err != nil:
		return fmt.Errorf("bring runs: %w", err)
	}
	for id, why := range some {
		failed[id] = why
		i.report.fail("runs", strings.ReplaceAll(why, id, "…"), id)
	}
	return nil
}

func sizeOf(r track.Run) (n int) {
	for _, list := range [][]track.KV{r.Params, r.Tags} {
		for _, kv := range list {
			n += len(kv.Key) + len(kv.Value) + 32
		}
	}
	for _, d := range r.Datasets {
		for _, text := range []*string{&d.Dataset.Source, d.Dataset.Schema, d.Dataset.Profile} {
			if text != nil {
				n += len(*text)
			}
		}
	}
	return n + 500
}

// bringRun brings the points and files of a run and reports whether all of them came. Files of a run that was whole once are
// brought again: they may have changed and kept their sizes.
func (i *importer) bringRun(ctx context.Context, r Run, again bool) (whole bool, err error) {
	points := pending{importer: i, run: r.ID}
	err = i.from.Points(ctx, r, func(key string, pts []track.Point) error { return points.add(ctx, key, pts) })
	if err == nil || errors.Is(err, errUnread) {
		err = errors.Join(err, points.flush(ctx))
	}
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case points.broken != nil:
		return false, points.broken
	case err != nil: // the source is at fault
		points.failed = true
		if !errors.Is(err, errUnread) {
			i.report.fail("metric points", "cannot be read: "+fault.Shorten(err.Error(), 300), r.ID)
		}
	}
	files, err := i.bringFiles(ctx, r.owner(), i.owners[r.ID], again)
	return files && !points.failed, err
}

// pending are points that wait until there are enough for a request.
type pending struct {
	*importer

	run  string
	list []track.Series
	n    int
	// failed is set when points did not come, broken is what ends the import.
	failed bool
	broken error
}

func (p *pending) add(ctx context.Context, key string, pts []track.Point) error {
	p.report.read(Points, len(pts))
	if p.to == nil {
		return nil
	}
	s := track.Series{Key: key}
	for _, point := range pts {
		s.Add(point)
	}
	p.list = append(p.list, s)
	if p.n += len(pts); p.n < chunk {
		return nil
	}
	return p.flush(ctx)
}

func (p *pending) flush(ctx context.Context) error {
	if p.n == 0 {
		return nil
	}
	list, n := p.list, p.n
	p.list, p.n = nil, 0
	err := p.to.ImportMetrics(ctx, p.run, list)
	if err == nil {
		p.report.written(Points, n)
		return nil
	}
	if fault.KindOf(err) == fault.Invalid && len(list) > 1 {
		// One of the metrics is at fault; the others are to come.
		for _, s := range list {
			p.list, p.n = []track.Series{s}, s.Len()
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	p.failed = true
	p.broken = p.perItem(err, "metric points", p.run+" "+fault.Shorten(list[0].Key, 60))
	return p.broken
}
