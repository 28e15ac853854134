package modelhost_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/modelhost"
	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/subprocess"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cacheDir is kept between test runs: environments are slow to make.
func cacheDir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("LEVADA_TEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "levada-test")
}

// fixture is a host with real environments and a real blob store.
type fixture struct {
	*modelhost.Host
	t     testing.TB
	data  string
	blobs *blob.Store
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	data := t.TempDir()
	blobs, err := blob.Open(filepath.Join(data, "blobs"), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	environ := append(os.Environ(), "LEVADA_SECRET=hunter2")
	envs := pyenv.New(pyenv.Options{Dir: filepath.Join(cacheDir(t), "envs"), ToolsDir: filepath.Join(cacheDir(t), "tools"), Environ: environ})
	h, err := modelhost.New(modelhost.Options{
		Dir: filepath.Join(data, "serving"), Scripts: &subprocess.Scripts{Dir: filepath.Join(data, "tools")}, Blobs: blobs, Envs: envs, Environ: environ,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		envs.Close()
		if err := errors.Join(h.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	return &fixture{h, t, data, blobs}
}

// version stores files and returns a version of them.
func (f *fixture) version(files map[string]string) endpoint.Deployed {
	f.t.Helper()
	d := endpoint.Deployed{Endpoint: "e", Model: "m", Version: "1"}
	for path, content := range files {
		info, err := f.blobs.PutReader(f.t.Context(), strings.NewReader(content))
		if err != nil {
			f.t.Fatal(err)
		}
		d.Files = append(d.Files, model.File{Path: path, Size: int64(len(content)), Digest: info.Digest})
	}
	return d
}

// pickled is a pickle that makes an object of the class Model in a Python source: what pickles can do is why only registered ones are
// loaded.
func pickled(source string) string {
	code := fmt.Sprintf("(lambda ns: (exec(%s, ns), ns['Model']())[1])({})", quoted(source))
	return "cbuiltins\neval\n(V" + strings.ReplaceAll(strings.ReplaceAll(code, `\`, `\u005c`), "\n", `\u000a`) + "\ntR."
}

func quoted(source string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(source) + "'"
}

const mlmodel = `
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    predict_fn: predict
    python_version: 3.11.7
  sklearn: {pickled_model: model.pkl, serialization_format: pickle}
signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]'
`

const columnsModel = `
flavors:
  python_function: {loader_module: mlflow.sklearn, predict_fn: predict}
  sklearn: {pickled_model: model.pkl, serialization_format: pickle}
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "string", "name": "carrier", "required": true}, {"type": "datetime", "name": "at", "required": true}]'
`

// misbehaving is a model that does what the first number of its input says.
const misbehaving = `
class Model:
    def predict(self, x):
        import os, time, sys
        import numpy as np
        what = x.ravel()[0]
        if what == -1: raise ValueError("negative\nfirst number")
        if what == -2: os.kill(os.getpid(), 11)
        if what == -3: time.sleep(3600)
        if what == -4:
            self.kept = np.ones((300 << 20) // 8)
            time.sleep(3600)
        if what == -5: return object()
        if what == -6:
            os.write(3, b"\xff" * 64)
            time.sleep(3600)
        if what == -7: sys.exit(3)
        if what == -8: return np.ones(1)
        if what == -9: os.close(3); time.sleep(3600)
        if what == -10: print("the last thing it said", flush=True); os._exit(9)
        if what == -11: return [{"secret": os.environ.get("LEVADA_SECRET", "none"), "threads": os.environ["OMP_NUM_THREADS"], "home": os.listdir(os.environ["HOME"])}]
        return x * 2
`

// requirements are those of the environment that all these models share.
const requirements = "numpy==2.2.6\npandas==2.2.3 # and what it needs\n"

func (f *fixture) files(mlmodel, source string) map[string]string {
	return map[string]string{"MLmodel": mlmodel, "model.pkl": pickled(source), "requirements.txt": requirements,
		"python_env.yaml": "python: 3.11.7\nbuild_dependencies: [pip]\ndependencies:\n- -r requirements.txt\n"}
}

// start starts a worker for a model.
func (f *fixture) start(files map[string]string, settings endpoint.Settings) *modelhost.Worker {
	f.t.Helper()
	p, err := f.Prepare(f.t.Context(), f.version(files), func(line string) { f.t.Log(line) })
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(p.Release)
	w, _, err := p.Start(f.t.Context(), settings.Filled())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(w.Close)
	return w
}

func floats(shape []int64, v ...float64) infer.Tensor {
	t := infer.Tensor{Name: "x", Datatype: infer.FP64, Shape: shape}
	for _, f := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(f))
	}
	return t
}

func pairs(v ...float64) *infer.Request {
	return &infer.Request{ID: fmt.Sprint(v[0]), Inputs: []infer.Tensor{floats([]int64{int64(len(v) / 2), 2}, v...)}}
}

func numbers(t infer.Tensor) []float64 {
	out := make([]float64, len(t.Data)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
	}
	return out
}

const long = 30 * time.Second

func TestABatchComesBackInItsParts(t *testing.T) {
	f := newFixture(t)
	w := f.start(f.files(mlmodel, misbehaving), endpoint.Settings{})
	requests := []*infer.Request{pairs(1, 2), pairs(3, 4, 5, 6), pairs(7, 8)}
	for range 2 { // the header is remembered
		out, err := w.Predict(t.Context(), requests, long)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"[2 4]", "[6 8 10 12]", "[14 16]"} {
			o := out[i].Outputs[0]
			if got := fmt.Sprint(numbers(o)); got != want || o.Name != "output-0" || o.Shape[0] != requests[i].Inputs[0].Shape[0] || out[i].ID != requests[i].ID {
				t.Errorf("request %d: %s, %+v", i, got, out[i])
			}
		}
	}
	if err := w.Check(t.Context(), long); err != nil {
		t.Error(err)
	}
}

func TestWhatTheModelDoesIsToldForWhatItIs(t *testing.T) {
	f := newFixture(t)
	files := f.files(mlmodel, misbehaving)
	tests := map[string]struct {
		input    float64
		limit    time.Duration
		memoryMB int
		kind     fault.Kind
		want     string
		alive    bool
	}{
		"an exception":           {-1, long, 0, fault.Invalid, "first number", true},
		"a segmentation fault":   {-2, long, 0, fault.Unavailable, "segmentation fault", false},
		"it hangs":               {-3, 300 * time.Millisecond, 0, fault.Unavailable, "more than 300ms", false},
		"too much memory":        {-4, long, 250, fault.Unavailable, "its limit is 250 MiB", false},
		"an object":              {-5, long, 0, fault.Unavailable, "cannot be sent", true},
		"garbage on the socket":  {-6, long, 0, fault.Unavailable, "not in its protocol", false},
		"it exits":               {-7, long, 0, fault.Invalid, "SystemExit", true},
		"it closes the socket":   {-9, long, 0, fault.Unavailable, "closed its connection", false},
		"it says why and leaves": {-10, long, 0, fault.Unavailable, "the last thing it said", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := f.start(files, endpoint.Settings{MemoryMB: tt.memoryMB})
			_, err := w.Predict(t.Context(), []*infer.Request{pairs(tt.input, 0)}, tt.limit)
			if fault.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%v; want it to say %q", err, tt.want)
			}
			if late := errors.Is(err, context.DeadlineExceeded); late != (tt.input == -3) {
				t.Errorf("deadline exceeded: %v", late)
			}
			if tt.alive {
				out, err := w.Predict(t.Context(), []*infer.Request{pairs(1, 2)}, long)
				if err != nil || numbers(out[0].Outputs[0])[0] != 2 {
					t.Errorf("afterwards: %v", err)
				}
				return
			}
			<-w.Gone()
			if w.Err() == nil {
				t.Error("it does not say why it ended")
			}
		})
	}
}

func TestAnAnswerThatHasNotARowForEachIsTold(t *testing.T) {
	f := newFixture(t)
	w := f.start(f.files(mlmodel, misbehaving), endpoint.Settings{})
	if _, err := w.Predict(t.Context(), []*infer.Request{pairs(-8, 0), pairs(1, 2)}, long); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	if out, err := w.Predict(t.Context(), []*infer.Request{pairs(-8, 0)}, long); err != nil || len(numbers(out[0].Outputs[0])) != 1 {
		t.Errorf("by itself: %v", err)
	}
}

func TestAWorkerSeesNothingOfTheServer(t *testing.T) {
	f := newFixture(t)
	w := f.start(f.files(mlmodel, misbehaving), endpoint.Settings{Threads: 3})
	out, err := w.Predict(t.Context(), []*infer.Request{pairs(-11, 0)}, long)
	if err != nil {
		t.Fatal(err)
	}
	o := out[0].Outputs[0]
	if got := string(o.Data[4:]); o.Parameters["content_type"] != "json" || got != `{"secret": "none", "threads": "3", "home": []}` {
		t.Errorf("%s, %v", got, o.Parameters)
	}
}

func TestAKilledWorkerIsNoticedAndLeavesNothing(t *testing.T) {
	f := newFixture(t)
	w := f.start(f.files(mlmodel, misbehaving), endpoint.Settings{})
	if err := syscall.Kill(w.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-w.Gone()
	if !strings.Contains(w.Err().Error(), "killed") {
		t.Errorf("%v", w.Err())
	}
	if _, err := w.Predict(t.Context(), []*infer.Request{pairs(1, 2)}, long); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	w.Close()
	if left, err := os.ReadDir(filepath.Join(f.data, "serving", "home")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestColumnsBecomeATable(t *testing.T) {
	const source = `
class Model:
    def predict(self, table):
        import pandas as pd
        assert list(table.columns) == ["x", "carrier", "at"], table.columns
        assert str(table["at"].dtype) == "datetime64[ns]", table.dtypes
        return pd.DataFrame({"y": table["x"] * 2, "who": table["carrier"] + "!", "year": table["at"].dt.year})
`
	f := newFixture(t)
	w := f.start(f.files(columnsModel, source), endpoint.Settings{})
	request := func(x float64, carrier string, at time.Time) *infer.Request {
		when := infer.Tensor{Name: "at", Datatype: infer.Int64, Shape: []int64{1}, Parameters: map[string]any{infer.ContentType: infer.ContentDatetime},
			Data: binary.LittleEndian.AppendUint64(nil, uint64(at.UnixNano()))}
		text := infer.Tensor{Name: "carrier", Datatype: infer.Bytes, Shape: []int64{1, 1}, Data: infer.AppendBytes(nil, []byte(carrier))}
		return &infer.Request{Inputs: []infer.Tensor{floats([]int64{1}, x), text, when}}
	}
	out, err := w.Predict(t.Context(), []*infer.Request{
		request(1, "UA", time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)), request(2, "Änne", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)),
	}, long)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"[2] UA! 2013", "[4] Änne! 2024"} {
		o := out[i].Outputs
		got := fmt.Sprintf("%v %s %d", numbers(o[0]), o[1].Data[4:], binary.LittleEndian.Uint32(o[2].Data))
		if got != want || o[0].Name != "y" || out[i].Parameters[infer.ContentType] != infer.ContentTable {
			t.Errorf("%s; want %s (%+v)", got, want, out[i])
		}
	}
}

func TestAManyColumnedTableOfNumbersIsRight(t *testing.T) {
	const source = `
class Model:
    def predict(self, table):
        return table["c0"] + 10 * table["c1"] + 100 * table["c2"]
`
	f := newFixture(t)
	files := f.files(`
flavors:
  python_function: {loader_module: mlflow.sklearn, predict_fn: predict}
  sklearn: {pickled_model: model.pkl, serialization_format: pickle}
signature:
  inputs: '[{"type": "double", "name": "c0"}, {"type": "double", "name": "c1"}, {"type": "double", "name": "c2"}]'
`, source)
	w := f.start(files, endpoint.Settings{})
	var requests []*infer.Request
	for i := range 5 {
		r := &infer.Request{}
		for c := range 3 {
			x := floats([]int64{1}, float64(i+c))
			x.Name = fmt.Sprint("c", c)
			r.Inputs = append(r.Inputs, x)
		}
		requests = append(requests, r)
	}
	out, err := w.Predict(t.Context(), requests, long)
	if err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		want := float64(i) + 10*float64(i+1) + 100*float64(i+2)
		if got := numbers(out[i].Outputs[0]); len(got) != 1 || got[0] != want {
			t.Errorf("request %d: %v; want %v", i, got, want)
		}
	}
}

func TestVersionsThatCannotBeLoadedSayWhy(t *testing.T) {
	f := newFixture(t)
	with := func(path, content string) map[string]string {
		files := f.files(mlmodel, misbehaving)
		if files[path] = content; content == "" {
			delete(files, path)
		}
		return files
	}
	withConstraints := func(requirement, constraint string) map[string]string {
		files := with("requirements.txt", requirement+"\n-c constraints.txt\n")
		files["constraints.txt"] = constraint
		return files
	}
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"no files":          {nil, "its files are not kept by this server"},
		"no MLmodel":        {with("MLmodel", ""), "no file MLmodel"},
		"not for Python":    {with("MLmodel", "flavors: {onnx: {}}"), "needs python_function"},
		"a local package":   {with("requirements.txt", "./evil.whl"), "file or address"},
		"another option":    {with("requirements.txt", "--editable ."), "cannot be used here"},
		"no such file":      {with("requirements.txt", "six\n-r more.txt"), "more.txt"},
		"from an address":   {with("requirements.txt", "six\n-r https://me:hunter2@files.invalid/more.txt"), "https://files.invalid/more.txt is an address"},
		"a contradiction":   {withConstraints("six==1.16.0", "six<1.16"), "six"},
		"no requirements":   {with("requirements.txt", "# none"), "no requirements.txt"},
		"a way out":         {with("../../evil", "x"), "cannot have a file named"},
		"no such package":   {with("requirements.txt", "levada-there-is-no-such-package==1"), "levada-there-is-no-such-package"},
		"a damaged pickle":  {with("model.pkl", "no pickle"), "could not be loaded: "},
		"a module it lacks": {with("model.pkl", "cthere_is_no_such_module\nx\n(tR."), "pip_requirements"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := f.Prepare(t.Context(), f.version(tt.files), func(string) {})
			if err == nil {
				defer p.Release()
				_, _, err = p.Start(t.Context(), endpoint.Settings{}.Filled())
			}
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%v (kind %d); want it to say %q", err, fault.KindOf(err), tt.want)
			}
		})
	}
}

func TestColumnsWithoutNamesAreNumbered(t *testing.T) {
	const source = `
class Model:
    def predict(self, table):
        assert list(table.columns) == [0, 1], table.columns
        return table[0] + table[1]
`
	f := newFixture(t)
	w := f.start(f.files(`
flavors:
  python_function: {loader_module: mlflow.sklearn, predict_fn: predict}
  sklearn: {pickled_model: model.pkl, serialization_format: pickle}
signature:
  inputs: '[{"type": "double"}, {"type": "double"}]'
`, source), endpoint.Settings{})
	x, y := floats([]int64{1}, 1), floats([]int64{1}, 2)
	x.Name, y.Name = "", "b"
	if out, err := w.Predict(t.Context(), []*infer.Request{{Inputs: []infer.Tensor{x, y}}}, long); err != nil || numbers(out[0].Outputs[0])[0] != 3 {
		t.Errorf("%v", err)
	}
}

func TestTheExampleOfATensorHasTheTypeOfTheSignature(t *testing.T) {
	const source = `
class Model:
    def predict(self, x):
        assert str(x.dtype) == "float32", x.dtype
        return x
`
	f := newFixture(t)
	files := f.files(strings.ReplaceAll(mlmodel, "float64", "float32")+"saved_input_example_info: {artifact_path: input_example.json, type: ndarray}\n", source)
	files["input_example.json"] = `{"inputs": [[0.5, 2]]}`
	p, err := f.Prepare(t.Context(), f.version(files), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	w, said, err := p.Start(t.Context(), endpoint.Settings{}.Filled())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if !said.Warmed || strings.Contains(said.Note, "example") {
		t.Errorf("%+v", said)
	}
}

func TestAnIdleWorkerThatDoesNotAnswerIsEnded(t *testing.T) {
	f := newFixture(t)
	w := f.start(f.files(mlmodel, misbehaving), endpoint.Settings{})
	if err := w.Check(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(w.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := w.Check(t.Context(), 100*time.Millisecond); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "being checked for more than 100ms") {
		t.Errorf("%v", err)
	}
	<-w.Gone()
}

func TestDamagedContentIsNotLoaded(t *testing.T) {
	f := newFixture(t)
	d := f.version(f.files(mlmodel, misbehaving))
	for _, file := range d.Files {
		if file.Path == "model.pkl" {
			sum := strings.TrimPrefix(file.Digest, "sha256:")
			path := filepath.Join(f.data, "blobs", "sha256", sum[:2], sum)
			if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("other bytes"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := f.Prepare(t.Context(), d, func(string) {}); !errors.Is(err, blob.ErrDamaged) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Join(f.data, "serving", "models")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestLoadingCanBeGivenUp(t *testing.T) {
	f := newFixture(t)
	p, err := f.Prepare(t.Context(), f.version(f.files(mlmodel, "import time\ntime.sleep(3600)")), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	if _, _, err := p.Start(t.Context(), endpoint.Settings{LoadTimeoutSeconds: 1}.Filled()); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "load_timeout_seconds") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, _, err := p.Start(ctx, endpoint.Settings{}.Filled()); err == nil {
		t.Error("it was not given up")
	}
}

func TestTheFilesGoWithTheLastWhoUsesThem(t *testing.T) {
	f := newFixture(t)
	d := f.version(f.files(mlmodel, misbehaving))
	var both [2]*modelhost.Prepared
	for i := range both {
		p, err := f.Prepare(t.Context(), d, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		both[i] = p
	}
	there := func() int {
		left, err := os.ReadDir(filepath.Join(f.data, "serving", "models"))
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	both[0].Release()
	both[0].Release()
	if there() != 1 {
		t.Error("the files went while they were used")
	}
	if both[1].Release(); there() != 0 {
		t.Error("the files stay")
	}
}
