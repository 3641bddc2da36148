package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// conv is the rule of convolutions of X [N,C,…] with W: a channel of the output is made of those of its group.
func (f *follower) conv() bool {
	if f.in[0] == nil || len(f.shapes) < 2 || f.shapes[1] == nil || len(f.shapes[0]) < 3 || len(f.shapes[1]) < 2 {
		return false
	}
	c, m := f.shapes[0][1], f.out[0][1]
	groups := c / max(1, f.shapes[1][1])
	if f.n.Op.Name == "ConvTranspose" {
		groups = m / max(1, f.shapes[1][1])
	}
	if groups < 1 || c%groups != 0 || m%groups != 0 {
		return false
	}
	f.windows(func(x Coord) (Coord, bool) {
		if x.Shape[1] == 1 {
			return x, false
		}
		if groups == 1 {
			return x.meanAlong(1)
		}
		s := slices.Clone(x.Shape) // [N,C,…] as [N,G,C/G,…]
		wide := slices.Insert(s, 2, c/groups)
		wide[1] = groups
		mean, lost := Coord{wide, x.X}.meanAlong(2)
		if lost {
			return nowhere(len(s)), true
		}
		narrow := slices.Clone(mean.Shape)
		narrow[2] = m / groups
		flat := slices.Delete(slices.Clone(narrow), 2, 3)
		flat[1] = m
		return shrunk(flat, mean.Expand(narrow)), false
	})
	return true
}

// pool is the rule of poolings and of resizing.
func (f *follower) pool() bool {
	if f.in[0] == nil || len(f.out[0]) != len(f.shapes[0]) {
		return false
	}
	f.windows(func(x Coord) (Coord, bool) {
		if f.out[0][1] == f.shapes[0][1] {
			return x, false
		}
		return x.meanAlong(1)
	})
	return true
}

// windows spreads the positions of axes 2 and up evenly over the extents of the outputs; channels says what becomes of axis 1.
func (f *follower) windows(channels func(Coord) (Coord, bool)) {
	f.flow[0] = Moved
	for o, s := range f.out {
		if f.n.Out[o] == 0 {
			continue
		}
		f.each(o, 0, func(c Coord) Coord {
			known := c.Known()
			c, lost := channels(c)
			for k := 2; k < len(s) && !lost; k++ {
				c = c.resampled(k, s[k])
			}
			if known && !c.Known() {
				f.flow[0] = Across
			}
			return c
		})
	}
}

// matmul is A [...,m,k] times B [...,k,n].
func (f *follower) matmul() bool { return f.product(false, false) }

func (f *follower) gemm() bool {
	a := f.n.Attrs.(*gemmAttrs)
	return f.product(a.TransA, a.TransB)
}

// product takes the places of the rows of A, or those of the columns of B where the rows have none.
func (f *follower) product(transA, transB bool) bool {
	f.outs[0] = make(Coords, f.k)
	f.flow[0], f.flow[1] = Moved, Moved
	for k := range f.k {
		rows, okA := f.factor(0, k, transA, -1)
		cols, okB := f.factor(1, k, transB, -2)
		switch {
		case okA:
			f.outs[0][k] = f.demoted(rows)
			if okB && cols.Varies() {
				f.flow[1] = Across
			}
		case okB:
			f.outs[0][k] = f.demoted(cols)
		default:
			f.outs[0][k] = nowhere(len(f.out[0]))
		}
	}
	return true
}

// factor is the coordinate k of input i of a product, of the rank of the product, without the axis that is summed over; false when
// nothing is left of it.
func (f *follower) factor(i, k int, trans bool, sum int) (Coord, bool) {
	if f.in[i] == nil {
		return Coord{}, false
	}
	c := f.in[i][k]
	switch {
	case len(c.Shape) == 1 && i == 0:
		c = Coord{tensor.Shape{1, c.Shape[0]}, c.X}
	case len(c.Shape) == 1:
		c = Coord{tensor.Shape{c.Shape[0], 1}, c.X}
	case trans:
		c = c.permuted([]int{1, 0})
	}
	rank := max(len(f.shapes[0]), len(f.shapes[1]), 2)
	c = Coord{append(slices.Repeat(tensor.Shape{1}, rank-len(c.Shape)), c.Shape...), c.X}
	m, lost := c.meanAlong(rank + sum)
	if lost {
		f.flow[i] = Across
	}
	return m, m.Known()
}

// demoted is c of a product of matrices without the axes that operands of one axis do not have.
func (f *follower) demoted(c Coord) Coord {
	s := slices.Clone(c.Shape)
	if len(f.shapes[1]) == 1 {
		s = s[:len(s)-1]
	}
	if len(f.shapes[0]) == 1 {
		s = slices.Delete(s, max(0, len(s)-2), max(0, len(s)-1))
	}
	return Coord{s, c.X}
}

// attention has the places of the queries, as the products that it is made of.
func (f *follower) attention() bool {
	a := f.n.Attrs.(*fusedAttentionAttrs)
	for i := range f.flow {
		f.flow[i] = Across
	}
	if f.in[0] == nil || len(f.n.Out) > 1 && f.n.Out[1] != 0 {
		return false
	}
	f.flow[0] = Moved
	f.each(0, 0, func(c Coord) Coord {
		if a.PermQ != nil {
			c = c.permuted(a.PermQ)
		}
		c, _ = c.meanAlong(len(c.Shape) - 1)
		c = Coord{append(slices.Repeat(tensor.Shape{1}, len(f.out[0])-len(c.Shape)), c.Shape...), c.X}
		if a.PermO != nil {
			c = c.permuted(a.PermO)
		}
		return c
	})
	return true
}

// reduce is the rule of sums, means and choices along axes.
func (f *follower) reduce() bool {
	keep, noop := true, false
	switch a := f.n.Attrs.(type) {
	case *reduceAttrs:
		keep, noop = a.KeepDims, a.NoopEmpty
	case *reduceOldAttrs:
		keep = a.KeepDims
	case *argAttrs:
		keep = a.KeepDims
	}
	var given *tensor.Tensor
	if f.n.NumIn > 1 {
		given = f.values[1]
	}
	axes, ok := ReduceAxes(f.n, given)
	if !ok || f.in[0] == nil {
		return false
	}
	list, err := reducedAxes(f.shapes[0], axes, noop)
	if err != nil {
		return false
	}
	f.flow[0] = Moved
	reduced := map[int]bool{}
	for _, k := range list {
		reduced[k] = true
	}
	f.each(0, 0, func(c Coord) Coord {
		m, lost := c.meanAlong(list...)
		if lost {
			f.flow[0] = Across
		}
		if keep {
			return m
		}
		left := tensor.Shape{}
		for k, d := range m.Shape {
			if !reduced[k] {
				left = append(left, d)
			}
		}
		return Coord{left, m.X}
	})
	return true
}

// recur is the rule of recurrent layers: X [T,N,I], or [N,T,I] with layout 1. The states of all steps are where the steps are; the last
// one has seen all. Rows that lie along the steps are mixed.
func (f *follower) recur() bool {
	if f.in[0] == nil || len(f.shapes[0]) != 3 {
		return false
	}
	layout := f.n.Attrs.(*recurrentAttrs).Layout
	f.flow[0] = Across
	for o := range f.out {
		if f.n.Out[o] == 0 {
			continue
		}
		f.outs[o] = make(Coords, f.k)
		for k, c := range f.in[0] {
			c, _ = c.meanAlong(2)
			if o > 0 || k == 0 {
				c, _ = c.meanAlong(layout)
			}
			t, n := c.Shape[0], c.Shape[1]
			if layout == 1 {
				t, n = n, t
			}
			s := tensor.Shape{t, 1, n, 1}
			switch {
			case o == 0 && layout == 1:
				s = tensor.Shape{n, t, 1, 1}
			case o > 0 && layout == 1:
				s = tensor.Shape{n, 1, 1}
			case o > 0:
				s = tensor.Shape{1, n, 1}
			}
			f.outs[o][k] = Coord{s, c.X}
		}
	}
	return true
}
