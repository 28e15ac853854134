package tracking

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequirementsAreVersionsByTheNamesOfPackages(t *testing.T) {
	got := Requirements("# made by MLflow\nmlflow==3.1.0\nScikit_Learn==1.7.0 # exact\n-r other.txt\n\nnumpy<3,>=2\npandas[excel]==2.3.1; python_version > '3.9'\nscipy\n")
	want := map[string]string{"mlflow": "3.1.0", "scikit-learn": "1.7.0", "numpy": "<3,>=2", "pandas": "2.3.1", "scipy": "any"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
