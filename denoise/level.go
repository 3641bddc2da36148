package denoise

import (
	"math"
	"slices"
)

// Rough is the level of the noise of a picture by its finest details alone: what differences of four neighbouring pixels along both axes
// have as their median, which edges change little.
//
// Source: Donoho and Johnstone 1994, "Ideal spatial adaptation by wavelet shrinkage": the median of the finest Haar coefficients of a
// picture, over 0.6745. Here each is divided by how the deviation of the noise depends on the mean of the four pixels.
func (p *Picture) Rough(f Family) float64 {
	var d []float64
	for c := range p.C {
		x := p.Noisy[c*p.H*p.W:][:p.H*p.W]
		for i := 0; i+1 < p.H; i += 2 {
			for j := 0; j+1 < p.W; j += 2 {
				a, b, e, g := float64(x[i*p.W+j]), float64(x[i*p.W+j+1]), float64(x[(i+1)*p.W+j]), float64(x[(i+1)*p.W+j+1])
				shape := f.Shape((a + b + e + g) / 4)
				if shape < 1e-3 {
					continue // black says nothing of noise that grows with brightness
				}
				d = append(d, math.Abs(a-b-e+g)/2/shape)
			}
		}
	}
	low, high := f.Range()
	if len(d) == 0 {
		return typicalOf(low, high)
	}
	level := f.Rough(max(median(d)/0.6745, 1e-4))
	for f.Check(level) != nil { // less noise, or more, than the family has a level for
		level = typicalOf(level, typicalOf(low, high))
	}
	return level
}

// median is the middle of x, which it sorts; the mean of two where their number is even.
func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}

// BestLevel is the level of the grid with the least penalty of f of what restored makes of the noisy planes y, with that penalty, the mean
// over planes. restored gives the clean planes for a level.
func BestLevel(f Family, grid []float64, y []Plane, restored func(level float64) ([]Plane, error)) (level, penalty float64, err error) {
	penalty = math.Inf(1)
	for _, l := range grid {
		x, err := restored(l)
		if err != nil {
			return 0, 0, err
		}
		sum := 0.0
		for i := range x {
			sum += f.Penalty(x[i], y[i])
		}
		if sum /= float64(len(x)); sum < penalty {
			level, penalty = l, sum
		}
	}
	return level, penalty, nil
}
