package optim_test

import (
	"fmt"
	"log"

	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// Minimise (w−3)² with diffGrad, the rate falling along a cosine.
func ExampleNew() {
	o, err := optim.New("diffgrad", optim.Config{ClipNorm: new(10.0), Options: optim.Values{"beta1": 0.95}})
	if err != nil {
		log.Fatal(err)
	}
	schedule := optim.Cosine{Max: 0.2}
	w := &optim.Param{Name: "w", W: tensor.From([]float32{-1}, 1), G: tensor.New(tensor.Float32, 1)}
	const steps = 300
	for n := 1; n <= steps; n++ {
		w.G.F32()[0] = 2 * (w.W.F32()[0] - 3)
		if err := o.Step(nil, optim.Step{N: n, LR: schedule.LR(n, steps)}, []*optim.Param{w}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("w = %.2f\n", w.W.F32()[0])
	for name, v := range o.Report() {
		fmt.Printf("%s = %.2f\n", name, v)
	}
	// Output:
	// w = 3.00
	// clip-norm.norm = 0.01
	// diffgrad.xi = 0.50
}

// sign is a rule of one's own: the update is its own sign, as in signSGD (https://arxiv.org/abs/1802.04434).
type sign struct{}

func (sign) Name() string    { return "sign" }
func (sign) Slots() []string { return nil }

func (sign) Update32(_ optim.Step, b *optim.Block[float32]) { signOf(b.U) }
func (sign) Update64(_ optim.Step, b *optim.Block[float64]) { signOf(b.U) }

func signOf[T optim.Float](u []T) {
	for i, g := range u {
		switch {
		case g > 0:
			u[i] = 1
		case g < 0:
			u[i] = -1
		}
	}
}

// A chain may mix rules of one's own with those of the package.
func ExampleChain() {
	o, err := optim.Chain(optim.Finite(), sign{}, optim.WeightDecay(0.5))
	if err != nil {
		log.Fatal(err)
	}
	w := &optim.Param{Name: "w", W: tensor.From([]float32{2, 2, 2}, 3), G: tensor.From([]float32{7, 0, -0.1}, 3), Decay: true}
	if err := o.Step(nil, optim.Step{N: 1, LR: 0.125}, []*optim.Param{w}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.W.F32())
	// Output:
	// [1.75 1.875 2]
}
