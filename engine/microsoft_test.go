package engine_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	protobuf "google.golang.org/protobuf/proto"
)

// TestOptimisedByONNXRuntime takes today's exporters' graphs as ONNX Runtime's extended optimisation leaves them, with operators of
// com.microsoft: what they compute and the gradients of their weights are PyTorch's, an untouched file is written as it was read, and one
// that was trained computes the same when it is read again.
func TestOptimisedByONNXRuntime(t *testing.T) {
	files, err := filepath.Glob(testkit.SharedFile(t, "data", "modern") + "/*/ort_extended.onnx")
	if err != nil || len(files) == 0 {
		t.Fatal("no optimised models: ", err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			named := func(name string) map[string]*tensor.Tensor {
				ts, err := tensor.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				m := map[string]*tensor.Tensor{}
				for _, x := range ts {
					m[x.Name] = x.Tensor
				}
				return m
			}
			io, grads := named("io.npz"), named("grad.npz")
			om := readModel(t, file)
			m := load(t, om)
			kept, err := m.Save()
			if err != nil {
				t.Fatal(err)
			}
			if !protobuf.Equal(kept.Proto, om.Proto) {
				t.Error("a file that was not trained differs when it is written")
			}
			feeds := map[string]*tensor.Tensor{"labels": grads["labels"]}
			for _, in := range m.Inputs() {
				feeds[in.Name] = io["in_"+in.Name]
			}
			output := m.Outputs()[0].Name
			same(t, output, outputOf(t, m, feeds, output), io["out_0"])

			// A weight of PyTorch's is those with its content, which may be transposed; tied ones are stored twice.
			stored := map[string][]*engine.Param{}
			var names []string
			for name := range grads {
				for p := range m.Params() {
					if want := grads["p:"+name]; want != nil && p.Trainable && alike(p.Value, want) != nil {
						stored[name] = append(stored[name], p)
						names = append(names, p.Name)
					}
				}
			}
			if len(stored) < 2 { // as many as are left of the ResNet, whose batch normalisation is folded
				t.Fatalf("only %d weights of PyTorch's are trainable parameters", len(stored))
			}
			s, err := m.Session(engine.Query{Loss: lastCrossEntropy(output, io["out_0"].Rank(), "mean"), Grad: names})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(t.Context(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			for name, ps := range stored {
				sum, top := tensor.New(tensor.Float32, grads[name].Shape()...), 0.0
				for _, p := range ps {
					for i, d := range alike(p.Value, grads["p:"+name])(zeroOr(r.Grad(p.Name), p.Value)).F32() {
						sum.F32()[i] += d
						top = max(top, math.Abs(float64(sum.F32()[i])))
					}
				}
				testkit.Close(t, name, sum, grads[name], 1e-3, 1e-5*top+1e-8)
			}
			t.Logf("%d of PyTorch's gradients", len(stored))

			if name := filepath.Base(dir); name != "bert" && name != "gpt2" { // their positions are embedded without a batch
				perExample(t, m, feeds, names, lastCrossEntropy(output, io["out_0"].Rank(), "none"))
			}

			m.Thaw()
			for _, name := range names {
				p, err := m.Param(name)
				if err != nil {
					t.Fatal(err)
				}
				for i := range p.Value.F32() {
					p.Value.F32()[i] *= 1.25
				}
				m.Changed(name)
			}
			trained := outputOf(t, m, feeds, output).Clone()
			if ok, _ := tensor.AllClose(trained, io["out_0"], 1e-4, 1e-4); ok {
				t.Error("other weights change nothing")
			}
			out, err := m.Save()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "m.onnx")
			if err := out.WriteFile(path, onnx.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			again := load(t, readModel(t, path))
			if got := outputOf(t, again, feeds, output); !tensor.Equal(got, trained) {
				t.Error("the file that was written computes something else")
			}
		})
	}
}

func outputOf(t *testing.T, m *engine.Model, feeds map[string]*tensor.Tensor, name string) *tensor.Tensor {
	t.Helper()
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]*tensor.Tensor{}
	for _, in := range m.Inputs() {
		own[in.Name] = feeds[in.Name]
	}
	r, err := s.Run(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	return r.Value(name)
}

// alike finds out whether x has the content of want, as it is or transposed, and is what gives tensors of x's form that of want, or nil.
func alike(x, want *tensor.Tensor) func(*tensor.Tensor) *tensor.Tensor {
	if x.DType() != tensor.Float32 || x.Len() != want.Len() || x.Len() < 2 {
		return nil
	}
	equal := func(a, b *tensor.Tensor) bool {
		for i, v := range a.F32() {
			if v != b.F32()[i] {
				return false
			}
		}
		return true
	}
	flip := func(y *tensor.Tensor) *tensor.Tensor {
		rows, cols := y.Shape()[0], y.Shape()[1]
		z := tensor.New(y.DType(), cols, rows)
		for i := range rows {
			for j := range cols {
				z.F32()[j*rows+i] = y.F32()[i*cols+j]
			}
		}
		return z
	}
	if equal(x, want) {
		return func(y *tensor.Tensor) *tensor.Tensor { return y.Reshape(want.Shape()...) }
	}
	if x.Rank() == 2 && want.Rank() == 2 && x.Shape()[0] == want.Shape()[1] && equal(flip(x), want) {
		return flip
	}
	return nil
}

// lastCrossEntropy is the cross-entropy of an output, reduced over the examples, at the last position where it has positions.
func lastCrossEntropy(output string, rank int, reduction string) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		z, err := b.Value(output)
		if err != nil {
			return 0, err
		}
		if rank == 3 {
			z = b.Add(ops.Slice, nil, z, b.Ints(-1), b.Ints(1<<30), b.Ints(1))
			z = b.Add(ops.Squeeze, nil, z, b.Ints(1))
		}
		return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction(reduction), z, b.Input("labels", tensor.Int64, nil)), nil
	}
}

// perExample compares the squared gradient norms of each example with those of batches of one.
func perExample(t *testing.T, m *engine.Model, feeds map[string]*tensor.Tensor, names []string, loss engine.Loss) {
	t.Helper()
	s, err := m.Session(engine.Query{Loss: loss, PerExample: names})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	norms := map[string]*tensor.Tensor{}
	for _, name := range names {
		norms[name] = r.Norm2(name).Clone()
	}
	if s, err = m.Session(engine.Query{Loss: loss, Grad: names}); err != nil {
		t.Fatal(err)
	}
	for i := range feeds["labels"].Len() {
		one := map[string]*tensor.Tensor{}
		for name, x := range feeds {
			one[name] = row(x, i)
		}
		r, err := s.Run(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			want := 0.0
			if d := r.Grad(name); d != nil {
				for _, v := range d.Float64s() {
					want += v * v
				}
			}
			if got := norms[name].Float64s()[i]; math.Abs(got-want) > 1e-4*want+1e-12 {
				t.Errorf("squared norm of the gradient by %s of example %d is %g, alone it is %g", name, i, got, want)
			}
		}
	}
}
