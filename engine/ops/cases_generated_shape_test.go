package ops_test

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// wide are extents as integers.
func wide(shape []int) []int64 {
	l := make([]int64, len(shape))
	for k, n := range shape {
		l[k] = int64(n)
	}
	return l
}

func init() {
	generate("Concat", 10, func(g *source) opCase {
		rank := 1 + g.i%4
		axis := g.axis(rank)
		c := opCase{attrs: is("axis", axis), whole: true}
		shape := g.extents(rank)
		for k := range g.upto(3) {
			s := slices.Clone(shape)
			s[(axis+rank)%rank] = g.IntN(4)
			c.in = append(c.in, g.input(normal, s...))
			c.in[0].hidden = c.in[0].hidden && k == 0
		}
		return c
	})
	generate("Split", 10, func(g *source) opCase {
		rank := 1 + g.i%4
		axis, shape := g.axis(rank), g.extents(rank)
		c := opCase{attrs: is("axis", axis), whole: true, outs: g.upto(3)}
		if g.i%3 == 0 { // into equal parts, the last one smaller
			shape[(axis+rank)%rank] = c.outs*g.upto(2) - g.IntN(c.outs)
			if shape[(axis+rank)%rank] <= c.outs { // one of them would be empty
				shape[(axis+rank)%rank] = c.outs
			}
			c.attrs["num_outputs"] = int64(c.outs)
			c.in = []arg{g.input(normal, shape...)}
			return c
		}
		parts := g.list(c.outs, 0, 3)
		shape[(axis+rank)%rank] = 0
		for _, n := range parts {
			shape[(axis+rank)%rank] += int(n)
		}
		c.in = []arg{g.input(normal, shape...), ids(parts...)}
		return c
	})
	generate("Slice", 12, func(g *source) opCase {
		rank := 1 + g.i%4
		n := g.upto(rank)
		shape := g.extents(rank)
		starts, ends, axes, steps := g.list(n, -5, 4), g.list(n, -5, 5), ids(g.axes(n, rank)...), g.list(n, 1, 3)
		for k := range steps {
			if g.flip() {
				steps[k] = -steps[k]
			} else if g.flip() {
				starts[k], ends[k] = 0, 1<<40
			}
		}
		if g.i%4 == 1 {
			axes, n = arg{}, rank
		}
		c := opCase{in: []arg{g.input(normal, shape...), ids(starts...), ids(ends...), axes, ids(steps...)}, whole: true}
		if g.i%4 == 3 {
			c.in = c.in[:4]
		}
		return c
	})
	generate("Pad", 14, func(g *source) opCase {
		mode := pick(g, "constant", "edge", "reflect", "wrap", "constant")
		rank := 1 + g.IntN(3)
		shape := make([]int, rank)
		for k := range shape {
			shape[k] = 2 + g.IntN(3)
		}
		list := g.axes(1+g.IntN(rank), rank)
		n := len(list)
		axes := ids(list...)
		if g.i%4 == 3 {
			axes, n = arg{}, rank
		}
		lo := 0
		if mode == "constant" {
			lo = -1
		}
		pads := g.list(2*n, lo, 1)
		if mode == "constant" {
			pads = g.list(2*n, -1, 3)
			switch g.i {
			case 0:
				shape[0] = 1
			case 5: // nothing, and something in its place
				shape[0] = 0
				for k := range pads {
					pads[k] = max(0, pads[k])
				}
			}
			for k := range shape {
				if shape[k] == 1 {
					for j := range pads {
						pads[j] = max(0, pads[j])
					}
				}
			}
		}
		value := arg{}
		if g.flip() {
			value = floatsOf0(1.5)
		}
		return opCase{attrs: is("mode", mode), in: trimmed(g.input(normal, shape...), ids(pads...), value, axes), whole: true}
	})
	generate("Reshape", 10, func(g *source) opCase {
		s := [...]struct {
			from  []int
			to    []int64
			zeros int
		}{{[]int{2, 3, 4}, ints(4, -1), 0}, {[]int{2, 3, 4}, ints(0, -1, 2, 1), 0}, {[]int{6}, ints(1, 6, 1), 0}, {[]int{1, 1}, ints(), 0},
			{[]int{}, ints(1, -1), 0}, {[]int{0, 3}, ints(3, 0), 1}, {[]int{2, 0}, ints(0, 0, 5), 0}, {[]int{0, 3}, ints(-1, 3), 0},
			{[]int{4, 1, 3}, ints(0, 3), 0}, {[]int{2, 6}, ints(-1, 2, 2), 0}}[g.i]
		if g.i == 8 {
			s.to = ints(0, 3, 0)[:2]
		}
		return opCase{attrs: is("allowzero", s.zeros), in: []arg{g.input(normal, s.from...), ids(s.to...)}, whole: true}
	})
	generate("Flatten", 9, func(g *source) opCase {
		rank := g.i % 5
		axis := g.IntN(rank + 1)
		if rank > 0 && g.flip() {
			axis = g.IntN(rank) - rank
		}
		return opCase{attrs: is("axis", axis), in: []arg{g.input(normal, g.extents(rank)...)}, whole: true}
	})
	generate("Squeeze", 9, func(g *source) opCase {
		shape := g.extents(2 + g.i%3)
		var axes []int64
		for k := range shape {
			if k == 0 || g.flip() {
				shape[k] = 1
				a := k
				if g.flip() {
					a -= len(shape)
				}
				axes = append(axes, int64(a))
			}
		}
		in := []arg{g.input(normal, shape...), ids(axes...)}
		if g.i%4 == 3 {
			in = in[:1]
		}
		return opCase{in: in, whole: true}
	})
	generate("Unsqueeze", 9, func(g *source) opCase {
		rank, n := g.i%4, g.IntN(3)
		if g.i == 4 {
			rank = 2
		}
		return opCase{in: []arg{g.input(normal, g.extents(rank)...), ids(g.axes(n, rank+n)...)}, whole: true}
	})
	generate("Transpose", 10, func(g *source) opCase {
		rank := g.i % 6
		c := opCase{in: []arg{g.input(normal, g.extents(rank)...)}, whole: true}
		if g.i != 3 {
			var perm []int64
			for _, a := range g.Perm(rank) {
				perm = append(perm, int64(a))
			}
			c.attrs = is("perm", perm)
		}
		return c
	})
	generate("Expand", 9, func(g *source) opCase {
		full := g.extents(1 + g.i%4)
		to := slices.Clone(full)
		for k := range to {
			if g.IntN(3) == 0 && to[k] != 0 {
				to[k] = 1
			}
		}
		if g.i%3 == 2 {
			to = to[1:]
		}
		return opCase{in: []arg{g.input(normal, g.parted(full)...), ids(wide(to)...)}, whole: true}
	})
	generate("Tile", 9, func(g *source) opCase {
		rank := g.i % 4
		lo := 1
		if g.i == 6 {
			lo = 0
		}
		return opCase{in: []arg{g.input(normal, g.extents(rank)...), ids(g.list(rank, lo, 3)...)}, whole: true}
	})
	generate("Trilu", 10, func(g *source) opCase {
		in := []arg{g.input(normal, g.extents(2+g.i%3)...)}
		if g.i%3 != 0 {
			in = append(in, scalarID(int64(g.IntN(9)-4)))
		}
		return opCase{attrs: is("upper", g.bit()), in: in, whole: true}
	})
	generate("DepthToSpace", 9, func(g *source) opCase {
		s, b := g.extents(4), 1+g.i%3
		s[1] = g.upto(2) * b * b
		return opCase{attrs: is("blocksize", b, "mode", pick(g, "DCR", "CRD")), in: []arg{g.input(normal, s...)}, whole: true}
	})
	generate("SpaceToDepth", 9, func(g *source) opCase {
		s, b := g.extents(4), 1+g.i%3
		s[2], s[3] = s[2]*b, s[3]*b
		return opCase{attrs: is("blocksize", b), in: []arg{g.input(normal, s...)}, whole: true}
	})
	generate("Compress", 9, func(g *source) opCase {
		rank := 1 + g.i%4
		shape := g.extents(rank)
		axis := g.axis(rank)
		n, attrs := shape[(axis+rank)%rank], is("axis", axis)
		if g.i%3 == 2 {
			n, attrs = tensor.Shape(shape).Len(), nil
		}
		keep := make([]bool, g.IntN(n+1))
		for k := range keep {
			keep[k] = g.flip()
		}
		return opCase{attrs: attrs, in: []arg{g.input(normal, shape...), given(tensor.From(keep, len(keep)))}, whole: true}
	})
	generate("ReverseSequence", 9, func(g *source) opCase {
		s, batch := g.extents(2+g.i%3), g.bit()
		lens := g.list(s[batch], min(1, s[1-batch]), s[1-batch])
		return opCase{attrs: is("batch_axis", batch, "time_axis", 1-batch), in: []arg{g.input(normal, s...), ids(lens...)}, whole: true}
	})
	generate("AffineGrid", 9, func(g *source) opCase {
		d := 2 + g.i%2
		size := append([]int{g.upto(2), 1}, g.extents(d)...)
		if g.i == 6 {
			size[0] = 0
		}
		return opCase{attrs: is("align_corners", g.bit()), in: []arg{g.input(normal, size[0], d, d+1), ids(wide(size)...)}, whole: true}
	})
	generate("CenterCropPad", 9, func(g *source) opCase {
		rank := 1 + g.i%3
		n := g.upto(rank)
		return opCase{attrs: is("axes", g.axes(n, rank)), in: []arg{g.input(normal, g.extents(rank)...), ids(g.list(n, 0, 6)...)}, whole: true}
	})
}
