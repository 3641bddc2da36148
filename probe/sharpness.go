package probe

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// Shadows are what several optimisers remember of the gradients of one trajectory, which one of them or another goes.
type Shadows struct {
	space *Space
	names []string
	dirs  []Direction
	g     []float64
	seen  int
}

// Check fails for directions that Follow would not start, whatever the space.
func Check(specs ...string) error {
	_, err := Follow(&Space{at: []int{0}}, specs...)
	return err
}

// Follow starts the directions NAME:KEY=VALUE:… of the table.
func Follow(s *Space, specs ...string) (*Shadows, error) {
	if len(specs) == 0 {
		return nil, errors.New("no direction is given")
	}
	x := &Shadows{space: s}
	var err error
	if x.g, err = s.Vector(); err != nil {
		return nil, err
	}
	if s.scratch == nil {
		if s.scratch, err = s.Vector(); err != nil {
			return nil, err
		}
	}
	for _, spec := range specs {
		r, err := parse(spec)
		if err != nil {
			return nil, err
		}
		d, err := r.Start(s)
		if err != nil {
			return nil, fmt.Errorf("direction %s: %w", spec, err)
		}
		x.names, x.dirs = append(x.names, spec), append(x.dirs, d)
	}
	return x, nil
}

// See shows all of them the gradient of a step by the names of the parameters; nil stands for zeros.
func (x *Shadows) See(g func(name string) *tensor.Tensor) {
	clear(x.g)
	x.space.Add(x.g, g)
	for _, d := range x.dirs {
		d.See(x.g)
	}
	x.seen++
}

// Seen is how many gradients they saw.
func (x *Shadows) Seen() int { return x.seen }

// Measurement is the loss along one direction v. Slope and Sharpness are by a step of length 1; distances are those in the space of the
// weights. What does not exist is NaN.
type Measurement struct {
	Name      string
	Norm      float64 // ‖v‖, of the step that the optimiser would take at learning rate 1
	Slope     float64 // ⟨∇f, v⟩/‖v‖
	Cosine    float64 // with the steepest descent: Slope over −‖∇f‖
	Sharpness float64 // vᵀHv/‖v‖²
	BestStep  float64 // distance at which the quadratic model is lowest, −Slope/Sharpness; NaN where it has no minimum ahead
	BestRate  float64 // the learning rate that goes that far, BestStep/‖v‖
	Predicted float64 // decrease of the loss there by the quadratic model, Slope²/(2·Sharpness)
	Measured  float64 // decrease of the loss there
	Top1      float64 // share of ‖v‖² in the largest 1 % of the coordinates
	Top10     float64 // likewise in 10 %
	Curve     []CurvePoint
	Note      string // what the direction says of itself
}

// Point is what is measured at one place.
type Point struct {
	Loss       float64
	Gradient   float64 // its length
	Weights    float64 // length of the vector of the weights
	Spectrum   *Spectrum
	Directions []Measurement
}

// Options say what is measured.
type Options struct {
	Lanczos LanczosOptions
	Flat    bool              // leave Point.Spectrum out
	Stage   func(what string) // is told what comes next; may be nil
}

// Measure measures the loss at the weights as they are along the step that each of x would take next, with the gradient of l as the last
// one it sees. The weights have the same bits afterwards.
func (l *Landscape) Measure(ctx context.Context, x *Shadows, o Options) (*Point, error) {
	here, err := l.Here()
	if err != nil {
		return nil, err
	}
	defer here.Back()
	l.m.Changed(l.names...) // since the loss was last asked for
	vs, err := l.vectors(3)
	if err != nil {
		return nil, err
	}
	g, v, hv := vs[0], vs[1], vs[2]
	p := &Point{Weights: here.Norm()}
	if p.Loss, err = l.Loss(ctx); err != nil {
		return nil, err
	}
	if err := l.Gradient(ctx, g); err != nil {
		return nil, err
	}
	p.Gradient = length(g)
	if err := finite("the loss", p.Loss); err != nil {
		return nil, err
	}
	if err := finite("the gradient", g...); err != nil {
		return nil, err
	}
	if p.Gradient == 0 {
		return nil, errors.New("probe: the gradient is zero: the loss does not depend on the parameters that are trained, or no direction " +
			"leads down from here")
	}
	for i, d := range x.dirs {
		if o.Stage != nil {
			o.Stage(x.names[i])
		}
		d.Next(g, v)
		m := Measurement{Name: x.names[i], Norm: length(v), Top1: l.share(v, 0.01), Top10: l.share(v, 0.1)}
		if err := finite("the direction "+m.Name, m.Norm); err != nil {
			return nil, err
		}
		if n, ok := d.(noter); ok {
			m.Note = n.note()
		}
		if err := l.along(ctx, here, &m, p, g, v, hv); err != nil {
			return nil, fmt.Errorf("direction %s: %w", m.Name, err)
		}
		p.Directions = append(p.Directions, m)
	}
	if o.Flat {
		return p, nil
	}
	if o.Stage != nil {
		o.Stage("largest curvature")
	}
	p.Spectrum, err = l.Lanczos(ctx, o.Lanczos)
	return p, err
}

// along measures along v, which becomes of length 1.
func (l *Landscape) along(ctx context.Context, here *Place, m *Measurement, p *Point, g, v, hv []float64) error {
	if m.Norm == 0 {
		return errors.New("it is zero")
	}
	scale(v, 1/m.Norm)
	if err := l.Product(ctx, v, hv); err != nil {
		return err
	}
	m.Slope, m.Sharpness = dot(g, v), dot(v, hv)
	if err := finite("the curvature", m.Sharpness); err != nil {
		return err
	}
	m.Cosine = -m.Slope / p.Gradient
	nan := math.NaN()
	m.BestStep, m.BestRate, m.Predicted, m.Measured = nan, nan, nan, nan
	if m.Slope < 0 && m.Sharpness > 0 {
		m.BestStep = -m.Slope / m.Sharpness
		m.BestRate = m.BestStep / m.Norm
		m.Predicted = m.Slope * m.Slope / (2 * m.Sharpness)
		there, err := l.at(ctx, here, m.BestStep, v)
		if err != nil {
			return err
		}
		m.Measured = p.Loss - there
	}
	var err error
	m.Curve, err = l.curve(ctx, here, v, firstStep(here, *m, p.Loss), p.Loss, m.Slope, m.Sharpness)
	return err
}
