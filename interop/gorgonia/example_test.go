package gorgonia_test

import (
	"fmt"
	"log"
	"math"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	interop "github.com/gtk-onnx/gtk/interop/gorgonia"
	"github.com/gtk-onnx/gtk/optim"
)

// A gorgonia graph that learns exclusive or with diffGrad, gradients clipped by their norm, the rate on a cosine.
func ExampleSolver() {
	g := G.NewGraph()
	x := G.NodeFromAny(g, T.New(T.WithShape(4, 2), T.WithBacking([]float32{0, 0, 0, 1, 1, 0, 1, 1})), G.WithName("x"))
	y := G.NodeFromAny(g, T.New(T.WithShape(4, 1), T.WithBacking([]float32{0, 1, 1, 0})), G.WithName("y"))
	// weights from a fixed formula, so that the example always says the same
	wave := func(n int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(1.5 * math.Sin(float64(3*i+1)))
		}
		return w
	}
	w1 := G.NodeFromAny(g, T.New(T.WithShape(2, 8), T.WithBacking(wave(16))), G.WithName("w1"))
	b1 := G.NodeFromAny(g, T.New(T.WithShape(1, 8), T.WithBacking(wave(8))), G.WithName("b1"))
	w2 := G.NodeFromAny(g, T.New(T.WithShape(8, 1), T.WithBacking(wave(8))), G.WithName("w2"))
	h := G.Must(G.Tanh(G.Must(G.BroadcastAdd(G.Must(G.Mul(x, w1)), b1, nil, []byte{0}))))
	out := G.Must(G.Mul(h, w2))
	loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(out, y))))))
	params := G.Nodes{w1, b1, w2}
	if _, err := G.Grad(loss, params...); err != nil {
		log.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(params...))
	defer vm.Close()

	o, err := optim.New("diffgrad", optim.Config{ClipNorm: new(5.0)})
	if err != nil {
		log.Fatal(err)
	}
	const steps = 400
	solver := interop.Solver(o, interop.Schedule(optim.Cosine{Max: 0.1}, steps))
	for n := 1; n <= steps; n++ {
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		if n == 1 || n == steps {
			fmt.Printf("step %d: loss below 0.01 is %v\n", n, loss.Value().Data().(float32) < 0.01)
		}
		if err := solver.Step(G.NodesToValueGrads(params)); err != nil {
			log.Fatal(err)
		}
		vm.Reset()
	}
	// Output:
	// step 1: loss below 0.01 is false
	// step 400: loss below 0.01 is true
}
