package denoise

import "math"

// Plane is one channel of a picture, X [H,W].
type Plane struct {
	X    []float64
	H, W int
}

// PlaneOf is a channel in float32 as a Plane.
func PlaneOf(x []float32, h, w int) Plane {
	p := Plane{X: make([]float64, h*w), H: h, W: w}
	for i := range p.X {
		p.X[i] = float64(x[i])
	}
	return p
}

// TotalVariation is mean √(Δ² + 1e-12) of neighbours above each other, and the same of neighbours side by side.
func (p Plane) TotalVariation() float64 {
	const tiny = 1e-12
	down, right := 0.0, 0.0
	for y := range p.H {
		row := p.X[y*p.W:][:p.W]
		for x := range p.W - 1 {
			d := row[x+1] - row[x]
			right += math.Sqrt(d*d + tiny)
		}
		if y == 0 {
			continue
		}
		above := p.X[(y-1)*p.W:][:p.W]
		for x, v := range row {
			d := v - above[x]
			down += math.Sqrt(d*d + tiny)
		}
	}
	sum := 0.0
	if n := (p.H - 1) * p.W; n > 0 {
		sum += down / float64(n)
	}
	if n := p.H * (p.W - 1); n > 0 {
		sum += right / float64(n)
	}
	return sum
}
