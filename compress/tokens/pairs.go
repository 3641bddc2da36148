package tokens

import (
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// keys are the keys of layer i, the mean over the heads: [B,N,d] in float32; "" where they do not lie so, and the tokens themselves serve.
func (e *editor) keys(i int) string {
	b := e.t.blocks[i]
	k := at(b.qk, 1)
	l := e.t.layout(k)
	if len(l) != 4 || l.axis() != 3 {
		return ""
	}
	x := e.of(b.qk).Input[1]
	if d := e.t.v.dtype(k); d != tensor.Float32 {
		x = e.cast("keys", x, tensor.Float32)
	}
	x = e.reduce("ReduceMean", "keys", x, false, 1)
	return e.add("Transpose", "keys", []string{x}, onnx.AttrInts("perm", 0, 2, 1))
}

// byPairs merges patches as ToMe does: every second one finds the most similar of the others, by keys, and those that are most similar are
// merged, weighted by their sizes.
func (e *editor) byPairs(x, size, keys string, n int, k Kept) (y, sizes string) {
	p := e.t.Prefix
	r := n - k.Merge // merged
	patches := n - p
	a, b := patches/2, (patches+1)/2 // every second one from the second on, and the others
	r = min(r, a)
	if keys == "" {
		keys = x
	}
	metric := e.add("Div", "unit", []string{keys, e.add("Max", "norm", []string{e.reduce("ReduceL2", "norm", keys, true, 2), e.float(1e-12)})})
	every := func(name, of string, from int) string {
		return e.add("Slice", name, []string{of, e.ints(p + from), e.ints(n), e.ints(1), e.ints(2)})
	}
	ma, mb := every("a_unit", metric, 1), every("b_unit", metric, 0)
	similar := e.add("MatMul", "similar", []string{ma, e.add("Transpose", "b_unit", []string{mb}, onnx.AttrInts("perm", 0, 2, 1))})
	most := e.reduce("ReduceMax", "most", similar, false, 2) // [B,a]
	to := e.add("ArgMax", "to", []string{similar}, onnx.AttrInt("axis", 2), onnx.AttrInt("keepdims", 0))
	order := e.adds("TopK", "order", 2, []string{most, e.ints(a)}, onnx.AttrInt("axis", -1))
	merged := e.slice("merged", order[1], 1, 0, r)
	take := func(name, of, index string) string {
		return e.add("GatherND", name, []string{of, e.add("Unsqueeze", "index", []string{index, e.ints(-1)})}, onnx.AttrInt("batch_dims", 1))
	}
	xa, xb := every("a", x, 1), every("b", x, 0)
	hot := e.hot(take("merged_to", to, merged), b) // [B,b,r]
	from := take("from", xa, merged)
	front, rest := []string(nil), 0
	if p > 0 {
		front = append(front, e.slice("front", x, 1, 0, p))
	}
	var others string
	if rest = a - r; rest > 0 {
		others = e.slice("rest", order[1], 1, r, a)
		front = append(front, take("rest", xa, others))
	}
	left := func(b string) string { return e.add("Concat", "left", append(front, b), onnx.AttrInt("axis", 1)) }
	if size == "" { // all are one
		total := e.add("Add", "total", []string{e.reduce("ReduceSum", "total", hot, true, 2), e.float(1)})
		sum := e.add("Add", "sum", []string{xb, e.add("MatMul", "sum", []string{hot, from})})
		sum = e.add("Div", "merged_b", []string{sum, total})
		return left(sum), e.padded(e.add("Squeeze", "total", []string{total, e.ints(-1)}), p+rest)
	}
	last := func(name, of string) string { return e.add("Unsqueeze", name, []string{of, e.ints(-1)}) }
	sa, sb := every("a_size", size, 1), last("b_size", every("b_size", size, 0))
	fromSize := last("from_size", take("from_size", sa, merged)) // [B,r,1]
	sum := e.add("MatMul", "sum", []string{hot, e.add("Mul", "weighted", []string{from, fromSize})})
	sum = e.add("Add", "sum", []string{e.add("Mul", "weighted_b", []string{xb, sb}), sum})
	total := e.add("Add", "total", []string{sb, e.add("MatMul", "total", []string{hot, fromSize})})
	sum = e.add("Div", "merged_b", []string{sum, total})
	var sizesOf []string
	if p > 0 {
		sizesOf = append(sizesOf, e.slice("front_size", size, 1, 0, p))
	}
	if rest > 0 {
		sizesOf = append(sizesOf, take("rest_size", sa, others))
	}
	sizesOf = append(sizesOf, e.add("Squeeze", "total", []string{total, e.ints(-1)}))
	return left(sum), e.add("Concat", "size", sizesOf, onnx.AttrInt("axis", 1))
}
