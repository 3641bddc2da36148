package ops

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Coords tells where in a model's input the elements of a value come from: one Coord for each axis of the input that is followed. nil
// stands for a value that does not come from the input, such as a weight.
type Coords []Coord

// Coord is one coordinate of every element of a value, in steps of the input: the place of a pixel or token, or the middle of those that
// an element was made of. NaN stands for an element that comes from no place in particular: a class token, padding, a mean over
// everything.
type Coord struct {
	Shape tensor.Shape // of the value's rank, with extent 1 along the axes on which the coordinate does not depend
	X     []float32
}

// coordTolerance is how far apart coordinates of one place may be: two ways to the same value may round differently.
const coordTolerance = 1e-3

func isNaN(x float32) bool { return x != x }

var nan32 = float32(math.NaN())

func sameCoord(a, b float32) bool {
	return isNaN(a) && isNaN(b) || a-b <= coordTolerance && b-a <= coordTolerance
}

// nowhere is NaN for every element of a value of rank r.
func nowhere(r int) Coord { return Coord{slices.Repeat(tensor.Shape{1}, r), []float32{nan32}} }

// Known reports whether some element has a place.
func (c Coord) Known() bool {
	return slices.ContainsFunc(c.X, func(x float32) bool { return !isNaN(x) })
}

// better reports whether c tells more than d, of an operand of the same operator: of two that know places the one that knows all, then
// the one that knows more.
func (c Coord) better(d Coord) bool {
	if !c.Known() || !d.Known() {
		return c.Known() && !d.Known()
	}
	gaps, others := slices.ContainsFunc(c.X, isNaN), slices.ContainsFunc(d.X, isNaN)
	if gaps != others {
		return others
	}
	return len(c.X) > len(d.X)
}

// Varies reports whether elements have different places.
func (c Coord) Varies() bool {
	first := nan32
	for _, x := range c.X {
		switch {
		case isNaN(x):
		case isNaN(first):
			first = x
		case !sameCoord(x, first):
			return true
		}
	}
	return false
}

// Expand is the coordinate of each element of a value of shape s, whose rank is at least that of c: axes are aligned at the end.
func (c Coord) Expand(s tensor.Shape) []float32 {
	out := tensor.New(tensor.Float32, s...)
	copyStrided(nil, out, tensor.From(c.X, c.Shape...), walk{ext: s, ds: strides(s), ss: expandStrides(c.Shape, s)})
	return out.F32()
}

// Same reports whether c and d, broadcast against each other, agree on every element.
func (c Coord) Same(d Coord) bool {
	if slices.Equal(c.Shape, d.Shape) {
		return slices.EqualFunc(c.X, d.X, sameCoord)
	}
	joint, err := broadcast(c.Shape, d.Shape)
	return err == nil && slices.EqualFunc(c.Expand(joint), d.Expand(joint), sameCoord)
}

// shrunk is the coordinate x of the elements of shape s with extent 1 wherever it does not depend on an axis.
func shrunk(s tensor.Shape, x []float32) Coord {
	s = slices.Clone(s)
	for k, n := range s {
		if n <= 1 {
			continue
		}
		outer, _, inner := around(s, k)
		if !constantAlong(x, outer, n, inner) {
			continue
		}
		y := make([]float32, 0, outer*inner)
		for o := range outer {
			y = append(y, x[o*n*inner:o*n*inner+inner]...)
		}
		x, s[k] = y, 1
	}
	return Coord{s, x}
}

func constantAlong(x []float32, outer, n, inner int) bool {
	for o := range outer {
		first := x[o*n*inner : o*n*inner+inner]
		for j := 1; j < n; j++ {
			if !slices.EqualFunc(x[(o*n+j)*inner:(o*n+j+1)*inner], first, sameCoord) {
				return false
			}
		}
	}
	return true
}

// permuted is c with axis perm[i] as its axis i.
func (c Coord) permuted(perm []int) Coord {
	s := make(tensor.Shape, len(perm))
	st, from := strides(c.Shape), make([]int, len(perm))
	for i, k := range perm {
		s[i], from[i] = c.Shape[k], st[k]
	}
	out := tensor.New(tensor.Float32, s...)
	copyStrided(nil, out, tensor.From(c.X, c.Shape...), walk{ext: s, ds: strides(s), ss: from})
	return Coord{s, out.F32()}
}

// reshaped is the coordinate of a value of shape s seen in shape u, of as many elements. Axes are split and merged in groups of equal
// size, and only groups on which the coordinate depends are written out.
func (c Coord) reshaped(s, u tensor.Shape) Coord {
	wide, out := slices.Clone(c.Shape), make(tensor.Shape, 0, len(u))
	for i, j := 0, 0; i < len(s) || j < len(u); {
		i1, j1, a, b := i, j, 1, 1
		for i1 == i && j1 == j || a != b {
			switch {
			case a <= b && i1 < len(s):
				a *= s[i1]
				i1++
			default:
				b *= u[j1]
				j1++
			}
		}
		if product(c.Shape[i:i1]) == 1 {
			out = append(out, slices.Repeat(tensor.Shape{1}, j1-j)...)
		} else {
			copy(wide[i:i1], s[i:i1])
			out = append(out, u[j:j1]...)
		}
		i, j = i1, j1
	}
	return shrunk(out, c.Expand(wide))
}

// meanAlong is the mean of c over the axes, which keep extent 1. lost tells that the coordinate depended on them and that nothing is left
// of it: every element is made of all places alike.
func (c Coord) meanAlong(axes ...int) (m Coord, lost bool) {
	m = c
	for _, k := range axes {
		if m.Shape[k] == 1 {
			continue
		}
		outer, n, inner := around(m.Shape, k)
		s := slices.Clone(m.Shape)
		s[k] = 1
		x := make([]float32, outer*inner)
		for i := range x {
			o, r := i/inner, i%inner
			sum, count := 0.0, 0
			for j := range n {
				if v := m.X[(o*n+j)*inner+r]; !isNaN(v) {
					sum += float64(v)
					count++
				}
			}
			x[i] = float32(sum / float64(count)) // NaN for none
		}
		m = Coord{s, x}
	}
	if len(m.X) == len(c.X) || !c.Varies() {
		return m, false
	}
	if m.Varies() {
		return m, false
	}
	return nowhere(len(c.Shape)), true
}

// resampled is c with m places instead of n along axis k, spread evenly over the same extent: a single one is in the middle.
func (c Coord) resampled(k, m int) Coord {
	outer, n, inner := around(c.Shape, k)
	if n == 1 {
		return c
	}
	if n == m && !slices.ContainsFunc(c.X, isNaN) {
		return c
	}
	s := slices.Clone(c.Shape)
	s[k] = m
	x := make([]float32, outer*m*inner)
	for o := range outer {
		for r := range inner {
			lo, hi, count, steady := line(c.X[o*n*inner+r:], n, inner)
			for j := range m {
				v := nan32
				switch {
				case count == 0 || !steady:
				case sameCoord(lo, hi):
					v = lo
				default:
					step := float64(hi-lo) / float64(count-1)
					v = float32(float64(lo) - step/2 + (float64(j)+0.5)*(float64(hi-lo)+step)/float64(m))
				}
				x[(o*m+j)*inner+r] = v
			}
		}
	}
	return shrunk(s, x)
}

// line looks along n elements, step apart: the first and last place, how many have one, and whether they only rise or only fall.
func line(x []float32, n, step int) (first, last float32, count int, steady bool) {
	first, last = nan32, nan32
	up, down := true, true
	for j := range n {
		v := x[j*step]
		if isNaN(v) {
			continue
		}
		if count == 0 {
			first = v
		} else {
			up, down = up && v >= last, down && v <= last
		}
		last = v
		count++
	}
	return first, last, count, up || down
}
