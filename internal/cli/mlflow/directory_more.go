package mlflow

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/model"
	"levada/internal/core/track"
)

// lines calls fn with the fields of each line of a metric's file: time, value, step, and what is behind. What is no point is
// reported, as is what cannot be read: that is errUnread.
func (d *directory) lines(file string, fn func(p track.Point, more []string) error) error {
	f, err := d.root.Open(filepath.FromSlash(file))
	if err != nil {
		d.report.fail("metric points", "cannot be read: "+cause(err), file)
		return errUnread
	}
	defer f.Close()
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		fields := strings.Fields(scan.Text())
		if len(fields) == 0 {
			continue
		}
		p, ok := point(fields)
		if !ok {
			d.report.fail("metric points", "a line is no point: want time, value and step", file)
			continue
		}
		if err := fn(p, fields[min(3, len(fields)):]); err != nil {
			return err
		}
	}
	if err := scan.Err(); err != nil {
		d.report.fail("metric points", "cannot be read to its end: "+cause(err), file)
		return errUnread
	}
	return nil
}

// point reads time, value and step; the oldest files have no step.
func point(fields []string) (p track.Point, ok bool) {
	if len(fields) < 2 {
		return p, false
	}
	var err error
	if p.Time, err = strconv.ParseInt(fields[0], 10, 64); err != nil {
		return p, false
	}
	if p.Value, err = strconv.ParseFloat(fields[1], 64); err != nil {
		return p, false
	}
	if len(fields) > 2 {
		if p.Step, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
			return p, false
		}
	}
	return p, true
}

// Points reads the files of a run's metrics, and goes on with the next when one cannot be read. A point that is in a file twice is
// given once.
func (d *directory) Points(ctx context.Context, r Run, some func(string, []track.Point) error) error {
	var keys []string
	dir := path.Join(r.dir, "metrics")
	unread := !d.files("metric points", dir, func(key string, _ fs.FileInfo) { keys = append(keys, key) })
	for _, key := range keys {
		var pts []track.Point
		flush := func() error {
			n := len(pts)
			for i := range pts {
				pts[i].Value = d.clean(pts[i].Value, r.ID+" "+key)
			}
			slices.SortFunc(pts, track.Compare)
			pts = slices.CompactFunc(pts, func(a, b track.Point) bool { return track.Compare(a, b) == 0 })
			if n > len(pts) {
				d.report.leave("metric points", "are in the files more than once and are kept once", r.ID+" "+key, int64(n-len(pts)))
			}
			for part := range slices.Chunk(pts, chunk) {
				if err := some(key, part); err != nil {
					return err
				}
			}
			pts = nil
			return ctx.Err()
		}
		err := d.lines(path.Join(dir, key), func(p track.Point, _ []string) error {
			if pts = append(pts, p); len(pts) < 50*chunk {
				return nil
			}
			return flush()
		})
		if errors.Is(err, errUnread) {
			unread, err = true, nil // what was read of it comes
		}
		if err == nil {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	if unread {
		return errUnread
	}
	return nil
}

// clean reports that an infinite value is kept as MLflow's databases keep it.
func (d *directory) clean(v float64, example string) float64 {
	if math.IsInf(v, 0) {
		d.report.leave("metric points", "with infinite values are kept as the largest finite numbers (±1.797e308), as in MLflow's databases", example, 1)
	}
	return track.Clean(v)
}

type loggedMeta struct {
	ID       string `yaml:"model_id"`
	Name     string `yaml:"name"`
	Location string `yaml:"artifact_location"`
	Created  int64  `yaml:"creation_timestamp"`
	Updated  int64  `yaml:"last_updated_timestamp"`
	Status   int    `yaml:"status"`
	Stage    string `yaml:"lifecycle_stage"`
	Type     string `yaml:"model_type"`
	Run      string `yaml:"source_run_id"`
}

// LoggedModels reads the models that MLflow 3 keeps beside runs.
func (d *directory) LoggedModels(ctx context.Context, one func(track.LoggedModel, bool) error) error {
	for _, id := range d.ids {
		if _, ok := d.locations[id]; !ok {
			continue
		}
		models := path.Join(d.places[id], "models")
		for _, name := range d.names(models) {
			dir := path.Join(models, name)
			var m loggedMeta
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !d.isDir(dir) || !d.meta("logged models", dir, &m) {
				continue
			}
			if m.ID != name || !idForm.MatchString(name) {
				d.report.fail("logged models", "meta.yaml is that of another model", dir)
				continue
			}
			logged := track.LoggedModel{ID: name, ExperimentID: id, Name: m.Name, Type: m.Type, SourceRunID: m.Run, ArtifactLocation: m.Location,
				Status: track.ModelStatus(m.Status), Deleted: m.Stage == "deleted", CreatedUS: 1000 * m.Created, UpdatedUS: 1000 * m.Updated,
				Params: d.pairs("params", path.Join(dir, "params")), Tags: d.pairs("tags", path.Join(dir, "tags"))}
			whole := d.modelMetrics(&logged, path.Join(dir, "metrics"))
			if err := one(logged, whole); err != nil {
				return err
			}
		}
	}
	return nil
}

// modelMetrics reads the metrics of a logged model and reports whether all could be read.
func (d *directory) modelMetrics(m *track.LoggedModel, dir string) bool {
	read := true
	listed := d.files("metric points", dir, func(key string, _ fs.FileInfo) {
		err := d.lines(path.Join(dir, key), func(p track.Point, more []string) error {
			x := track.ModelMetric{Metric: track.Metric{Key: key, Point: p, ModelID: m.ID}}
			if len(more) > 0 {
				x.RunID = more[0]
			}
			if len(more) > 2 {
				x.DatasetName, x.DatasetDigest = strings.Join(more[1:len(more)-1], " "), more[len(more)-1]
			}
			m.Metrics = append(m.Metrics, x)
			return nil
		})
		read = read && err == nil
	})
	return listed && read
}

type registeredMeta struct {
	Name        string  `yaml:"name"`
	Created     int64   `yaml:"creation_timestamp"`
	Updated     int64   `yaml:"last_updated_timestamp"`
	Description *string `yaml:"description"`
}

type versionMeta struct {
	Version     int64   `yaml:"version"`
	Created     int64   `yaml:"creation_timestamp"`
	Updated     int64   `yaml:"last_updated_timestamp"`
	Description *string `yaml:"description"`
	User        string  `yaml:"user_id"`
	Stage       string  `yaml:"current_stage"`
	Source      string  `yaml:"source"`
	Location    string  `yaml:"storage_location"`
	Run         string  `yaml:"run_id"`
	Status      string  `yaml:"status"`
	Message     string  `yaml:"status_message"`
	Link        string  `yaml:"run_link"`
}

// RegisteredModels reads the registry below models.
func (d *directory) RegisteredModels(ctx context.Context, one func(Registered) error) error {
	for _, name := range d.names("models") {
		dir := path.Join("models", name)
		var m registeredMeta
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !d.isDir(dir) || !d.meta("registered models", dir, &m) {
			continue
		}
		if m.Name != name {
			d.report.fail("registered models", "meta.yaml is that of another model", dir)
			continue
		}
		r := Registered{Registered: model.Registered{Name: name, Description: m.Description, CreatedUS: 1000 * m.Created, UpdatedUS: 1000 * m.Updated,
			Tags: d.pairs("tags", path.Join(dir, "tags"))}}
		for _, alias := range d.pairs("aliases", path.Join(dir, "aliases")) {
			number, err := strconv.ParseInt(strings.TrimSpace(alias.Value), 10, 64)
			if err != nil {
				d.report.fail("aliases", "the file holds no number of a version", path.Join(dir, "aliases", alias.Key))
				continue
			}
			r.Aliases = append(r.Aliases, model.Alias{Name: alias.Key, Version: number})
		}
		for _, entry := range d.names(dir) {
			if strings.HasPrefix(entry, "version-") {
				d.version(&r, path.Join(dir, entry))
			}
		}
		slices.SortFunc(r.Versions, func(a, b model.Version) int { return int(a.Number - b.Number) })
		if err := one(r); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) version(r *Registered, dir string) {
	var m versionMeta
	if !d.meta("model versions", dir, &m) {
		return
	}
	if path.Base(dir) != "version-"+strconv.FormatInt(m.Version, 10) {
		d.report.fail("model versions", "meta.yaml is that of another version", dir)
		return
	}
	r.addVersion(model.Version{Number: m.Version, Description: m.Description, CreatedUS: 1000 * m.Created, UpdatedUS: 1000 * m.Updated,
		Stage: model.Stage(m.Stage), Source: m.Source, Location: m.Location, RunID: m.Run, RunLink: m.Link, Status: m.Status, StatusMessage: m.Message,
		UserID: m.User, Tags: d.pairs("tags", path.Join(dir, "tags"))})
}

// Others counts traces.
func (d *directory) Others(context.Context) map[string]int64 {
	out := map[string]int64{}
	for _, id := range d.ids {
		if n := len(d.names(path.Join(d.places[id], "traces"))); n > 0 {
			out["traces"] += int64(n)
		}
	}
	return out
}

// Files opens the files of a run or logged model: those in the directory itself, wherever it lay before, else those at the
// artifact location that the experiment declares.
func (d *directory) Files(_ context.Context, of Owner) (Tree, string) {
	if t := given(d.roots, of.URI); t != nil {
		return t, ""
	}
	if scheme, is := elsewhere(of.URI); is {
		return nil, inObjectStore(scheme)
	}
	place := d.places[of.ExperimentID]
	dir := path.Join(place, of.RunID, "artifacts")
	if of.ModelID != "" {
		dir = path.Join(place, "models", of.ModelID, "artifacts")
	}
	if place != "" && (of.RunID != "" || of.ModelID != "") {
		if sub, err := d.root.OpenRoot(filepath.FromSlash(dir)); err == nil {
			return localTree{sub}, ""
		} else if d.exists(dir) || isEscape(err) {
			return nil, "cannot be read, or are a link to a place outside: " + cause(err)
		}
	}
	if root := plainURI(d.locations[of.ExperimentID]); strings.HasSuffix(root, "/"+path.Base(place)) && !strings.HasPrefix(root, "mlflow-artifacts:") {
		return nil, "" // the location is the directory itself, here or where it lay before: there are no files
	}
	return declared(of, d.locations[of.ExperimentID], filepath.Dir(d.path))
}

// isEscape reports whether a directory is a link that leads out of the root.
func isEscape(err error) bool { return err != nil && !errors.Is(err, fs.ErrNotExist) }
