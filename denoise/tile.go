package denoise

import "fmt"

// Tiles says how pictures of any size go through a network in parts: squares of Side that share Overlap with their neighbours, in which
// one fades into the other.
type Tiles struct {
	Side, Overlap int
	Multiple      int  // the network takes sides that are multiples of it
	Fixed         bool // it takes squares of Side alone
}

// Check refuses tiles that do not fit.
func (t Tiles) Check() error {
	if t.Side < minSide || t.Overlap < 0 || 2*t.Overlap >= t.Side || t.Side%max(1, t.Multiple) != 0 {
		return fmt.Errorf("denoise: tiles of %d with %d in common: want sides of at least %d, multiples of %d, and an overlap below half of "+
			"them",
			t.Side, t.Overlap, minSide, max(1, t.Multiple))
	}
	return nil
}

// span is a part of an axis.
type span struct{ from, to int }

// spans cuts an axis of n into parts of side, whose last is moved back to end with it; fewer than side are one part.
func (t Tiles) spans(n int) []span {
	if n <= t.Side {
		return []span{{0, n}}
	}
	var out []span
	for from := 0; ; from += t.Side - t.Overlap {
		if from+t.Side >= n {
			return append(out, span{n - t.Side, n})
		}
		out = append(out, span{from, from + t.Side})
	}
}

// Count is how many tiles a picture of h×w has.
func (t Tiles) Count(h, w int) int { return len(t.spans(h)) * len(t.spans(w)) }

// Run gives what f makes of a picture x [C,H,W], tile by tile. f gets [C,h,w], whose sides the network takes, and gives as much; what lies
// beyond the picture is its mirror image, and cut off again.
func (t Tiles) Run(x []float32, c, h, w int, f func(x []float32, h, w int) ([]float32, error)) ([]float32, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	sum, weight := make([]float32, c*h*w), make([]float32, h*w)
	rows, cols := t.spans(h), t.spans(w)
	for _, r := range rows {
		for _, k := range cols {
			th, tw := t.padded(r.to-r.from), t.padded(k.to-k.from)
			in := make([]float32, c*th*tw)
			for ch := range c {
				for i := range th {
					row := x[(ch*h+mirrored(r.from+i, h))*w:]
					for j := range tw {
						in[(ch*th+i)*tw+j] = row[mirrored(k.from+j, w)]
					}
				}
			}
			out, err := f(in, th, tw)
			if err != nil {
				return nil, err
			}
			if len(out) != len(in) {
				return nil, fmt.Errorf("denoise: the network makes %d numbers of %d", len(out), len(in))
			}
			for i := r.from; i < r.to; i++ {
				wi := t.fade(i, r, h)
				for j := k.from; j < k.to; j++ {
					v := wi * t.fade(j, k, w)
					weight[i*w+j] += v
					for ch := range c {
						sum[(ch*h+i)*w+j] += v * out[(ch*th+i-r.from)*tw+j-k.from]
					}
				}
			}
		}
	}
	for ch := range c {
		for i, v := range weight {
			sum[ch*h*w+i] /= v
		}
	}
	return sum, nil
}

// padded is the side that the network takes n for.
func (t Tiles) padded(n int) int {
	if t.Fixed {
		return t.Side
	}
	m := max(1, t.Multiple)
	return (n + m - 1) / m * m
}

// fade is the weight of place i in the part s of an axis of n: less towards an end that has a neighbour.
func (t Tiles) fade(i int, s span, n int) float32 {
	v := 1.0
	if s.from > 0 {
		v = min(v, (float64(i-s.from)+0.5)/float64(max(1, t.Overlap)))
	}
	if s.to < n {
		v = min(v, (float64(s.to-i)-0.5)/float64(max(1, t.Overlap)))
	}
	return float32(v)
}

// mirrored is the place within n that i shows, as between two mirrors at the first and the last pixel.
func mirrored(i, n int) int {
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	i = ((i % period) + period) % period
	return min(i, period-i)
}
