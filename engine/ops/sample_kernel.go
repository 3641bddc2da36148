package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// sampling is X as planes of elements and the places in them.
type sampling struct {
	batch, channels, plane, places int // N·G, C/G, elements of a plane, places of a plane
	d                              int
	in                             []int
}

func newSampling(x, grid tensor.Shape) *sampling {
	s := &sampling{batch: grid[0], plane: x[2:].Len(), places: grid[1 : len(grid)-1].Len(), d: len(x) - 2, in: x[2:]}
	if s.batch > 0 {
		s.channels = x[1] / (grid[0] / x[0])
	}
	return s
}

// tapper works out the elements and weights of one place after the other.
type tapper struct {
	a       *sampleAttrs
	in      []int
	strides []int
	taps    int       // by axis
	order   int       // derivatives that are needed
	at      []int     // [axis][tap] where in the plane, less than 0 outside
	w       []float64 // [axis][order][tap]
	offsets []int     // of the elements of the place
	chosen  []int     // [element][axis] tap
	count   []int
}

// term is a mixed derivative: how often by each axis, and a factor.
type term struct {
	orders []int
	factor float64
}

func newTapper(a *sampleAttrs, s *sampling, order int) *tapper {
	t := &tapper{a: a, in: s.in, strides: strides(s.in), taps: 2, order: order, count: make([]int, s.d)}
	switch a.Mode {
	case "nearest":
		t.taps = 1
	case "cubic":
		t.taps = 4
	}
	t.at, t.w = make([]int, s.d*t.taps), make([]float64, s.d*(order+1)*t.taps)
	return t
}

// place sets the elements around a place.
func place[T real](t *tapper, grid []T) {
	d := len(t.in)
	for k := range d {
		t.axis(k, float64(grid[t.column(k)]))
	}
	t.offsets, t.chosen = t.offsets[:0], t.chosen[:0]
	clear(t.count)
	for {
		off, inside := 0, true
		for k, c := range t.count {
			at := t.at[k*t.taps+c]
			off, inside = off+at, inside && at >= 0
		}
		if inside {
			t.offsets = append(t.offsets, off)
			t.chosen = append(t.chosen, t.count...)
		}
		k := d - 1
		for ; k >= 0; k-- {
			if t.count[k]++; t.count[k] < t.taps {
				break
			}
			t.count[k] = 0
		}
		if k < 0 {
			return
		}
	}
}

// axis sets the taps and weights of axis k for the coordinate g, and the derivatives of the weights by it.
func (t *tapper) axis(k int, g float64) {
	n := t.in[k]
	lo, hi := -0.5, float64(n)-0.5
	x, slope := g, 1.0
	if t.a.Align {
		lo, hi = 0, float64(n-1)
	}
	switch {
	case t.a.Pixels:
	case t.a.Align:
		x, slope = (g+1)/2*float64(n-1), float64(n-1)/2
	default:
		x, slope = ((g+1)*float64(n)-1)/2, float64(n)/2
	}
	if t.a.Mode == "nearest" {
		x = math.RoundToEven(x)
	}
	if x < lo || x > hi {
		switch {
		case t.a.Padding == "border" && t.taps == 4: // elements are clamped one by one, as PyTorch and ONNX Runtime do; further out all are
			x = min(max(x, -4), float64(n+3))
		case t.a.Padding == "border":
			x, slope = min(max(x, 0), float64(n-1)), 0
		case t.a.Padding == "reflection":
			var back bool
			if x, back = reflect(x, lo, hi); back {
				slope = -slope
			}
		}
	}
	at, w := t.at[k*t.taps:][:t.taps], t.w[k*(t.order+1)*t.taps:][:(t.order+1)*t.taps]
	if !(math.Abs(x) < 1<<40) { // nowhere, or no number
		for i := range at {
			at[i] = -1
		}
		clear(w)
		if x != x {
			at[0] = 0
			for o := range t.order + 1 {
				w[o*t.taps] = x
			}
		}
		return
	}
	floor := math.Floor(x)
	first := int(floor)
	if t.taps == 4 {
		first--
	}
	for i := range at {
		at[i] = t.index(first+i, n, lo, hi)
		if at[i] >= 0 {
			at[i] *= t.strides[k]
		}
	}
	scale := 1.0
	for o := range t.order + 1 {
		t.weights(w[o*t.taps:][:t.taps], x-floor, o)
		for i := range t.taps {
			w[o*t.taps+i] *= scale
		}
		scale *= slope
	}
}

// index is the element that stands for index i of an axis of extent n, -1 for none.
func (t *tapper) index(i, n int, lo, hi float64) int {
	if i >= 0 && i < n {
		return i
	}
	switch t.a.Padding {
	case "border":
		return min(max(i, 0), n-1)
	case "reflection":
		x, _ := reflect(float64(i), lo, hi)
		return min(max(int(x), 0), n-1)
	}
	return -1
}

// reflect folds x into [lo,hi]; back tells that it runs against x there.
func reflect(x, lo, hi float64) (y float64, back bool) {
	span := hi - lo
	if span <= 0 {
		return lo, false
	}
	over := lo - x
	if x > hi {
		over = x - hi
	}
	if over <= 0 {
		return x, false
	}
	n := math.Floor(over / span)
	rest, even := over-n*span, math.Mod(n, 2) == 0
	if (x < lo) == even {
		return lo + rest, even
	}
	return hi - rest, even
}

// weights are those of the taps at distance f from the one before, or their derivatives by f of the given order.
func (t *tapper) weights(w []float64, f float64, order int) {
	clear(w)
	switch {
	case t.taps == 1:
		if order == 0 {
			w[0] = 1
		}
	case t.taps == 2:
		switch order {
		case 0:
			w[0], w[1] = 1-f, f
		case 1:
			w[0], w[1] = -1, 1
		}
	default:
		for i := range w {
			w[i] = cubicWeight(f+1-float64(i), order)
		}
	}
}

// cubicWeight is Keys' kernel with a = -3/4 at distance x, or its derivative.
//
// Source: Keys 1981, "Cubic convolution interpolation for digital image processing", equation 4.
func cubicWeight(x float64, order int) float64 {
	const a = -0.75
	c := [4]float64{1, 0, -(a + 3), a + 2} // of 1, |x|, |x|², |x|³
	y := math.Abs(x)
	if y > 1 {
		c = [4]float64{-4 * a, 8 * a, -5 * a, a}
	}
	sum := 0.0
	for p := 3; p >= order; p-- {
		f := c[p]
		for i := range order {
			f *= float64(p - i)
		}
		sum = sum*y + f
	}
	if x < 0 && order%2 == 1 {
		return -sum
	}
	return sum
}

// along are the terms of the derivative along the directions vs, each one vector; unit, unless negative, is an axis more.
func (t *tapper) along(vs [][]float64, unit int) []term {
	d := len(t.in)
	terms := []term{{make([]int, d), 1}}
	if unit >= 0 {
		terms[0].orders[unit] = 1
	}
	for _, v := range vs {
		var next []term
		for _, m := range terms {
			for k := range d {
				orders := append([]int{}, m.orders...)
				orders[k]++
				next = append(next, term{orders, m.factor * v[t.column(k)]})
			}
		}
		terms = next
	}
	return terms
}

// column is where grid has the coordinate of axis k.
func (t *tapper) column(k int) int {
	if t.a.Pixels {
		return k
	}
	return len(t.in) - 1 - k
}

// weight is that of element e of the place in the sum of terms.
func (t *tapper) weight(e int, terms []term) float64 {
	d := len(t.in)
	sum := 0.0
	for _, m := range terms {
		p := m.factor
		for k, c := range t.chosen[e*d : e*d+d] {
			p *= t.w[(k*(t.order+1)+m.orders[k])*t.taps+c]
		}
		sum += p
	}
	return sum
}

// derivative is the terms along the content of the tensors vs at one place after the other.
type derivative struct {
	t     *tapper
	vs    []*tensor.Tensor
	unit  int
	terms []term
	buf   [][]float64
}

func (t *tapper) derivative(vs []*tensor.Tensor, unit int) *derivative {
	e := &derivative{t: t, vs: vs, unit: unit, buf: make([][]float64, len(vs))}
	for i := range e.buf {
		e.buf[i] = make([]float64, len(t.in))
	}
	e.terms = t.along(nil, unit)
	return e
}

// at is the terms at place p.
func (e *derivative) at(p int) []term {
	if len(e.vs) == 0 {
		return e.terms
	}
	for i, v := range e.vs {
		for k := range e.buf[i] {
			at := p*len(e.buf[i]) + k
			if v.DType() == tensor.Float64 {
				e.buf[i][k] = tensor.Data[float64](v)[at]
			} else {
				e.buf[i][k] = float64(v.F32()[at])
			}
		}
	}
	return e.t.along(e.buf, e.unit)
}

// sample is the kernel of Sample.
func sample[T real](a *sampleAttrs, c *graph.RunCtx) {
	s := newSampling(c.In[0].Shape(), c.In[1].Shape())
	sampleTo(s, a, c, tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), c.In[2:])
}

// sampleTo is y, x sampled at the places of grid along vs.
func sampleTo[T real](s *sampling, a *sampleAttrs, c *graph.RunCtx, y, x, grid []T, vs []*tensor.Tensor) {
	c.Pool.For(s.batch*s.places, max(1, 1<<11/max(1, s.channels)), func(lo, hi int) {
		t := newTapper(a, s, len(vs))
		e := t.derivative(vs, -1)
		var w []float64
		for p := lo; p < hi; p++ {
			place(t, grid[p*s.d:(p+1)*s.d])
			terms := e.at(p)
			w = w[:0]
			for i := range t.offsets {
				w = append(w, t.weight(i, terms))
			}
			b, o := p/s.places, p%s.places
			for ch := b * s.channels; ch < (b+1)*s.channels; ch++ {
				plane := x[ch*s.plane : (ch+1)*s.plane]
				sum := 0.0
				for i, off := range t.offsets {
					sum += w[i] * float64(plane[off])
				}
				y[ch*s.places+o] = T(sum)
			}
		}
	})
}

// sampleBack is the kernel of SampleBack: some channels of a batch at a time.
func sampleBack[T real](a *sampleAttrs, c *graph.RunCtx) {
	const some = 16
	s := newSampling(c.In[2].Shape(), c.In[1].Shape())
	dx, dy, grid, vs := tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), c.In[3:]
	blocks := (s.channels + some - 1) / some
	c.Pool.For(s.batch*blocks, 1, func(lo, hi int) {
		t := newTapper(a, s, len(vs))
		e := t.derivative(vs, -1)
		for i := lo; i < hi; i++ {
			b := i / blocks
			first := b*s.channels + i%blocks*some
			last := min(first+some, (b+1)*s.channels)
			clear(dx[first*s.plane : last*s.plane])
			for o := range s.places {
				p := b*s.places + o
				place(t, grid[p*s.d:(p+1)*s.d])
				terms := e.at(p)
				for k, off := range t.offsets {
					w := T(t.weight(k, terms))
					for ch := first; ch < last; ch++ {
						dx[ch*s.plane+off] += w * dy[ch*s.places+o]
					}
				}
			}
		}
	})
}

// sampleByGrid is the kernel of SampleByGrid.
func sampleByGrid[T real](a *sampleAttrs, c *graph.RunCtx) {
	s := newSampling(c.In[0].Shape(), c.In[1].Shape())
	x, grid, dy, vs := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.In[2]), c.In[3:]
	out := tensor.Data[T](c.Out[0])
	c.Pool.For(s.batch*s.places, max(1, 1<<11/max(1, s.channels)), func(lo, hi int) {
		t := newTapper(a, s, len(vs)+1)
		by := make([]*derivative, s.d)
		for k := range by {
			by[k] = t.derivative(vs, k)
		}
		var sums []float64
		for p := lo; p < hi; p++ {
			place(t, grid[p*s.d:(p+1)*s.d])
			b, o := p/s.places, p%s.places
			sums = sums[:0]
			for _, off := range t.offsets {
				sum := 0.0
				for ch := b * s.channels; ch < (b+1)*s.channels; ch++ {
					sum += float64(dy[ch*s.places+o]) * float64(x[ch*s.plane+off])
				}
				sums = append(sums, sum)
			}
			for k, e := range by {
				terms, sum := e.at(p), 0.0
				for i, v := range sums {
					sum += v * t.weight(i, terms)
				}
				out[p*s.d+t.column(k)] = T(sum)
			}
		}
	})
}
