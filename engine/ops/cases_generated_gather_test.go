package ops_test

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// different are indices in a shape, no two alike along axis, some counted from the end: n at most as many as there are.
func (g *source) different(n, axis int, shape ...int) arg {
	t := tensor.New(tensor.Int64, shape...)
	v := t.I64()
	step := tensor.Shape(shape[axis+1:]).Len()
	for o := range tensor.Shape(shape[:axis]).Len() {
		for i := range step {
			for k, j := range g.Perm(n)[:shape[axis]] {
				if g.flip() {
					j -= n
				}
				v[(o*shape[axis]+k)*step+i] = int64(j)
			}
		}
	}
	return given(t)
}

func init() {
	generate("Gather", 10, func(g *source) opCase {
		rank := 1 + g.i%3
		axis, s := g.axis(rank), g.extents(rank)
		n := s[(axis+rank)%rank]
		at := g.list1(g.i%4, 0, 3)
		if n == 0 {
			at = []int{0}
		}
		return opCase{attrs: is("axis", axis), in: []arg{g.input(normal, s...), g.indices(max(1, n), at...)}, whole: true}
	})
	generate("GatherElements", 10, func(g *source) opCase {
		rank := 1 + g.i%3
		axis, s := g.axis(rank), g.extents(rank)
		a := (axis + rank) % rank
		at := slices.Clone(s)
		for k := range at {
			at[k] = g.IntN(s[k] + 1)
		}
		if at[a] = g.IntN(5); s[a] == 0 {
			at[a] = 0
		}
		return opCase{attrs: is("axis", axis), in: []arg{g.input(normal, s...), g.indices(max(1, s[a]), at...)}, whole: true}
	})
	generate("GatherND", 10, func(g *source) opCase {
		batch := g.i % 3
		rank := batch + 1 + g.IntN(2)
		s := g.list1(rank, 1, 4)
		depth := g.upto(rank - batch)
		at := append(slices.Clone(s[:batch]), g.list1(g.IntN(3), 0, 3)...)
		if len(at) == batch && batch > 0 {
			at = append(at, 2)
		}
		at = append(at, depth)
		t := tensor.New(tensor.Int64, at...)
		for k := range t.I64() {
			n := s[batch+k%depth]
			t.I64()[k] = int64(g.IntN(2*n) - n)
		}
		return opCase{attrs: is("batch_dims", batch), in: []arg{g.input(normal, s...), given(t)}, whole: true}
	})
	for _, op := range []string{"ScatterElements", "ScatterND"} {
		generate(op, 15, func(g *source) opCase {
			reduction := pick(g, "none", "add", "mul", "max", "min")
			data, updates := generator(nonzero), generator(nonzero)
			if reduction == "max" || reduction == "min" {
				data, updates = thirds(0), thirds(1)
			}
			rank := 1 + g.i%3
			s := g.list1(rank, 1, 4)
			attrs := is("reduction", reduction)
			once := reduction != "add" && reduction != "mul"
			if op == "ScatterElements" {
				axis := g.axis(rank)
				a := (axis + rank) % rank
				at := slices.Clone(s)
				for k := range at {
					at[k] = g.upto(s[k])
				}
				if g.i == 4 {
					at[0] = 0
				}
				attrs["axis"] = int64(axis)
				indices := g.indices(s[a], at...)
				if once {
					indices = g.different(s[a], a, at...)
				}
				return opCase{attrs: attrs, in: []arg{g.input(data, s...), indices, wg(updates, at...)}, whole: true}
			}
			depth := g.upto(rank)
			rows := g.IntN(4)
			t := tensor.New(tensor.Int64, rows, depth)
			if once { // rows of indices that differ in their first
				rows = min(rows, s[0])
				t = tensor.New(tensor.Int64, rows, depth)
			}
			first := g.Perm(s[0])
			for k := range t.I64() {
				n := s[k%depth]
				t.I64()[k] = int64(g.IntN(2*n) - n)
				if once && k%depth == 0 {
					t.I64()[k] = int64(first[k/depth])
				}
			}
			return opCase{attrs: attrs, in: []arg{g.input(data, s...), given(t), wg(updates, append([]int{rows}, s[depth:]...)...)}, whole: true}
		})
	}
}

// A factor of 0 among several of one element: what has another 0 beside it has no gradient, what has none has that of the rest.
func init() {
	register(
		opCase{op: "ScatterElements", name: "mul with zeros", attrs: is("reduction", "mul"),
			in: []arg{x(3), ids(0, 0, 1, 1, 2), wg(zeros(1, 2, 3), 5)}, once: true},
		opCase{op: "ScatterND", name: "mul with zeros", attrs: is("reduction", "mul"),
			in: []arg{x(3, 1), idsIn([]int{5, 1}, 0, 0, 1, 1, 2), wg(zeros(1, 2, 3), 5, 1)}, once: true},
	)
}
