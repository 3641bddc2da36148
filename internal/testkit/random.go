package testkit

import (
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/tensor"
)

// RandN is a float32 tensor of independent standard normal numbers, the same for the same seed and shape on every machine.
func RandN(seed uint64, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	t := tensor.New(tensor.Float32, shape...)
	x := t.F32()
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return t
}

// RandUniform is a float32 tensor of independent numbers uniform in [lo, hi), reproducible as RandN is.
func RandUniform(seed uint64, lo, hi float32, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 0xd1b54a32d192ed03))
	t := tensor.New(tensor.Float32, shape...)
	x := t.F32()
	for i := range x {
		x[i] = min(lo+(hi-lo)*r.Float32(), hi)
	}
	return t
}

// RandInts is an int64 tensor of independent numbers uniform in [lo, hi), reproducible as RandN is.
func RandInts(seed uint64, lo, hi int64, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 0xaf251af3b0f025b5))
	t := tensor.New(tensor.Int64, shape...)
	x := t.I64()
	for i := range x {
		x[i] = lo + r.Int64N(hi-lo)
	}
	return t
}
