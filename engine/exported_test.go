package engine_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// modernModel is a model that PyTorch wrote, with what PyTorch computes.
type modernModel struct {
	m      *engine.Model
	feeds  map[string]*tensor.Tensor
	out    *tensor.Tensor
	labels *tensor.Tensor            // nil where there are no gradients
	grads  map[string]*tensor.Tensor // of the mean cross-entropy, on the last position of a language model
	params map[string]*tensor.Tensor // the values of those parameters
	axis   int                       // of the examples in the inputs
}

func readArrays(t *testing.T, path string) map[string]*tensor.Tensor {
	t.Helper()
	out := map[string]*tensor.Tensor{}
	b, err := os.ReadFile(path)
	if err != nil {
		return out
	}
	arrays, err := tensor.ReadNPZ(bytes.NewReader(b), int64(len(b)), tensor.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrays {
		out[a.Name] = a.Tensor
	}
	return out
}

func openExported(t *testing.T, name string) *modernModel {
	t.Helper()
	dir := filepath.Join(testkit.Shared(t), "data", "modern", name)
	file, err := onnx.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Skipf("no model %s beside the repository", name)
	}
	e := &modernModel{feeds: map[string]*tensor.Tensor{}, grads: map[string]*tensor.Tensor{}, params: map[string]*tensor.Tensor{}}
	if e.m, err = engine.Load(file); err != nil {
		t.Fatal(err)
	}
	for k, v := range readArrays(t, filepath.Join(dir, "io.npz")) {
		if in, ok := strings.CutPrefix(k, "in_"); ok {
			e.feeds[in] = v
		} else if k == "out_0" {
			e.out = v
		}
	}
	for k, v := range readArrays(t, filepath.Join(dir, "grad.npz")) {
		if p, ok := strings.CutPrefix(k, "p:"); ok {
			e.params[p] = v
		} else if k == "labels" {
			e.labels = v
		} else {
			e.grads[k] = v
		}
	}
	if name == "scan" {
		e.axis = 1
	}
	for k, v := range readArrays(t, filepath.Join("testdata", "eager.npz")) {
		if p, ok := strings.CutPrefix(k, name+"/"); ok {
			e.grads[p] = v
		}
	}
	return e
}

// loss is the cross-entropy of each example.
func (e *modernModel) loss(b *engine.Build) (graph.Value, error) {
	z, err := b.Value(e.m.Outputs()[0].Name)
	if err != nil {
		return 0, err
	}
	if e.out.Rank() == 3 { // the last position of a language model
		last, err := ops.Gather.DecodeAttrs(graph.Attrs{"axis": int64(1)})
		if err != nil {
			return 0, err
		}
		z = b.Add(ops.Gather, last, z, b.Const(tensor.Scalar(int64(-1))))
	}
	return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction("none"), z, b.Input("labels", tensor.Int64, nil)), nil
}

func (e *modernModel) withLabels() map[string]*tensor.Tensor {
	feeds := map[string]*tensor.Tensor{"labels": e.labels}
	for k, v := range e.feeds {
		feeds[k] = v
	}
	return feeds
}

func (e *modernModel) trained() []string {
	var names []string
	for p := range e.m.Params() {
		if p.Trainable {
			names = append(names, p.Name)
		}
	}
	return names
}

var exportedModels = []string{"bert", "clip", "cond", "convnextv2_hf", "distilbert", "enc23", "gpt2", "llama", "lstm2", "mamba", "patchtst",
	"scan", "segformer", "timm_test_efficientnet", "timm_test_resnet", "timm_test_vit", "timm_test_vit4", "unet", "vit_hf", "whileloop",
	"whisper_enc"}

// Models that PyTorch exported give PyTorch's outputs and gradients. A parameter is found in the file by its values, transposed or not.
// What grad.npz has of the weights that Scan and Loop use again and again is not what PyTorch gives for the same steps written one after
// another; testdata/eager.npz has that, by the equations that stand in the files (PyTorch 1.13).
func TestExportedModels(t *testing.T) {
	for _, name := range exportedModels {
		t.Run(name, func(t *testing.T) {
			e := openExported(t, name)
			s, err := e.m.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(context.Background(), e.feeds)
			if err != nil {
				t.Fatal(err)
			}
			if ok, report := tensor.AllClose(r.Value(e.m.Outputs()[0].Name), e.out, 1e-4, 1e-4); !ok {
				t.Errorf("output: %v", report)
			}
			if e.labels == nil {
				return
			}
			names := e.trained()
			if s, err = e.m.Session(engine.Query{Loss: e.loss, Grad: names, Fixed: true}); err != nil {
				t.Fatal(err)
			}
			if r, err = s.Run(context.Background(), e.withLabels()); err != nil {
				t.Fatal(err)
			}
			found := 0
			for p, want := range e.grads {
				found += e.compareGrad(t, r, p, want)
			}
			t.Logf("%d of %d gradients are of parameters that the file has", found, len(e.grads))
			if found == 0 {
				t.Error("no gradient was compared")
			}
		})
	}
}

// compareGrad compares the gradient by what has the values of parameter p, and returns 1 if the file has it.
func (e *modernModel) compareGrad(t *testing.T, r *engine.Result, p string, want *tensor.Tensor) int {
	value := e.params[p].F32()
	var got []float32
	for q := range e.m.Params() {
		if q.Value.DType() != tensor.Float32 || q.Value.Len() != len(value) {
			continue
		}
		s := q.Value.Shape()
		same := slices.Equal(q.Value.F32(), value)
		across := !same && len(s) == 2 && slices.Equal(columnMajor(q.Value.F32(), s[0], s[1]), value)
		if !same && !across {
			continue
		}
		if got == nil {
			got = make([]float32, len(value))
		}
		g := r.Grad(q.Name)
		if g == nil {
			continue
		}
		d := g.F32()
		if across {
			d = columnMajor(d, s[0], s[1])
		}
		for i, x := range d {
			got[i] += x
		}
	}
	if got == nil {
		return 0
	}
	scale, n := 0.0, float64(e.labels.Len())
	for _, x := range want.F32() {
		scale = max(scale, math.Abs(float64(x)))
	}
	for i, x := range want.F32() {
		if d := math.Abs(float64(got[i])/n - float64(x)); !(d <= 1e-3*scale+1e-7) {
			t.Errorf("gradient by %s: element %d is %g, want %g", p, i, float64(got[i])/n, x)
			break
		}
	}
	return 1
}

func columnMajor(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

// example are the feeds of example i alone.
func (e *modernModel) example(i int) map[string]*tensor.Tensor {
	feeds := e.withLabels()
	for k, v := range feeds {
		if k == "labels" || e.axis == 0 {
			feeds[k] = rowOf(v, i)
		}
	}
	return feeds
}

// The norms of the gradients of each example of a batch are those of batches of one, for every trained parameter. Only models with bodies
// are left that take one example at a time.
func TestExportedPerExample(t *testing.T) {
	for _, name := range exportedModels {
		t.Run(name, func(t *testing.T) {
			e := openExported(t, name)
			if e.labels == nil {
				return
			}
			names := e.trained()
			s, err := e.m.Session(engine.Query{Loss: e.loss, PerExample: names})
			if name == "cond" || name == "scan" || name == "whileloop" { // a condition may be that of the whole batch
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("with bodies: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			all, err := s.Run(context.Background(), e.withLabels())
			if err != nil {
				t.Fatal(err)
			}
			alone, err := e.m.Session(engine.Query{Loss: e.loss, Grad: names, Fixed: true})
			if err != nil {
				t.Fatal(err)
			}
			for i := range e.labels.Len() {
				r, err := alone.Run(context.Background(), e.example(i))
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range names {
					want := 0.0
					if g := r.Grad(p); g != nil {
						for _, x := range g.Float64s() {
							want += x * x
						}
					}
					got := 0.0
					if n := all.Norm2(p); n != nil {
						got = n.Float64s()[i]
					}
					if !(math.Abs(got-want) <= 1e-4*want+1e-12) {
						t.Errorf("example %d, %s: squared norm %g, want %g", i, p, got, want)
					}
				}
			}
		})
	}
}

// rowOf is row i of x, as a batch of one.
func rowOf(x *tensor.Tensor, i int) *tensor.Tensor {
	n := x.Dim(0)
	shape := append([]int{1}, x.Shape()[1:]...)
	size := len(x.Bytes()) / n
	y, err := tensor.FromBytes(x.DType(), shape, x.Bytes()[i*size:(i+1)*size])
	if err != nil {
		panic(err)
	}
	return y
}
