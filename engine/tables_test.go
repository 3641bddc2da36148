package engine

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

func TestSinusoids(t *testing.T) {
	made := func(f func(i, k int) float64, n, d int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, n, d)
		for i := range n {
			for k := range d {
				x.F32()[i*d+k] = float32(f(i, k))
			}
		}
		return x
	}
	rotary := func(i, k int) float64 { return math.Cos(float64(i) * math.Pow(10000, -float64(k%8)/8)) }
	fourier := func(k, i int) float64 { // rows are frequencies, under a Hann window
		return math.Cos(2*math.Pi*float64(k*i)/64) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/64))
	}
	for _, c := range []struct {
		name string
		x    *tensor.Tensor
		want bool
	}{
		{"rotary", made(rotary, 12, 16), true},
		{"windowed Fourier", made(fourier, 33, 64), true},
		{"random", testkit.RandN(1, 64, 32), false},
		{"random, one column", testkit.RandN(2, 16, 1), false},
		{"ones", made(func(int, int) float64 { return 1 }, 16, 16), false},
		{"zeros", tensor.New(tensor.Float32, 16, 16), false},
		{"ramp", made(func(i, k int) float64 { return float64(i) }, 16, 16), false},
		{"ramp of all", made(func(i, k int) float64 { return float64(16*i+k) / 256 }, 16, 16), false},
		{"sines of the index, as tests fill weights", made(func(i, k int) float64 { return math.Sin(float64(16*i + k)) }, 16, 16), false},
		{"plus and minus", made(func(i, k int) float64 { return float64(1 - 2*((i+k)%2)) }, 16, 16), false},
		{"identity", made(func(i, k int) float64 { return float64(max(0, 1-max(i-k, k-i))) }, 16, 16), false},
		{"logarithms", made(func(i, k int) float64 { return math.Log(float64(i + 1)) }, 16, 16), false},
	} {
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float16} {
			x := c.x
			if d == tensor.Float16 {
				h, err := x.Convert(d)
				if err != nil {
					t.Fatal(err)
				}
				if x, err = h.Convert(tensor.Float32); err != nil {
					t.Fatal(err)
				}
			}
			if got := sinusoids(x, d); got != c.want {
				t.Errorf("%s in %v: %v, want %v", c.name, d, got, c.want)
			}
		}
	}
}

func TestWritten(t *testing.T) {
	for _, v := range []float64{0.5, 1, 2, 3, 255, 1.0 / 255, 1e-5, 0.044715, math.Sqrt(2 / math.Pi), math.Sqrt2, 1 / math.Sqrt(64),
		math.Pow(32, -0.25), 1.702, 0.1307, 6, 1.0 / 6, math.Ln2, 0.7071067811865476, 1024, 65504, 0.125, 20} {
		if !written(float64(float32(v)), 5e-7) {
			t.Errorf("%v is a number of programs", v)
		}
	}
	for _, v := range []float64{0.4827193, 1.3482915, 11.824236869812012, -0.06404843926429749, 3.1622901, 9.400101407663897e-05} {
		if written(v, 5e-7) {
			t.Errorf("%v is no number that a program has", v)
		}
	}
}

func TestNames(t *testing.T) {
	ops := map[string]bool{"mul": true, "exp": true, "unsqueeze": true, "reducemean": true}
	for name, want := range map[string]sign{
		"val_12": artefact, "onnx::Mul_31": artefact, "/model/Constant_output_0": artefact, "Constant_3": artefact,
		"const_fold_opt__211": artefact, "exp": artefact, "unsqueeze_21": artefact,
		"mul_3": artefact, "reduce_mean_2": artefact, "463": artefact, "model/mul/y:0": artefact, "jax2tf/Const_4:0": artefact,
		"p2o.helper.constant.0": artefact, "scalar_tensor_default": artefact,
		"c_lifted_tensor_0": artefact, "norm.eps": artefact, "bn.running_mean": artefact,
		"alpha": hinted, "scale": hinted, "gamma_1": hinted, "bias": hinted,
		"layers.0.alpha": named, "m.w": named, "block/alpha": named, "logit_scale": named, "temperature": named,
		"model.logit_scale": named,
		"linear_0.b_0":      named, "resweight": named,
		"model/scaled/Mul/ReadVariableOp:0": named, "dense/bias": named,
		"s": unknown, "w": unknown, "rate": unknown,
	} {
		if got := signOf(name, ops); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}
