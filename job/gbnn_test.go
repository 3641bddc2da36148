package job_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Boosting on models whose outputs and labels are of each kind; what it has no loss for is refused, with the way out.
func TestBoostKinds(t *testing.T) {
	const n = 90
	x := noise(n, 4)
	label := func(k int) *tensor.Tensor { // by the first two numbers
		y := tensor.New(tensor.Int64, n)
		for i := range n {
			a, b := x.Float64s()[4*i], x.Float64s()[4*i+1]
			y.I64()[i] = int64(math.Mod(math.Floor(2+a+b), float64(k))+float64(k)) % int64(k)
		}
		return y
	}
	onehot := func(k int, share float32) *tensor.Tensor {
		y := tensor.New(tensor.Float32, n, k)
		for i, l := range label(k).I64() {
			for j := range k {
				y.F32()[i*k+j] = (1 - share) / float32(k-1)
			}
			y.F32()[i*k+int(l)] = share
		}
		return y
	}
	values := tensor.New(tensor.Float64, n, 2)
	for i := range n {
		a := x.Float64s()[4*i]
		tensor.Data[float64](values)[2*i], tensor.Data[float64](values)[2*i+1] = 1e6+1e5*math.Sin(a), 1e-3*a
	}
	hundreds := tensor.New(tensor.Float32, n, 1) // -100 is a value as others are
	for i := range n {
		hundreds.F32()[i] = -200
		if x.Float64s()[4*i] > 0 {
			hundreds.F32()[i] = -100
		}
	}
	both := tensor.New(tensor.Float32, n, 3)
	for i := range both.F32() {
		both.F32()[i] = float32(i * i % 5 % 2)
	}
	model := func(d tensor.DType, k int, after ...string) string {
		m := linear(t, d, 4, k)
		g := m.Proto.GetGraph()
		for _, op := range after {
			out := g.Output[0].GetName()
			last := g.Node[len(g.Node)-1]
			last.Output[0] = out + ".before." + op
			node := onnx.NewNode(op, op, []string{last.Output[0]}, []string{out})
			if op == "Softmax" {
				node.Attribute = append(node.Attribute, onnx.AttrInt("axis", 1))
			}
			g.Node = append(g.Node, node)
		}
		path := filepath.Join(t.TempDir(), "m.onnx")
		if err := m.WriteFile(path, onnx.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	positions := built(t, infos(info("x", tensor.Float32, "N", 4)), infos(info("y", tensor.Float32, "N", 2, 4)),
		map[string]*tensor.Tensor{"w": tensor.New(tensor.Float32, 4, 8), "s": tensor.From([]int64{-1, 2, 4}, 3)},
		onnx.NewNode("MatMul", "m", []string{"x", "w"}, []string{"z"}), onnx.NewNode("Reshape", "r", []string{"z", "s"}, []string{"y"}))
	for name, c := range map[string]struct {
		model string
		y     *tensor.Tensor
		task  string
		num   string
		kind  string
		good  float64 // of the metric, at least, or of rmse, as a share of that before, at most
		wrong string
	}{
		"one logit":            {model: model(tensor.Float32, 1), y: label(2), kind: "binary", good: 0.9},
		"one sigmoid":          {model: model(tensor.Float32, 1, "Sigmoid"), y: label(2), kind: "binary", good: 0.9},
		"two scores":           {model: model(tensor.Float32, 2), y: label(2), kind: "multiclass", good: 0.9},
		"softmax":              {model: model(tensor.Float32, 3, "Softmax"), y: label(3), kind: "multiclass", good: 0.9},
		"a sigmoid of each":    {model: model(tensor.Float32, 3, "Sigmoid"), y: label(3), kind: "multiclass", good: 0.9},
		"double precision":     {model: model(tensor.Float64, 3), y: label(3), kind: "multiclass", good: 0.9},
		"half precision":       {model: model(tensor.Float16, 3), y: label(3), kind: "multiclass", good: 0.9},
		"distributions":        {model: model(tensor.Float32, 3), y: onehot(3, 0.8), task: "multiclass", kind: "multiclass", good: 0.9},
		"other classes":        {model: model(tensor.Float32, 7), y: label(3), num: "auto", kind: "multiclass", good: 0.9},
		"values":               {model: model(tensor.Float32, 2), y: values, kind: "regression", good: 0.2},
		"values of a squashed": {model: model(tensor.Float32, 5, "Sigmoid"), y: values, task: "regression", kind: "regression", good: 0.2},
		"values of minus 100":  {model: model(tensor.Float32, 1), y: hundreds, task: "regression", kind: "regression", good: 0.5},
		"numbers alone":        {y: values, kind: "regression", good: 0.2},
		"labels":               {model: model(tensor.Float32, 3, "Sigmoid"), y: both, wrong: "this is a multilabel task"},
		"positions":            {model: positions, y: tensor.New(tensor.Int64, n, 4), task: "dense", wrong: "this is a dense task"},
		"no truth":             {wrong: "neither classes nor values"},
	} {
		t.Run(name, func(t *testing.T) {
			in := []tensor.Named{{Name: "x", Tensor: x}}
			if c.y != nil {
				in = append(in, tensor.Named{Name: "y", Tensor: c.y})
			}
			data := "npz:" + npz(t, in...)
			out := filepath.Join(t.TempDir(), "out.onnx")
			r, err := job.Finetune(context.Background(), job.FinetuneConfig{Model: c.model, Data: data, Val: data,
				UseOptions: job.UseOptions{Task: c.task},
				NumClasses: c.num, Method: job.GBNNMethod, GBNN: &job.GBNN{Units: 24, Step: 3, Eta: 0.5, Subsample: 1}, Out: out}, nil)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			was, is := float64(r.Before.Metrics[r.Metric]), float64(r.After.Metrics[r.Metric])
			if r.Task != c.kind || r.Metric == "rmse" && !(is < c.good*was) || r.Metric != "rmse" && !(is >= c.good) {
				t.Errorf("a %s task: %s %v before, %v after", r.Task, r.Metric, was, is)
			}
			last := r.GBNN.Curve[len(r.GBNN.Curve)-1]
			if len(r.GBNN.Curve) != 9 || last.Units != 24 || math.Abs(float64(last.Val.Loss-r.After.Loss)) > 1e-2*float64(r.After.Loss)+1e-3 {
				t.Errorf("the curve ends with %+v, the model has a loss of %v", last, r.After.Loss)
			}
			kept := job.ExportConfig{From: out, Out: filepath.Join(t.TempDir(), "kept.onnx"), KeepUnits: 3}
			if _, err := job.Export(context.Background(), kept); err != nil {
				t.Error(err)
			}
		})
	}
}
