package train

import (
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// The statistics of a first BatchNormalization are the mean and the variance of the data, whatever the batches and the model's momentum.
func TestEstimateBatchNorm(t *testing.T) {
	const n, k = 23, 4
	x := testkit.RandN(3, n, k)
	for i := range x.F32() {
		x.F32()[i] = 2*x.F32()[i] + float32(i%k)
	}
	file := graphModel([]any{"N", k}, []any{"N", 2}, []*onnxpb.NodeProto{
		onnx.NewNode("BatchNormalization", "bn", []string{"x", "scale", "bias", "mean", "var"}, []string{"h"}, onnx.AttrFloat("momentum", 0.7)),
		onnx.NewNode("MatMul", "m", []string{"h", "w"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"scale": testkit.RandN(1, k), "bias": testkit.RandN(2, k), "mean": testkit.RandN(4, k),
		"var": tensor.From([]float32{1, 2, 3, 4}, k), "w": testkit.RandN(5, k, 2)})
	m := load(t, file)
	ds := regression{x, testkit.RandN(6, n, 2)}
	plan, err := feed.For(m, ds, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := EstimateBatchNorm(t.Context(), m, ds, plan, 5, nil, 1); err != nil {
		t.Fatal(err)
	}
	for c := range k {
		mean, square := 0.0, 0.0
		for i := range n {
			v := float64(x.F32()[i*k+c])
			mean, square = mean+v/n, square+v*v/n
		}
		if got := param(t, m, "mean").Float64s()[c]; math.Abs(got-mean) > 1e-5 {
			t.Errorf("mean %d: %v, want %v", c, got, mean)
		}
		if got, want := param(t, m, "var").Float64s()[c], square-mean*mean; math.Abs(got-want) > 1e-4*want {
			t.Errorf("variance %d: %v, want %v", c, got, want)
		}
	}
	none := load(t, built(t, "mlp", models.Options{}))
	err = EstimateBatchNorm(t.Context(), none, ds, plan, 5, nil, 1)
	if err == nil || !strings.Contains(err.Error(), "no batch normalisation") {
		t.Errorf("%v", err)
	}
}

// Every parameter is in one layer, and vectors are in that of the matrix before them.
func TestLayersOf(t *testing.T) {
	m := load(t, built(t, "resnet8", models.Options{}))
	names, err := Select(m, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	layers := layersOf(m, names)
	all := 0
	for _, l := range layers {
		all += len(l)
	}
	last := layers[len(layers)-1]
	if all != len(names) || len(last) != 2 || !strings.HasPrefix(last[0], "fc") || len(layers) < 8 {
		t.Errorf("%d layers with %d of %d parameters, the last %v", len(layers), all, len(names), last)
	}
	if u := (&Unfreeze{Every: 2, Layers: 3}); u.open(0) != 3 || u.open(1) != 3 || u.open(2) != 6 {
		t.Errorf("%d, %d, %d layers", u.open(0), u.open(1), u.open(2))
	}
}
