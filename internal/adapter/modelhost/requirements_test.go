package modelhost_test

import (
	"strings"
	"testing"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
)

func TestConstraintsBindWhatTheModelDoesNotNameItself(t *testing.T) {
	const source = `
class Model:
    def predict(self, x):
        from importlib.metadata import version
        return [{"pytz": version("pytz"), "tzdata": version("tzdata")}]
`
	f := newFixture(t)
	files := f.files(mlmodel, source)
	files["requirements.txt"] = requirements + "-c constraints.txt\n"
	files["constraints.txt"] = "pytz==2024.1 # as it was tested\ntzdata<2024.2\nscikit-learn==0.1\n"
	conda := f.files(mlmodel, source)
	delete(conda, "python_env.yaml")
	delete(conda, "requirements.txt")
	conda["conda.yaml"] = "dependencies: [python=3.11, pip, {pip: [numpy==2.2.6, pandas==2.2.3, \"-c constraints.txt\"]}]"
	conda["constraints.txt"] = files["constraints.txt"]
	for name, files := range map[string]map[string]string{"requirements": files, "conda": conda} {
		out, err := f.start(files, endpoint.Settings{}).Predict(t.Context(), []*infer.Request{pairs(1, 2)}, long)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(out[0].Outputs[0].Data[4:]); got != `{"pytz": "2024.1", "tzdata": "2024.1"}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestConstraintsThatCannotBeReadAreLeftOutAndFilesNeedNoBlank(t *testing.T) {
	const source = `
class Model:
    def predict(self, x):
        from importlib.metadata import version
        return [{"pytz": version("pytz")}]
`
	f := newFixture(t)
	files := f.files(mlmodel, source)
	files["requirements.txt"] = "-rmore.txt\n-cthese.txt # as tested\n-c https://me:hunter2@files.invalid/all.txt?token=hunter2\n--constraint=none.txt\n-c local.txt\n"
	files["more.txt"], files["these.txt"], files["local.txt"] = requirements, "pytz==2024.1\ntzdata<2024.2\n", "numpy @ file:///tmp/build/numpy\n"
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
	for _, want := range []string{"the constraints of https://files.invalid/all.txt are left out", "the constraints of none.txt are left out", "the constraints of local.txt are left out"} {
		if !strings.Contains(said.Note, want) || strings.Contains(said.Note, "hunter2") {
			t.Errorf("%s; want it to say %q", said.Note, want)
		}
	}
	out, err := w.Predict(t.Context(), []*infer.Request{pairs(1, 2)}, long)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out[0].Outputs[0].Data[4:]); got != `{"pytz": "2024.1"}` {
		t.Error(got)
	}
}
