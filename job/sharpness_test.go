package job_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// What is measured of a network with batch normalisation is the same on any number of threads, and so are its curves in the folder.
func TestSharpness(t *testing.T) {
	dir := t.TempDir()
	file, err := models.New("resnet8", models.Options{Classes: 10, Channels: 1, ImageSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(dir, "resnet8.onnx")
	if err := file.WriteFile(model, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var reports []*job.SharpnessReport
	var curves []string
	for _, threads := range []int{1, 3} {
		out := filepath.Join(dir, "out"+string(rune('0'+threads)))
		r, err := job.Sharpness(t.Context(), job.SharpnessConfig{Model: model, ModelOptions: job.ModelOptions{Threads: threads},
			Data: "digits#train", Along: []string{"sgd", "adam"}, Warm: []int{0, 4}, Batches: 2, Lanczos: 5, Out: out,
			TrainOptions: job.TrainOptions{BN: "train", BatchSize: 8}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(out, "curves.csv"))
		if err != nil {
			t.Fatal(err)
		}
		reports, curves = append(reports, r), append(curves, string(raw))
	}
	a, b := reports[0], reports[1]
	if curves[0] != curves[1] || a.LambdaMax != b.LambdaMax || a.Loss != b.Loss || a.Directions[1].Sharpness != b.Directions[1].Sharpness {
		t.Errorf("one thread gives %+v, three %+v", a.SharpnessPoint, b.SharpnessPoint)
	}
	if a.N != 16 || a.Step != 4 || len(a.Points) != 2 || a.Hessian != "exact" || len(a.Directions) != 2 {
		t.Errorf("the report is %+v", a)
	}
	for _, d := range a.Points[0].Directions { // the first step follows the gradient that it is measured with
		if d.Slope >= 0 || math.Abs(d.Cosine) > 1+1e-12 || d.Sharpness > float64(a.Points[0].LambdaMax+a.Points[0].LambdaMaxRes) {
			t.Errorf("first step of %s: %+v", d.Name, d)
		}
	}
}

func TestSharpnessRefused(t *testing.T) {
	dir := t.TempDir()
	p := testkit.Text{In: []string{"x[N,1,8,8]"}, Out: []string{"y[N,64]"}, Nodes: []string{"f = Flatten(x)", "y = Softmax(f)"}}.Model(t)
	bare := filepath.Join(dir, "bare.onnx")
	if err := (&onnx.Model{Proto: p}).WriteFile(bare, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		change func(*job.SharpnessConfig)
		kind   job.Kind
		want   string
	}{
		{func(c *job.SharpnessConfig) { c.Model = bare }, job.KindInput, "the model has no trainable parameter"},
		{func(c *job.SharpnessConfig) { c.Along = []string{"clip:1"} }, job.KindUsage, "fraction 1"},
		{func(c *job.SharpnessConfig) { c.Along = []string{} }, job.KindUsage, "--along"},
		{func(c *job.SharpnessConfig) { c.Warm = []int{-1} }, job.KindUsage, "--warm"},
		{func(c *job.SharpnessConfig) { c.Batches = -1 }, job.KindUsage, "--batches"},
		{func(c *job.SharpnessConfig) { c.Out = filepath.Join(bare, "x.html") }, job.KindIO, "bare.onnx"},
	} {
		c := job.SharpnessConfig{Model: "builtin:digits", Data: "digits#test"}
		x.change(&c)
		if _, err := job.Sharpness(t.Context(), c, nil); err == nil || job.KindOf(err) != x.kind || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v is %v, want %v: %s", err, job.KindOf(err), x.kind, x.want)
		}
	}
}
