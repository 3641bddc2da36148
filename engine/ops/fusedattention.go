package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// FusedAttention is O = P·V with P = softmax(alpha·Q·Kᵀ + mask): inputs Q [...,T,D], Kᵀ [...,D,S], V [...,S,E] and mask, which broadcasts
// to the scores [...,T,S]; outputs O [...,T,E] and P. The axes before these are a batch, and broadcast. Each of Q, Kᵀ and V is given as it
// is after a Transpose by perm_q, perm_k or perm_v, and O as it is after one by perm_o. With guard a row of P that is NaN is 0.
var FusedAttention = new(graph.Spec)

// FusedAttentionGrad is the gradient of FusedAttention by Q, Kᵀ and V: inputs these, P and dO.
var FusedAttentionGrad = new(graph.Spec)

type fusedAttentionAttrs struct {
	Alpha float32 `onnx:"alpha,default=1"`
	PermQ []int   `onnx:"perm_q"`
	PermK []int   `onnx:"perm_k"`
	PermV []int   `onnx:"perm_v"`
	PermO []int   `onnx:"perm_o"`
	Guard bool    `onnx:"guard,default=0"`
}

// AttentionOf are the attributes of a FusedAttention; a nil permutation is the identity.
func AttentionOf(alpha float64, q, k, v, o []int, guard bool) any {
	return &fusedAttentionAttrs{float32(alpha), q, k, v, o, guard}
}

// PermOf are the axes of a Transpose; nil where it reverses them.
func PermOf(n *graph.Node) []int { return n.Attrs.(*transposeAttrs).Perm }

func init() {
	in := []graph.Formal{{Name: "Q", Types: floats}, {Name: "K", Types: floats}, {Name: "V", Types: floats}}
	define(FusedAttention, graph.Def[fusedAttentionAttrs]{
		Domain: Private, Name: "FusedAttention", Since: []int{1}, Doc: "scaled dot-product attention",
		In:  append(slices.Clone(in), graph.Formal{Name: "mask", Types: floats, Optional: true, NoGrad: true}),
		Out: []graph.Formal{{Name: "O"}, {Name: "P", Optional: true}},
		Infer: func(a *fusedAttentionAttrs, c *graph.InferCtx) error {
			var mask tensor.Shape
			if c.Has(3) {
				mask = c.Shape(3)
			}
			h, err := a.heads(c.Shape(0), c.Shape(1), c.Shape(2), mask)
			if err != nil {
				return err
			}
			o, err := h.output(a.PermO)
			if err != nil {
				return err
			}
			c.Out(0, o...)
			c.Out(1, append(slices.Clone(h.batch), h.t, h.s)...)
			return nil
		},
		Run: func(a *fusedAttentionAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return fusedAttention[float64](a, c)
			}
			return fusedAttention[float32](a, c)
		},
		Grad:  gradFusedAttention,
		Lower: lowerFusedAttention,
	})
	define(FusedAttentionGrad, graph.Def[fusedAttentionAttrs]{
		Domain: Private, Name: "FusedAttentionGrad", Since: []int{1}, Doc: "gradient of FusedAttention",
		In:  append(slices.Clone(in), graph.Formal{Name: "P", Types: floats}, graph.Formal{Name: "dO", Types: floats}),
		Out: []graph.Formal{{Name: "dQ", Optional: true}, {Name: "dK", Optional: true}, {Name: "dV", Optional: true}},
		Infer: func(_ *fusedAttentionAttrs, c *graph.InferCtx) error {
			for i := range 3 {
				c.Out(i, c.Shape(i)...)
			}
			return nil
		},
		Run: func(a *fusedAttentionAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return fusedAttentionGrad[float64](a, c)
			}
			return fusedAttentionGrad[float32](a, c)
		},
		Lower: lowerFusedAttentionGrad,
	})
}

// attentionHeads is where the matrices of an attention lie.
type attentionHeads struct {
	batch         tensor.Shape
	n, t, d, s, e int
	q, k, v       placed
	mask          placed
}

// placed says where the matrices of one operand lie, as kernel.Heads does.
type placed struct {
	shape    tensor.Shape // after the permutation
	strides  []int
	at       []int
	row, col int
}

func (a *fusedAttentionAttrs) heads(q, k, v, mask tensor.Shape) (*attentionHeads, error) {
	h := &attentionHeads{}
	var err error
	for _, o := range []struct {
		p    *placed
		s    tensor.Shape
		perm []int
		name string
	}{{&h.q, q, a.PermQ, "Q"}, {&h.k, k, a.PermK, "K"}, {&h.v, v, a.PermV, "V"}} {
		if len(o.s) < 2 {
			return nil, fmt.Errorf("%s of shape %v is no matrix", o.name, o.s)
		}
		if *o.p, err = placeHeads(o.s, o.perm); err != nil {
			return nil, err
		}
		if h.batch, err = broadcast(h.batch, o.p.shape[:len(o.s)-2]); err != nil {
			return nil, err
		}
	}
	last := func(p placed, i int) int { return p.shape[len(p.shape)-i] }
	h.t, h.d, h.s, h.e = last(h.q, 2), last(h.q, 1), last(h.k, 1), last(h.v, 1)
	if last(h.k, 2) != h.d || last(h.v, 2) != h.s {
		return nil, fmt.Errorf("matrices %v, %v and %v cannot be multiplied", h.q.shape[len(q)-2:], h.k.shape[len(k)-2:], h.v.shape[len(v)-2:])
	}
	if mask != nil {
		scores := append(slices.Clone(h.batch), h.t, h.s)
		whole, err := broadcast(scores, mask)
		if err != nil || whole[len(whole)-2] != h.t || whole[len(whole)-1] != h.s {
			return nil, fmt.Errorf("the mask of shape %v does not broadcast to scores %v", mask, scores)
		}
		h.batch = whole[:len(whole)-2]
		wide := append(slices.Repeat(tensor.Shape{1}, max(0, 2-len(mask))), mask...)
		h.mask, _ = placeHeads(wide, nil)
		for i, d := range wide {
			if d == 1 {
				h.mask.strides[i] = 0
			}
		}
		h.mask.at, h.mask.row, h.mask.col = h.mask.offsets(h.batch)
	}
	h.n = product(h.batch)
	for _, p := range []*placed{&h.q, &h.k, &h.v} {
		p.at, p.row, p.col = p.offsets(h.batch)
	}
	return h, nil
}

// placeHeads is where the matrices of a tensor of shape s lie after a permutation of its axes.
func placeHeads(s tensor.Shape, perm []int) (placed, error) {
	st := strides(s)
	if perm == nil {
		return placed{shape: s, strides: st}, nil
	}
	if _, err := (&transposeAttrs{Perm: perm}).perm(len(s)); err != nil {
		return placed{}, err
	}
	p := placed{}
	for _, k := range perm {
		p.shape, p.strides = append(p.shape, s[k]), append(p.strides, st[k])
	}
	return p, nil
}

// offsets are where the matrices of a batch begin, and the distances of rows and columns.
func (p *placed) offsets(batch tensor.Shape) (at []int, row, col int) {
	k := len(p.shape) - 2
	step := make([]int, len(batch))
	for i := range k {
		if p.shape[i] != 1 {
			step[len(batch)-k+i] = p.strides[i]
		}
	}
	at = []int{0}
	for i, d := range batch {
		next := make([]int, 0, len(at)*d)
		for _, o := range at {
			for j := range d {
				next = append(next, o+j*step[i])
			}
		}
		at = next
	}
	return at, p.strides[k], p.strides[k+1]
}

// output is the shape of O after perm.
func (h *attentionHeads) output(perm []int) (tensor.Shape, error) {
	s := append(slices.Clone(h.batch), h.t, h.e)
	if perm == nil {
		return s, nil
	}
	p, err := placeHeads(s, perm)
	return p.shape, err
}

// out is where the matrices of O lie, a tensor of shape s.
func (h *attentionHeads) out(perm []int, s tensor.Shape) (placed, error) {
	p, err := placeHeads(s, inversePerm(perm))
	if err == nil {
		p.at, p.row, p.col = p.offsets(h.batch)
	}
	return p, err
}

// inversePerm undoes perm.
func inversePerm(perm []int) []int {
	if perm == nil {
		return nil
	}
	inverse := make([]int, len(perm))
	for i, k := range perm {
		inverse[k] = i
	}
	return inverse
}

// headsOf are the matrices of t at p.
func headsOf[T floatElem](t *tensor.Tensor, p placed) kernel.Heads[T] {
	n := len(p.shape)
	return kernel.Heads[T]{X: tensor.Data[T](t), At: p.at, Rows: p.shape[n-2], Cols: p.shape[n-1], Row: p.row, Col: p.col}
}

func fusedAttention[T floatElem](a *fusedAttentionAttrs, c *graph.RunCtx) error {
	var s tensor.Shape
	if c.Has(3) {
		s = c.In[3].Shape()
	}
	h, err := a.heads(c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape(), s)
	if err != nil {
		return err
	}
	o, err := h.out(a.PermO, c.Out[0].Shape())
	if err != nil || h.n == 0 {
		return err
	}
	var mask *kernel.Heads[T]
	if s != nil {
		m := headsOf[T](c.In[3], h.mask)
		m.Rows, m.Cols = h.t, h.s
		mask = &m
	}
	var probs []T
	if c.Want(1) {
		probs = tensor.Data[T](c.Out[1])
	}
	kernel.Attention(c.Pool, headsOf[T](c.Out[0], o), headsOf[T](c.In[0], h.q), headsOf[T](c.In[1], h.k), headsOf[T](c.In[2], h.v), mask,
		probs, T(a.Alpha), a.Guard)
	return nil
}

func fusedAttentionGrad[T floatElem](a *fusedAttentionAttrs, c *graph.RunCtx) error {
	h, err := a.heads(c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape(), c.In[3].Shape())
	if err != nil {
		return err
	}
	o, err := h.out(a.PermO, c.In[4].Shape())
	if err != nil {
		return err
	}
	var d [3]*kernel.Heads[T]
	shared := false
	for i, p := range []placed{h.q, h.k, h.v} {
		if !c.Want(i) {
			continue
		}
		x := headsOf[T](c.Out[i], p)
		d[i] = &x
		shared = shared || product(p.shape[:len(p.shape)-2]) != h.n
	}
	kernel.AttentionGrad(c.Pool, d[0], d[1], d[2], headsOf[T](c.In[0], h.q), headsOf[T](c.In[1], h.k), headsOf[T](c.In[2], h.v),
		headsOf[T](c.In[4], o), tensor.Data[T](c.In[3]), T(a.Alpha), shared)
	return nil
}

// permutedBy is x after perm, nil for none.
func permutedBy(b *graph.Builder, x graph.Value, perm []int) graph.Value {
	if perm == nil {
		return x
	}
	return b.Add(Transpose, Perm(perm...), x)
}

func gradFusedAttention(a *fusedAttentionAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
	dx := make([]graph.Value, n.NumIn)
	if dy[0] != 0 {
		g := b.AddNode("", FusedAttentionGrad, a, []graph.Value{n.In[0], n.In[1], n.In[2], b.ExtraOutput(n, 1), dy[0]}, need[:3])
		if g == nil {
			return nil, b.Err()
		}
		copy(dx, g.Out)
	}
	if len(dy) > 1 && dy[1] != 0 {
		dq, dk := gradScores(a, b, n.In[0], n.In[1], n.Out[1], dy[1])
		dx[0], dx[1] = add(b, dx[0], dq), add(b, dx[1], dk)
	}
	return dx, nil
}

// gradScores is the gradient by Q and Kᵀ of the probabilities probs, whose own is d.
func gradScores(a *fusedAttentionAttrs, b *graph.Builder, q, k, probs, d graph.Value) (dq, dk graph.Value) {
	ds := b.Add(SoftmaxGrad, nil, probs, d)
	if a.Alpha != 1 {
		ds = scale(b, ds, float64(a.Alpha))
	}
	pq, pk := permutedBy(b, q, a.PermQ), permutedBy(b, k, a.PermK)
	dq = b.Add(MatMulDA, nil, ds, pk, pq)
	dk = b.Add(MatMulDB, nil, pq, ds, pk)
	return permutedBy(b, dq, inversePerm(a.PermQ)), permutedBy(b, dk, inversePerm(a.PermK))
}

func lowerFusedAttention(a *fusedAttentionAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	s := b.Add(MatMul, nil, permutedBy(b, n.In[0], a.PermQ), permutedBy(b, n.In[1], a.PermK))
	if a.Alpha != 1 {
		s = scale(b, s, float64(a.Alpha))
	}
	if mask := input(n, 3); mask != 0 {
		s = add(b, s, mask)
	}
	p := b.Add(Softmax, nil, s)
	if a.Guard {
		p = b.Add(Where, nil, b.Add(IsNaN, nil, p), b.Scalar(b.DType(p), 0), p)
	}
	o := b.Add(MatMul, nil, p, permutedBy(b, n.In[2], a.PermV))
	return []graph.Value{permutedBy(b, o, a.PermO), p}, nil
}

func lowerFusedAttentionGrad(a *fusedAttentionAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	p := n.In[3]
	do, v := permutedBy(b, n.In[4], inversePerm(a.PermO)), permutedBy(b, n.In[2], a.PermV)
	dv := b.Add(MatMulDB, nil, p, do, v)
	dq, dk := gradScores(a, b, n.In[0], n.In[1], p, b.Add(MatMulDA, nil, do, v, p))
	return []graph.Value{dq, dk, permutedBy(b, dv, inversePerm(a.PermV))}, nil
}

// MatricesStay reports whether matrices, the last two axes after a Transpose by perm, have rows or columns in one piece before it.
func MatricesStay(perm []int) bool {
	n := len(perm)
	return n >= 2 && (perm[n-1] == n-1 || perm[n-2] == n-1)
}

// RowsStay reports whether rows, the last axis before a Transpose by perm, are in one piece after it.
func RowsStay(perm []int) bool {
	n := len(perm)
	return n >= 2 && perm[n-1] == n-1
}

// Composed is the permutation of a Transpose by first and then one by second, nil when they are none of the same axes.
func Composed(first, second []int) []int {
	if len(first) != len(second) {
		return nil
	}
	out := make([]int, len(first))
	for i, k := range second {
		if k < 0 || k >= len(first) {
			return nil
		}
		out[i] = first[k]
	}
	return out
}
