package job_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Features and targets that are far from 1 are noted where nothing brings them near, and only there.
func TestUnscaled(t *testing.T) {
	x := noise(60, 3)
	y := tensor.New(tensor.Float32, 60, 2)
	for i := range 60 {
		y.F32()[2*i], y.F32()[2*i+1] = 500+x.F32()[3*i], 1
	}
	small := "npz:" + table(t, x, y)
	large := x.Clone()
	for i := range large.F32() {
		large.F32()[i] = 3000 + 100*large.F32()[i]
	}
	wide := "npz:" + table(t, large, y)
	model := filepath.Join(t.TempDir(), "m.onnx")
	if err := linear(t, tensor.Float32, 3, 2).WriteFile(model, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name, model, data         string
		features, targets         bool // brought to mean 0 and deviation 1
		saysFeatures, saysTargets bool // noted
	}{
		{"as they are", model, wide, false, false, true, true},
		{"small features", model, small, false, false, false, true},
		{"standardised", model, wide, true, true, false, false},
		{"once more", filepath.Join(dir, "standardised.onnx"), wide, false, false, false, false},
	} {
		r, err := job.Finetune(context.Background(), job.FinetuneConfig{Model: c.model, Data: c.data, Epochs: 1, Standardise: c.features,
			StandardiseTargets: c.targets, Out: filepath.Join(dir, c.name+".onnx")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		noted := func(word string) bool {
			return slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, "the "+word+" are as large as") })
		}
		if noted("features") != c.saysFeatures || noted("targets") != c.saysTargets {
			t.Errorf("%s: %q", c.name, r.Notes)
		}
	}
}
