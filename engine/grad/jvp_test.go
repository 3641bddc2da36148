package grad_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestJVPOfGenerated compares the changes of the losses of all examples along a direction, each by itself, with differences of the oracle,
// in programs with bodies too.
func TestJVPOfGenerated(t *testing.T) {
	for seed := range uint64(24) {
		c := generate(t, seed, 3, graphgen.Options{Smooth: true, Bodies: int(seed % 2), Nodes: 10})
		r := rand.New(rand.NewPCG(seed, 95))
		u := c.direction(r)
		var vs []graph.Value
		for _, v := range c.wrt {
			vs = append(vs, c.G.AddInput("along "+c.G.Info(v).Name, tensor.Float32, nil))
		}
		jv, err := grad.JVP(c.G, []graph.Value{c.Loss, c.sum}, c.wrt, vs, grad.Options{})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if jv[0] == 0 || jv[1] == 0 {
			t.Errorf("seed %d: the losses do not change", seed)
			continue
		}
		along := map[string]*tensor.Tensor{}
		for name, x := range u {
			along["along "+name] = x
		}
		got := c.run(t, jv, along)
		losses := func(feeds map[string]*tensor.Tensor) []float64 {
			g := c.plain.Clone()
			m, err := naive.Fetch(g, feeds, []graph.Value{c.Loss})
			if err != nil {
				t.Fatal(err)
			}
			return m[g.Info(c.Loss).Name].Float64s()
		}
		each := got[0].Float64s()
		total := 0.0
		for i := range each {
			want, err := testkit.Difference(func(h float64) (float64, error) { return losses(testkit.Moved(c.feeds, u, h))[i], nil }, 1e-4)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(each[i]-want) > 5e-4*(slices.Max(absolute(each))+math.Abs(want))+1e-9 { // differences end there
				t.Errorf("seed %d: loss %d changes by %.8g, want %.8g", seed, i, each[i], want)
			}
			total += each[i]
		}
		if sum := got[1].Float64s()[0]; math.Abs(sum-total) > 1e-4*(math.Abs(sum)+slices.Max(absolute(each))) {
			t.Errorf("seed %d: the sum changes by %g, the losses by %g", seed, sum, total)
		}
	}
}

func absolute(x []float64) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] = math.Abs(y[i])
	}
	return y
}
