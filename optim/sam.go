package optim

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// SAM has the rules of an optimiser see the gradient at w + ε, where the loss is highest near the weights w as far as the gradient g at w
// tells, in place of g:
//
//	ε = ρ·g/‖g‖, and adaptive ε = ρ·w²·g/‖|w|·g‖
//
// over all parameters together. The step is then taken from w, by the rules as they are, clipping and weight decay included.
//
// Source: Foret et al., https://arxiv.org/abs/2010.01412, equation 2 and algorithm 1; adaptive: Kwon et al.,
// https://arxiv.org/abs/2102.11600, algorithm 1 with p = 2 and no η, where ρ is in shares of the weights and so about ten times as large.
type SAM struct {
	Rho      float64
	Adaptive bool

	w    []*tensor.Tensor // copies of the weights, to come back to
	norm float64          // of the last first gradient, or of |w|·g
}

func (s *SAM) evaluation() {}

// StepTwice takes a step of an optimiser whose Evaluation is a *SAM: ps have the gradients at their weights; again is called while the
// weights are w + ε, and has to write the gradients there, of the same examples, to the G of ps. When it fails the weights are as they
// were.
func (o *Optimizer) StepTwice(pool *parallel.Pool, s Step, ps []*Param, again func() error) error {
	sam, ok := o.evaluate.(*SAM)
	if !ok {
		return fmt.Errorf("optim: step %d: the optimiser takes one gradient: call Step", s.N)
	}
	for i, p := range ps {
		if err := p.check(); err != nil {
			return fmt.Errorf("optim: step %d: parameter %d: %w", s.N, i, err)
		}
	}
	if err := sam.climb(ps); err != nil {
		return fmt.Errorf("optim: step %d: sam: %w", s.N, err)
	}
	err := again()
	for i, p := range ps {
		copy(p.W.Bytes(), sam.w[i].Bytes())
	}
	if err != nil {
		return err
	}
	return o.step(pool, s, ps)
}

// climb keeps the weights and moves them by ε.
func (s *SAM) climb(ps []*Param) error {
	sum := 0.0
	for i, p := range ps {
		if len(s.w) <= i {
			s.w = append(s.w, nil)
		}
		if s.w[i] == nil || s.w[i].DType() != p.W.DType() || !s.w[i].Shape().Equal(p.W.Shape()) {
			t, err := tensor.Make("the weights "+p.Name+" that sam comes back to", p.W.DType(), p.W.Shape()...)
			if err != nil {
				return err
			}
			s.w[i] = t
		}
		copy(s.w[i].Bytes(), p.W.Bytes())
		if p.W.DType() == tensor.Float64 {
			sum += samSquares(s, tensor.Data[float64](p.W), tensor.Data[float64](p.G))
		} else {
			sum += samSquares(s, p.W.F32(), p.G.F32())
		}
	}
	if s.norm = math.Sqrt(sum); s.norm-s.norm != 0 {
		return fmt.Errorf("%w: the norm of all gradients is %v", ErrNotFinite, s.norm)
	}
	if s.norm == 0 { // nowhere is up
		return nil
	}
	for _, p := range ps {
		if p.W.DType() == tensor.Float64 {
			samMove(s, tensor.Data[float64](p.W), tensor.Data[float64](p.G))
		} else {
			samMove(s, p.W.F32(), p.G.F32())
		}
	}
	return nil
}

// samSquares is the sum of squares of g, or of w·g.
func samSquares[T Float](s *SAM, w, g []T) float64 {
	sum := 0.0
	for i, v := range g {
		x := float64(v)
		if s.Adaptive {
			x *= float64(w[i])
		}
		sum += x * x
	}
	return sum
}

func samMove[T Float](s *SAM, w, g []T) {
	by := s.Rho / s.norm
	for i, v := range g {
		e := by * float64(v)
		if s.Adaptive {
			e *= float64(w[i]) * float64(w[i])
		}
		w[i] = T(float64(w[i]) + e)
	}
}
