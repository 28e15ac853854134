package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Limits of the files that MLflow writes into an mlruns directory.
const (
	maxMeta  = 1 << 20
	maxValue = 4 << 20
)

// directory reads an mlruns directory. Nothing outside of it is read, but for what is declared as an artifact location and laid
// out as MLflow does it, or named by the user.
type directory struct {
	path   string
	root   *os.Root
	roots  []Root
	report *Report
	// places are the directories of experiments, relative to the root, by id; locations their artifact locations.
	places, locations map[string]string
	ids               []string
}

func openDirectory(dir string, o Options) (Source, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fault.Invalidf("%s: %w", dir, err)
	}
	d := &directory{path: abs, root: root, roots: o.Roots, report: o.Report, places: map[string]string{}, locations: map[string]string{}}
	if err := d.look(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// look finds the experiments, and refuses a directory that has nothing of MLflow's.
func (d *directory) look() error {
	for _, place := range []string{".", ".trash"} {
		for _, name := range d.names(place) {
			p := path.Join(place, name)
			if name == "models" || name == ".trash" || !d.exists(path.Join(p, "meta.yaml")) {
				continue
			}
			if !idForm.MatchString(name) {
				d.report.fail("experiments", "the directory has a name that is no id", p)
				continue
			}
			if _, twice := d.places[name]; !twice {
				d.places[name] = p
				d.ids = append(d.ids, name)
			}
		}
	}
	if len(d.ids) == 0 && !d.exists("models") {
		return fault.Invalidf("%s is not an mlruns directory: no directory in it has a meta.yaml of an experiment, and there is no models directory", d.path)
	}
	return nil
}

func (d *directory) Name() string { return d.path }
func (d *directory) Close() error { return d.root.Close() }

func (d *directory) exists(p string) bool {
	_, err := d.root.Stat(filepath.FromSlash(p))
	return err == nil
}

// names lists a directory in order. One that is not there is empty; one that cannot be read is reported.
func (d *directory) names(p string) []string {
	f, err := d.root.Open(filepath.FromSlash(p))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.report.fail("directories", "cannot be read: "+cause(err), p)
		}
		return nil
	}
	defer f.Close()
	out, err := f.Readdirnames(-1)
	if err != nil && len(out) == 0 {
		d.report.fail("directories", "cannot be read: "+cause(err), p)
	}
	slices.Sort(out)
	return out
}

// read returns the content of a small file.
func (d *directory) read(p string, limit int64) ([]byte, error) {
	info, err := d.root.Stat(filepath.FromSlash(p))
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a file")
	case info.Size() > limit:
		return nil, fmt.Errorf("has %d bytes; at most %d are read", info.Size(), limit)
	}
	f, err := d.root.Open(filepath.FromSlash(p))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// meta reads a meta.yaml. It reports false, and why, when that cannot be used.
func (d *directory) meta(kind, dir string, out any) bool {
	b, err := d.read(path.Join(dir, "meta.yaml"), maxMeta)
	if err == nil {
		err = decodeMeta(b, out)
	}
	if err != nil {
		d.report.fail(kind, "meta.yaml cannot be read: "+cause(err), dir)
	}
	return err == nil
}

func decodeMeta(b []byte, out any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("is not YAML: %v", p)
		}
	}()
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil {
		return errors.New("is not YAML: " + fault.Shorten(err.Error(), 200))
	}
	if len(node.Content) != 1 || node.Content[0].Kind != yaml.MappingNode {
		return errors.New("does not hold the fields it should")
	}
	return node.Decode(out)
}

// pairs reads a directory in which each file is a key and its content the value. Keys with slashes are in directories.
func (d *directory) pairs(kind, dir string) []track.KV {
	var out []track.KV
	d.files(kind, dir, func(key string, _ fs.FileInfo) {
		b, err := d.read(path.Join(dir, key), maxValue)
		if err != nil {
			d.report.fail(kind, "cannot be read: "+cause(err), path.Join(dir, key))
			return
		}
		out = append(out, track.KV{Key: key, Value: string(b)})
	})
	return out
}

// files calls fn with each file below a directory, by the path from there. It reports false when some could not be read that may be
// readable another time.
func (d *directory) files(kind, dir string, fn func(key string, info fs.FileInfo)) (whole bool) {
	whole = true
	sub, err := d.root.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.report.fail(kind, "cannot be read: "+cause(err), dir)
			return false
		}
		return true
	}
	defer sub.Close()
	err = localTree{sub}.Walk(context.Background(), func(p string, _ int64) error {
		info, err := sub.Stat(filepath.FromSlash(p))
		if err != nil {
			return nil //nolint:nilerr // it went away meanwhile
		}
		fn(p, info)
		return nil
	}, func(p, reason string, later bool) {
		whole = whole && !later
		d.report.fail(kind, reason, path.Join(dir, p))
	})
	if err != nil {
		d.report.fail(kind, "cannot be read: "+cause(err), dir)
	}
	return whole && err == nil
}

type experimentMeta struct {
	ID       string `yaml:"experiment_id"`
	Name     string `yaml:"name"`
	Location string `yaml:"artifact_location"`
	Stage    string `yaml:"lifecycle_stage"`
	Created  int64  `yaml:"creation_time"`
	Updated  int64  `yaml:"last_update_time"`
}

// Experiments reads the experiments, those in the trash too.
func (d *directory) Experiments(context.Context) ([]track.Experiment, error) {
	var out []track.Experiment
	for _, id := range d.ids {
		var m experimentMeta
		if !d.meta("experiments", d.places[id], &m) {
			continue
		}
		if m.Name == "" {
			d.report.fail("experiments", "meta.yaml has no name", d.places[id])
			continue
		}
		d.locations[id] = m.Location
		out = append(out, track.Experiment{ID: id, Name: m.Name, ArtifactLocation: m.Location, Deleted: m.Stage == "deleted",
			CreatedAt: time.UnixMilli(m.Created).UTC(), UpdatedAt: time.UnixMilli(m.Updated).UTC(), Tags: d.pairs("tags", path.Join(d.places[id], "tags"))})
	}
	return out, nil
}

// notRuns are directories of an experiment that hold no run.
var notRuns = []string{"tags", "datasets", "models", "traces", "assessments"}

// Runs reads the runs of all experiments.
func (d *directory) Runs(ctx context.Context, some func([]Run) error) error {
	for _, id := range d.ids {
		if _, ok := d.locations[id]; !ok {
			d.report.fail("runs", "their experiment could not be read", d.places[id])
			continue
		}
		var runs []Run
		for _, name := range d.names(d.places[id]) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			dir := path.Join(d.places[id], name)
			if slices.Contains(notRuns, name) || !d.isDir(dir) {
				continue
			}
			if r, ok := d.run(id, name, dir); ok {
				runs = append(runs, r)
			}
			if len(runs) == batch {
				if err := some(runs); err != nil {
					return err
				}
				runs = nil
			}
		}
		if len(runs) > 0 {
			if err := some(runs); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *directory) isDir(p string) bool {
	info, err := d.root.Stat(filepath.FromSlash(p))
	if err != nil {
		d.report.fail("directories", "cannot be read, or is a link to a place outside: "+cause(err), p)
		return false
	}
	return info.IsDir()
}

type runMeta struct {
	ID     string `yaml:"run_id"`
	OldID  string `yaml:"run_uuid"`
	Name   string `yaml:"run_name"`
	User   string `yaml:"user_id"`
	Status any    `yaml:"status"`
	Start  int64  `yaml:"start_time"`
	End    *int64 `yaml:"end_time"`
	Stage  string `yaml:"lifecycle_stage"`
	URI    string `yaml:"artifact_uri"`
}

// statuses are the numbers that MLflow writes into files.
var statuses = map[int]track.Status{1: track.Running, 2: track.Scheduled, 3: track.Finished, 4: track.Failed, 5: track.Killed}

func (d *directory) run(experiment, name, dir string) (Run, bool) {
	var m runMeta
	if !idForm.MatchString(name) {
		d.report.fail("runs", "the directory has a name that is no id", dir)
		return Run{}, false
	}
	if !d.meta("runs", dir, &m) {
		return Run{}, false
	}
	if m.ID == "" {
		m.ID = m.OldID
	}
	if m.ID != name {
		d.report.fail("runs", "meta.yaml is that of another run", dir)
		return Run{}, false
	}
	r := Run{dir: dir, Run: track.Run{ID: name, ExperimentID: experiment, Name: m.Name, UserID: m.User, StartMS: m.Start, EndMS: m.End,
		Deleted: m.Stage == "deleted", ArtifactURI: m.URI}}
	switch status := m.Status.(type) {
	case string:
		r.Status = track.Status(status)
	case int:
		r.Status = statuses[status]
	}
	r.Params, r.Tags = d.pairs("params", path.Join(dir, "params")), d.pairs("tags", path.Join(dir, "tags"))
	d.links(&r, d.places[experiment])
	d.files("metric points", path.Join(dir, "metrics"), func(key string, info fs.FileInfo) {
		r.State = append(r.State, fmt.Sprint(key, info.Size(), info.ModTime().UnixNano()))
	})
	return r, true
}

type linkMeta struct {
	Source string            `yaml:"source_id"`
	Target string            `yaml:"destination_id"`
	Kind   string            `yaml:"source_type"`
	Step   int64             `yaml:"step"`
	Tags   map[string]string `yaml:"tags"`
}

type datasetMeta struct {
	Name    string  `yaml:"name"`
	Digest  string  `yaml:"digest"`
	Kind    string  `yaml:"source_type"`
	Source  string  `yaml:"source"`
	Schema  *string `yaml:"schema"`
	Profile *string `yaml:"profile"`
}

// links reads what a run read and made.
func (d *directory) links(r *Run, experiment string) {
	for _, name := range d.names(path.Join(r.dir, "inputs")) {
		var m linkMeta
		if !d.meta("inputs and outputs", path.Join(r.dir, "inputs", name), &m) {
			continue
		}
		if m.Kind == "MODEL" || m.Kind == "RUN_INPUT" {
			r.ModelInputs = append(r.ModelInputs, m.Target)
			continue
		}
		var s datasetMeta
		if !idForm.MatchString(m.Source) || !d.meta("inputs and outputs", path.Join(experiment, "datasets", m.Source), &s) {
			continue
		}
		in := track.DatasetInput{Dataset: track.Dataset{Name: s.Name, Digest: s.Digest, SourceType: s.Kind, Source: s.Source, Schema: s.Schema, Profile: s.Profile}}
		for k, v := range m.Tags {
			in.Tags = append(in.Tags, track.KV{Key: k, Value: v})
		}
		sortPairs(in.Tags)
		r.Datasets = append(r.Datasets, in)
	}
	for _, name := range d.names(path.Join(r.dir, "outputs")) {
		var m linkMeta
		if d.meta("inputs and outputs", path.Join(r.dir, "outputs", name), &m) {
			r.Outputs = append(r.Outputs, track.ModelOutput{ModelID: m.Target, Step: m.Step})
		}
	}
}

func sortPairs(list []track.KV) {
	slices.SortFunc(list, func(a, b track.KV) int { return strings.Compare(a.Key, b.Key) })
}
