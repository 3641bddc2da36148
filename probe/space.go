package probe

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Space is the space of the trained parameters of a model: a vector has one coordinate for each of their numbers, parameter after
// parameter.
type Space struct {
	m       *engine.Model
	params  []*engine.Param
	names   []string
	at      []int // of the first coordinate of each parameter, and the number of all
	scratch []float64
}

// NewSpace is the space of the named parameters of m, which get storage of their own.
func NewSpace(m *engine.Model, names []string) (*Space, error) {
	m.Thaw()
	s := &Space{m: m, names: names, at: []int{0}}
	for _, name := range names {
		p, err := m.Param(name)
		if err != nil {
			return nil, err
		}
		if d := p.Value.DType(); d != tensor.Float32 && d != tensor.Float64 {
			return nil, fmt.Errorf("probe: parameter %q is %v; only float32 and float64 can be moved", name, d)
		}
		s.params, s.at = append(s.params, p), append(s.at, s.Len()+p.Value.Len())
	}
	if s.Len() == 0 {
		return nil, fmt.Errorf("probe: no parameter is trained, so there is no direction to go")
	}
	return s, nil
}

// Len is the number of coordinates.
func (s *Space) Len() int { return s.at[len(s.at)-1] }

// Names are the names of the parameters.
func (s *Space) Names() []string { return s.names }

// Single reports whether a parameter is float32.
func (s *Space) Single() bool {
	for _, p := range s.params {
		if p.Value.DType() == tensor.Float32 {
			return true
		}
	}
	return false
}

// Vector is a vector of zeros. The error is that of the account of memory.
func (s *Space) Vector() ([]float64, error) {
	t, err := tensor.Make("a vector of all trained parameters", tensor.Float64, s.Len())
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	return tensor.Data[float64](t), nil
}

// vectors are n of them.
func (s *Space) vectors(n int) ([][]float64, error) {
	var vs [][]float64
	for range n {
		v, err := s.Vector()
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// Add adds to v what get has for each parameter, by name; nil stands for zeros.
func (s *Space) Add(v []float64, get func(name string) *tensor.Tensor) {
	for i, p := range s.params {
		t := get(p.Name)
		if t == nil {
			continue
		}
		part := v[s.at[i]:s.at[i+1]]
		if t.DType() == tensor.Float64 {
			for k, x := range tensor.Data[float64](t) {
				part[k] += x
			}
			continue
		}
		for k, x := range t.F32() {
			part[k] += float64(x)
		}
	}
}

// tensors are v as tensors of the types and shapes of the parameters, by name.
func (s *Space) tensors() (map[string]*tensor.Tensor, error) {
	out := map[string]*tensor.Tensor{}
	for _, p := range s.params {
		t, err := tensor.Make("a direction of "+p.Name, p.Value.DType(), p.Value.Shape()...)
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		out[p.Name] = t
	}
	return out, nil
}

// write puts a·v + x into the tensors of get; x may be nil for zeros.
func (s *Space) write(get func(i int) *tensor.Tensor, x []*tensor.Tensor, a float64, v []float64) {
	for i := range s.params {
		part, into := v[s.at[i]:s.at[i+1]], get(i)
		if into.DType() == tensor.Float64 {
			w := tensor.Data[float64](into)
			for k, d := range part {
				w[k] = a * d
			}
			if x != nil {
				for k, b := range tensor.Data[float64](x[i]) {
					w[k] += b
				}
			}
			continue
		}
		w := into.F32()
		if x == nil {
			for k, d := range part {
				w[k] = float32(a * d)
			}
			continue
		}
		for k, b := range x[i].F32() {
			w[k] = float32(float64(b) + a*part[k])
		}
	}
}

// Set sets the weights to x, each rounded once.
func (s *Space) Set(x []float64) {
	s.write(func(i int) *tensor.Tensor { return s.params[i].Value }, nil, 1, x)
	s.m.Changed(s.names...)
}

// Place is a copy of all weights, to come back to.
type Place struct {
	s *Space
	x []*tensor.Tensor
}

// Here is where the weights are now.
func (s *Space) Here() (*Place, error) {
	p := &Place{s: s}
	for _, q := range s.params {
		t, err := tensor.Make("a copy of "+q.Name, q.Value.DType(), q.Value.Shape()...)
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		copy(t.Bytes(), q.Value.Bytes())
		p.x = append(p.x, t)
	}
	return p, nil
}

// Go sets the weights to those of p plus a·v, each rounded once.
func (p *Place) Go(a float64, v []float64) {
	p.s.write(func(i int) *tensor.Tensor { return p.s.params[i].Value }, p.x, a, v)
	p.s.m.Changed(p.s.names...)
}

// Back gives the weights the very bits that they had.
func (p *Place) Back() {
	for i, t := range p.x {
		copy(p.s.params[i].Value.Bytes(), t.Bytes())
	}
	p.s.m.Changed(p.s.names...)
}

// Norm is the length of the vector of the weights.
func (p *Place) Norm() float64 {
	sum := 0.0
	for _, t := range p.x {
		if t.DType() == tensor.Float64 {
			for _, v := range tensor.Data[float64](t) {
				sum += v * v
			}
			continue
		}
		for _, v := range t.F32() {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum)
}

// dot is the scalar product of a and b.
func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// length is the Euclidean norm of a. The largest magnitude is taken out, so that squares neither overflow nor vanish.
func length(a []float64) float64 {
	most := 0.0
	for _, v := range a {
		most = max(most, math.Abs(v))
	}
	if most == 0 || math.IsInf(most, 0) || math.IsNaN(most) {
		return most
	}
	sum := 0.0
	for _, v := range a {
		sum += (v / most) * (v / most)
	}
	return most * math.Sqrt(sum)
}
