package explain

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// classes explains one of several numbers of each row: the score of a class, or a value, the first unless one is named.
type classes struct{ scoreTensor }

func (c *classes) add(b *build) graph.Value {
	z := b.reshape(c.flat(b), -1, c.classes)
	if c.values() {
		return b.pick(z, b.chosen(b.Const(tensor.Scalar(int64(0)))), c.classes)
	}
	return b.pick(b.scored(c.score, z, c.each), b.chosen(b.best(z)), c.classes)
}

func (c *classes) read(f fetched, n int) ([]reading, error) {
	x, err := c.numbers(f, n)
	if err != nil {
		return nil, err
	}
	out := make([]reading, n)
	for r := range out {
		out[r].z = float32s(x[r*c.classes : (r+1)*c.classes])
		if !c.values() {
			out[r].p = probabilities(out[r].z, c.each)
		}
	}
	return out, nil
}

func (c *classes) choices(t Target, r reading) ([]int, error) {
	if c.values() && t.kind == targetArgmax {
		return []int{0}, nil
	}
	return c.chosenBy(t, r.z)
}

func (c *classes) about(r reading, k int) Prediction {
	p := Prediction{Class: k, Logit: r.z[k]}
	if c.values() {
		p.Value, p.Prob, p.Label = new(r.z[k]), math.NaN(), fmt.Sprintf("value %d", k)
	} else {
		p.Prob = r.p[k]
	}
	return p
}

// lowers marks the explanation of what lowers a value.
const lowers = " (what lowers it)"

// single explains the one number z of each row: a logit for or against (class 1 is z, class 0 is -z), or a value and its negative.
type single struct{ scoreTensor }

func (s *single) count() int { return 2 }

func (s *single) add(b *build) graph.Value {
	z := b.reshape(s.flat(b), -1)
	one, zero := b.Const(tensor.Scalar(int64(1))), b.Const(tensor.Scalar(int64(0)))
	mine := one
	if !s.values() {
		mine = b.Add(ops.Where, nil, b.Add(ops.Greater, nil, z, b.zero(z)), one, zero)
	}
	against := b.Add(ops.Less, nil, b.chosen(mine), one)
	return b.scored(s.score, b.Add(ops.Where, nil, against, b.Add(ops.Neg, nil, z), z), true)
}

func (s *single) read(f fetched, n int) ([]reading, error) {
	x, err := s.numbers(f, n)
	if err != nil {
		return nil, err
	}
	out := make([]reading, n)
	for r := range out {
		z := float32(x[r])
		out[r].z = []float32{-z, z}
		if !s.values() {
			out[r].p = probabilities(out[r].z, true)
		}
	}
	return out, nil
}

func (s *single) choices(t Target, r reading) ([]int, error) {
	if s.values() && t.kind == targetArgmax {
		return []int{1}, nil
	}
	ks, err := t.classes(r.z)
	if err != nil {
		return nil, fmt.Errorf("%w: 1 or positive explains the output, 0 or negative what speaks against it", err)
	}
	return ks, nil
}

func (s *single) about(r reading, k int) Prediction {
	p := Prediction{Class: k, Logit: r.z[k]}
	if s.values() {
		p.Value, p.Prob = new(r.z[1]), math.NaN()
		p.Label = []string{"value" + lowers, "value"}[k]
		return p
	}
	p.Prob = r.p[k]
	p.Label = []string{"negative", "positive"}[k]
	return p
}
