package job_test

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/job"
)

// here is the folder of the tests, before one of them leaves it.
var here, _ = os.Getwd()

// TestClassicalPipeline: a pipeline of scikit-learn with a numeric input and one of text is evaluated on a csv that has a column for each;
// its probabilities are taken as they are.
func TestClassicalPipeline(t *testing.T) {
	dir := t.TempDir()
	table, out := filepath.Join(dir, "people.csv"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(table, []byte("age,city,label\n20,Bern,0\n60,Rome,1\n,Rome,0\n33,Oslo,0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := job.Evaluate(context.Background(), job.EvaluateConfig{
		Model: filepath.Join(here, "../engine/testdata/classical/mixed_columns.onnx"), Data: table, Predictions: out,
		DataOptions: data.Options{AllowNonFinite: true},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.N != 4 || r.Accuracy != 1 {
		t.Errorf("%+v", r)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// ONNX Runtime's probability of class 1 for 60 and Rome.
	const want = 0.99412388
	last := len(rows[0]) - 1
	if p, err := strconv.ParseFloat(rows[2][last], 64); err != nil || math.Abs(p-want) > 1e-6 {
		t.Errorf("probability %v (%v), want %v, in %v", p, err, want, rows)
	}
}
