package nas

import (
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Sampler says which examples an epoch shows and which paths a step trains.
type Sampler struct {
	Data bool // examples are drawn by a DataLaw; else each is shown once
	Path bool // operators are drawn by a PathLaw; else all alike
	// paths are those of a step, by the probabilities of the operators.
	paths func(l Layout, law []float64, r *rand.Rand) [][]int
}

var samplers = registry.Table[Sampler]{Kind: "sampler"}

// Samplers is the table of samplers.
func Samplers() *registry.Table[Sampler] { return &samplers }

// one draws one path: the operator at each choice by itself, by law among those that can stand there.
func one(l Layout, law []float64, r *rand.Rand) [][]int {
	arch := make([]int, len(l.Choices))
	for i, c := range l.Choices {
		arch[i] = draw(c.Ops, law, r)
	}
	return [][]int{arch}
}

// draw draws one of ops in proportion to their probabilities by law; alike where all of these are 0.
func draw(ops []int, law []float64, r *rand.Rand) int {
	total := 0.0
	for _, o := range ops {
		total += law[o]
	}
	if !(total > 0) {
		return ops[r.IntN(len(ops))]
	}
	u := r.Float64() * total
	for _, o := range ops {
		if u -= law[o]; u < 0 {
			return o
		}
	}
	for i := len(ops) - 1; ; i-- { // rounding
		if law[ops[i]] > 0 {
			return ops[i]
		}
	}
}

// probability is how probable a path is by law.
func (l Layout) probability(arch []int, law []float64) float64 {
	p := 1.0
	for i, c := range l.Choices {
		total := 0.0
		for _, o := range c.Ops {
			total += law[o]
		}
		p *= law[arch[i]] / total
	}
	return p
}
