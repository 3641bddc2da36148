package gorgonia_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	interop "github.com/gtk-onnx/gtk/interop/gorgonia"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// A model of gtk inside a gorgonia graph: the loss is gorgonia's, the steps are those of its momentum solver.
func ExampleOp() {
	file, err := models.New("mlp", models.Options{Seed: 1})
	if err != nil {
		panic(err)
	}
	model, err := engine.Load(file)
	if err != nil {
		panic(err)
	}
	op, err := interop.NewOp(model, "")
	if err != nil {
		panic(err)
	}
	const batch, classes = 4, 10
	pixels, target := make([]float32, batch*8*8), make([]float32, batch*classes)
	for i := range batch {
		target[i*classes+i] = 1
		for k := range 64 {
			pixels[i*64+k] = float32(math.Sin(float64((i + 1) * k)))
		}
	}
	g := G.NewGraph()
	x := G.NodeFromAny(g, T.New(T.WithShape(batch, 1, 8, 8), T.WithBacking(pixels)), G.WithName("x"))
	want := G.NodeFromAny(g, T.New(T.WithShape(batch, classes), T.WithBacking(target)), G.WithName("want"))
	params := op.Params(g)
	y := G.Must(op.Apply(append(G.Nodes{x}, params...)...))
	loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(y, want))))))
	if _, err := G.Grad(loss, params...); err != nil {
		panic(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(params...))
	defer vm.Close()
	solver := G.NewMomentum(G.WithLearnRate(0.05), G.WithMomentum(0.9))
	var first, last float32
	for i := range 60 {
		if err := vm.RunAll(); err != nil {
			panic(err)
		}
		if last = loss.Value().Data().(float32); i == 0 {
			first = last
		}
		if err := solver.Step(G.NodesToValueGrads(params)); err != nil {
			panic(err)
		}
		vm.Reset()
	}
	fmt.Println(last < first/2) // and what was learned is in model, to be saved
	// Output: true
}

// squares is the mean of (output - target)², as the example's loss.
func squares(output string) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		y, err := b.Value(output)
		if err != nil {
			return 0, err
		}
		d := b.Add(ops.Sub, nil, y, b.Input("target", tensor.Float32, nil))
		return b.Add(ops.ReduceMean, ops.KeepDims(false), b.Add(ops.Mul, nil, d, d)), nil
	}
}

// TestOpAgreesWithEngine trains models inside gorgonia graphs and with the engine alone, and compares losses, gradients by inputs and
// parameters, and what was learned.
func TestOpAgreesWithEngine(t *testing.T) {
	for _, c := range []struct {
		name string
		o    models.Options
		in   []int
	}{
		{"mlp", models.Options{Seed: 3}, []int{3, 1, 8, 8}},
		{"lenet", models.Options{Seed: 3}, []int{2, 1, 28, 28}},
		{"resnet8", models.Options{Seed: 4, ImageSize: 16}, []int{2, 3, 16, 16}},
		{"lstm", models.Options{Seed: 6}, []int{2, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := models.New(c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			alone, inside := load(t, file), load(t, file)
			input, output := alone.Inputs()[0], alone.Outputs()[0]
			shapes, err := alone.Shapes([]tensor.Shape{c.in}, output.Name)
			if err != nil {
				t.Fatal(err)
			}
			x, target := testkit.RandN(1, c.in...), testkit.RandN(2, shapes[0]...)

			op, err := interop.NewOp(inside, "")
			if err != nil {
				t.Fatal(err)
			}
			g := G.NewGraph()
			xn := G.NodeFromAny(g, T.New(T.WithShape(c.in...), T.WithBacking(x.Clone().F32())), G.WithName("x"))
			tn := G.NodeFromAny(g, T.New(T.WithShape(shapes[0]...), T.WithBacking(target.Clone().F32())), G.WithName("t"))
			params := op.Params(g)
			y, err := op.Apply(append(G.Nodes{xn}, params...)...)
			if err != nil {
				t.Fatal(err)
			}
			loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(y, tn))))))
			all := append(G.Nodes{xn}, params...)
			grads, err := G.Grad(loss, all...)
			if err != nil {
				t.Fatal(err)
			}
			dx := new(G.Value)
			G.Read(grads[0], dx)
			vm := G.NewTapeMachine(g, G.BindDualValues(params...))
			defer vm.Close()
			solver := G.NewVanillaSolver(G.WithLearnRate(0.01))

			alone.Thaw()
			q := engine.Query{Loss: squares(output.Name), Grad: []string{input.Name}}
			var trained []*engine.Param
			for p := range alone.Params() {
				if p.Trainable {
					trained = append(trained, p)
					q.Grad = append(q.Grad, p.Name)
				}
			}
			s, err := alone.Session(q)
			if err != nil {
				t.Fatal(err)
			}
			for step := range 4 {
				r, err := s.Run(t.Context(), map[string]*tensor.Tensor{input.Name: x, "target": target})
				if err != nil {
					t.Fatal(err)
				}
				if err := vm.RunAll(); err != nil {
					t.Fatal(err)
				}
				near(t, fmt.Sprint("loss of step ", step), []float32{loss.Value().Data().(float32)}, r.Loss().F32())
				near(t, fmt.Sprint("dx of step ", step), (*dx).Data().([]float32), r.Grad(input.Name).F32())
				for i, p := range trained {
					d, err := params[i].Grad()
					if err != nil {
						t.Fatal(err)
					}
					dw := r.Grad(p.Name)
					near(t, fmt.Sprint("gradient by ", p.Name, " of step ", step), d.Data().([]float32), dw.F32())
					for k, v := range dw.F32() {
						p.Value.F32()[k] -= 0.01 * v
					}
				}
				if err := solver.Step(G.NodesToValueGrads(params)); err != nil {
					t.Fatal(err)
				}
				vm.Reset()
			}
			for _, p := range trained {
				q, err := inside.Param(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				near(t, p.Name+" after training", q.Value.F32(), p.Value.F32())
			}
		})
	}
}

func load(t *testing.T, file *onnx.Model) *engine.Model {
	t.Helper()
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// near wants numbers to agree to 1e-6, relative where they are large.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, v := range want {
		if math.Abs(float64(got[i]-v)) > 1e-6*(1+math.Abs(float64(v))) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], v)
		}
	}
}

// TestOpOnce runs a graph whose gradient by the output is always the same: what one run left behind must not be taken for the next one's.
func TestOpOnce(t *testing.T) {
	file, err := models.New("mlp", models.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	op, err := interop.NewOp(load(t, file), "")
	if err != nil {
		t.Fatal(err)
	}
	g := G.NewGraph()
	x := G.NewTensor(g, T.Float32, 4, G.WithShape(1, 1, 8, 8), G.WithName("x"))
	params := op.Params(g)
	y, err := op.Apply(append(G.Nodes{x}, params...)...)
	if err != nil {
		t.Fatal(err)
	}
	loss := G.Must(G.Sum(y)) // its gradient by y is a constant
	if _, err := G.Grad(loss, params...); err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(params...))
	defer vm.Close()
	run := func(seed uint64) []float32 {
		if err := G.Let(x, T.New(T.WithShape(1, 1, 8, 8), T.WithBacking(testkit.RandN(seed, 64).F32()))); err != nil {
			t.Fatal(err)
		}
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		d, err := params[0].Grad()
		if err != nil {
			t.Fatal(err)
		}
		out := append([]float32(nil), d.Data().([]float32)...)
		for _, p := range params {
			if v, err := p.Grad(); err == nil {
				v.(*T.Dense).Zero()
			}
		}
		vm.Reset()
		return out
	}
	a := run(1)
	b := run(2)
	near(t, "the first input again", run(1), a)
	if fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("two inputs have one gradient")
	}
}

func TestOpErrors(t *testing.T) {
	file, err := models.New("mlp", models.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, file)
	if _, err := interop.NewOp(m, "nothing"); err == nil || !strings.Contains(err.Error(), `no value "nothing"`) {
		t.Error(err)
	}
	op, err := interop.NewOp(m, "")
	if err != nil {
		t.Fatal(err)
	}
	g := G.NewGraph()
	if _, err := op.Apply(G.NewTensor(g, T.Float32, 4, G.WithShape(1, 1, 8, 8))); err == nil || !strings.Contains(err.Error(), "arguments") {
		t.Error(err)
	}
	params := op.Params(g)
	bad := append(G.Nodes{G.NewTensor(g, T.Float64, 4, G.WithShape(1, 1, 8, 8))}, params...)
	if _, err := op.Apply(bad...); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Error(err)
	}
	bad[0] = G.NewTensor(g, T.Float32, 4, G.WithShape(1, 1, 8, 9))
	if _, err := op.Apply(bad...); err == nil {
		t.Error("a shape that does not fit was taken")
	}
}

// TestOpLisp differentiates with gorgonia's other machine, which asks operators for gradients as it runs.
func TestOpLisp(t *testing.T) {
	file, err := models.New("lenet", models.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	run := func(tape bool) (loss float32, grads [][]float32) {
		op, err := interop.NewOp(load(t, file), "")
		if err != nil {
			t.Fatal(err)
		}
		g := G.NewGraph()
		x := G.NodeFromAny(g, T.New(T.WithShape(2, 1, 28, 28), T.WithBacking(testkit.RandN(1, 2*28*28).F32())), G.WithName("x"))
		params := op.Params(g)
		all := append(G.Nodes{x}, params...)
		cost := G.Must(G.Mean(G.Must(G.Square(G.Must(op.Apply(all...))))))
		var vm G.VM
		if tape {
			if _, err := G.Grad(cost, all...); err != nil {
				t.Fatal(err)
			}
			vm = G.NewTapeMachine(g, G.BindDualValues(all...))
		} else {
			vm = G.NewLispMachine(g)
		}
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			d, err := n.Grad()
			if err != nil {
				t.Fatal(err)
			}
			grads = append(grads, slices.Clone(d.Data().([]float32)))
		}
		return cost.Value().Data().(float32), grads
	}
	lossTape, tape := run(true)
	lossLisp, lisp := run(false)
	near(t, "loss", []float32{lossLisp}, []float32{lossTape})
	for i := range tape {
		near(t, fmt.Sprint("gradient by argument ", i), lisp[i], tape[i])
	}
}

// TestOpInner computes an inner value: parameters behind it have a gradient of zero.
func TestOpInner(t *testing.T) {
	file, err := models.New("mlp", models.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, file)
	op, err := interop.NewOp(m, "fc1")
	if err != nil {
		t.Fatal(err)
	}
	in := testkit.RandN(1, 2, 1, 8, 8)
	g := G.NewGraph()
	x := G.NodeFromAny(g, T.New(T.WithShape(2, 1, 8, 8), T.WithBacking(in.F32())), G.WithName("x"))
	params := op.Params(g)
	y, err := op.Apply(append(G.Nodes{x}, params...)...)
	if err != nil {
		t.Fatal(err)
	}
	got := new(G.Value)
	G.Read(y, got)
	if _, err := G.Grad(G.Must(G.Sum(y)), params...); err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(params...))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{Fetch: []string{"fc1"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), map[string]*tensor.Tensor{m.Inputs()[0].Name: in})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "fc1", (*got).Data().([]float32), r.Value("fc1").F32())
	for _, p := range params {
		d, err := p.Grad()
		if err != nil {
			t.Fatal(err)
		}
		zero := !slices.ContainsFunc(d.Data().([]float32), func(v float32) bool { return v != 0 })
		if before := strings.HasPrefix(p.Name(), "fc1."); zero == before {
			t.Errorf("the gradient by %s is zero: %v", p.Name(), zero)
		}
	}
}
