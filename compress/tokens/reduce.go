package tokens

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// importance is the attention that each patch gets in layer i, [B,patches]: from the tokens that the head reads, else from all, the mean
// over the heads. The rows of those tokens are computed once more, so that runtimes find the attention as it was.
func (e *editor) importance(i int, size string) (string, error) {
	return e.importanceOf(i, size, func(scores string) string {
		return e.add("Softmax", "row", []string{scores}, onnx.AttrInt("axis", -1))
	})
}

// importanceOf is importance with another softmax.
func (e *editor) importanceOf(i int, size string, softmax func(scores string) string) (string, error) {
	b, v := e.t.blocks[i], e.t.v
	probs := b.softmax.GetOutput()[0]
	l := slices.Clone(e.t.layout(probs))
	if l == nil {
		return "", &RefusedError{Node: label(b.softmax), Why: "its scores are not understood"}
	}
	if other := e.t.at[e.t.blocks[len(e.t.blocks)-1].softmax.GetOutput()[0]]; i == 0 && len(l) == 3 && extent(other[0]) == extent(l[0]) {
		l[0] = other[0] // heads and batch lie as in other layers
	}
	if len(e.t.Rows) > 0 {
		q := at(b.qk, 0)
		rank := len(e.t.layout(q))
		var part string
		if n := len(e.t.Rows); e.t.Rows[n-1]-e.t.Rows[0] == n-1 {
			part = e.slice("query", e.of(b.qk).Input[0], rank-2, e.t.Rows[0], e.t.Rows[0]+n)
		} else {
			part = e.add("Gather", "query", []string{e.of(b.qk).Input[0], e.ints(e.t.Rows...)}, onnx.AttrInt("axis", int64(rank-2)))
		}
		scores, err := e.again(b, part)
		if err != nil {
			return "", &RefusedError{Node: label(b.softmax), Why: err.Error()}
		}
		if size != "" {
			log, err := e.logSize(l, l[len(l)-1][0], v.dtype(at(b.softmax, 0)))
			if err != nil {
				return "", &RefusedError{Node: label(b.softmax), Why: err.Error()}
			}
			scores = e.add("Add", "row_scores", []string{scores, log})
		}
		probs = softmax(scores)
	} else if e.rowMask != "" {
		probs = e.add("Mul", "rows", []string{probs, e.add("Unsqueeze", "rows", []string{e.rowMask, e.ints(-1)})})
	}
	from := e.t.Tokens
	if i > 0 {
		from = e.counts[i-1]
	}
	if d := v.dtype(b.softmax.GetOutput()[0]); d != tensor.Float32 {
		probs = e.cast("row", probs, tensor.Float32)
	}
	imp, err := e.meanOverHeads(probs, l, len(l)-2, max(len(e.t.Rows), 1), from)
	if err != nil {
		return "", &RefusedError{Node: label(b.softmax), Why: err.Error()}
	}
	if e.t.Prefix > 0 {
		imp = e.slice("patches", imp, 1, e.t.Prefix, from)
	}
	return imp, nil
}

// meanOverHeads is the mean of x [B,H,rows,N], or [B·H,rows,N], over heads and rows: [B,N].
func (e *editor) meanOverHeads(x string, l layout, rows, k, n int) (string, error) {
	switch len(l) {
	case 4:
		return e.reduce("ReduceMean", "importance", x, false, 1, 2), nil
	case 3:
		heads, major, err := e.heads(l[0])
		if err != nil {
			return "", err
		}
		if len(e.t.Rows) == 0 {
			k = n
		}
		if major {
			x = e.add("Reshape", "heads", []string{x, e.ints(heads, -1, k, n)})
			return e.reduce("ReduceMean", "importance", x, false, 0, 2), nil
		}
		x = e.add("Reshape", "heads", []string{x, e.ints(-1, heads, k, n)})
		return e.reduce("ReduceMean", "importance", x, false, 1, 2), nil
	}
	return "", fmt.Errorf("its scores have rank %d", len(l))
}

// again computes the scores of the queries q: the product of a block and what follows it to its softmax.
func (e *editor) again(b block, q string) (string, error) {
	var chain []*onnxpb.NodeProto
	name := at(b.softmax, 0)
	for n := e.t.v.maker[name]; n != b.qk; n = e.t.v.maker[name] {
		chain = append(chain, n)
		found := false
		for _, in := range n.GetInput() {
			if m := e.t.v.maker[in]; m != nil && (m == b.qk || e.t.product0(in, 8) == b.qk) {
				name, found = in, true
				break
			}
		}
		if !found || len(chain) > 16 {
			return "", errors.New("what comes between it and the product of queries and keys is not understood")
		}
	}
	was, is := b.qk.GetOutput()[0], e.add("MatMul", "row_scores", []string{q, e.of(b.qk).Input[1]})
	for _, n := range slices.Backward(chain) {
		c := proto.Clone(n).(*onnxpb.NodeProto)
		for _, f := range e.t.allFixes() { // values without a row for each token
			if f.node == n && f.kind == fixValue {
				c.Input[f.at] = e.tensor(f.value)
			}
		}
		for i, in := range c.GetInput() {
			if in == was {
				c.Input[i] = is
			} else if len(e.t.layout(in).all()) > 0 {
				return "", errors.New("something with a row for each token is added to its scores")
			}
		}
		was = n.GetOutput()[0]
		is = e.fresh("row_scores")
		c.Name, c.Output = proto.String(is), []string{is}
		*e.into = append(*e.into, c)
	}
	return is, nil
}

// byRank leaves the k.Merge of [B,N,C] that DiffRate does, in front those that are no patches.
func (e *editor) byRank(x, size, importance string, n int, k Kept) (y, sizes string) {
	p, prune, merge := e.t.Prefix, k.Prune-e.t.Prefix, k.Merge-e.t.Prefix
	top := e.adds("TopK", "kept", 2, []string{importance, e.ints(prune)}, onnx.AttrInt("axis", -1), onnx.AttrInt("largest", 1),
		onnx.AttrInt("sorted", 1))
	index := e.add("Unsqueeze", "index", []string{top[1], e.ints(-1)})
	front, patches := "", x
	if p > 0 {
		front, patches = e.slice("front", x, 1, 0, p), e.slice("patches", x, 1, p, n)
	}
	join := func(name, a, b string) string {
		if a == "" {
			return e.add("Identity", name, []string{b})
		}
		return e.add("Concat", name, []string{a, b}, onnx.AttrInt("axis", 1))
	}
	take := func(name, of string) string {
		return e.add("GatherND", name, []string{of, index}, onnx.AttrInt("batch_dims", 1))
	}
	kept := take("ordered", patches)
	var frontSize, keptSize string // [B,·]
	if size != "" {
		if frontSize, keptSize = "", size; p > 0 {
			frontSize, keptSize = e.slice("front_size", size, 1, 0, p), e.slice("patch_size", size, 1, p, n)
		}
		keptSize = take("ordered_size", keptSize)
	}
	if prune > merge {
		kept, keptSize = e.merge(kept, keptSize, prune, merge)
	}
	switch {
	case size == "" && keptSize != "":
		keptSize = e.padded(keptSize, p)
	case keptSize != "":
		keptSize = join("size", frontSize, keptSize)
	}
	return join("left", front, kept), keptSize
}

// padded is sizes [B,n] with n ones in front.
func (e *editor) padded(size string, n int) string {
	if n == 0 {
		return size
	}
	return e.add("Pad", "size", []string{size, e.ints(0, n, 0, 0), e.float(1)})
}

// merge merges the last of x [B,n,C], all but k, each into the most similar of the first k: their plain mean, and the sum of the sizes,
// each times its similarity, at least one.
func (e *editor) merge(x, size string, n, k int) (y, sizes string) {
	norm := e.reduce("ReduceL2", "norm", x, true, 2)
	unit := e.add("Div", "unit", []string{x, e.add("Max", "norm", []string{norm, e.float(1e-12)})})
	to, from := e.slice("into", x, 1, 0, k), e.slice("from", x, 1, k, n)
	similar := e.add("MatMul", "similar", []string{e.slice("from_unit", unit, 1, k, n),
		e.add("Transpose", "into_unit", []string{e.slice("into_unit", unit, 1, 0, k)}, onnx.AttrInts("perm", 0, 2, 1))})
	most := e.reduce("ReduceMax", "most", similar, false, 2) // [B,n-k]
	at := e.add("ArgMax", "to", []string{similar}, onnx.AttrInt("axis", 2), onnx.AttrInt("keepdims", 0))
	hot := e.hot(at, k) // [B,k,n-k]
	count := e.add("Add", "count", []string{e.reduce("ReduceSum", "count", hot, true, 2), e.float(1)})
	y = e.add("Add", "sum", []string{to, e.add("MatMul", "sum", []string{hot, from})})
	y = e.add("Div", "merged", []string{y, count})
	more, own := most, e.float(1)
	if size != "" {
		more = e.add("Mul", "more", []string{e.slice("from_size", size, 1, k, n), most})
		own = e.slice("into_size", size, 1, 0, k)
	}
	more = e.add("MatMul", "more", []string{hot, e.add("Unsqueeze", "more", []string{more, e.ints(-1)})})
	more = e.add("Squeeze", "more", []string{more, e.ints(-1)})
	sizes = e.add("Add", "merged_size", []string{more, own})
	return y, e.add("Max", "merged_size", []string{sizes, e.float(1)})
}

// hot is [B,k,m] with a one where the index [B,m] is the row, else zero.
func (e *editor) hot(index string, k int) string {
	row := make([]int64, k)
	for i := range row {
		row[i] = int64(i)
	}
	is := e.add("Equal", "goes", []string{e.add("Unsqueeze", "to", []string{index, e.ints(1)}), e.tensor(tensor.From(row, 1, k, 1))})
	return e.cast("goes", is, tensor.Float32)
}

// allFixes are those of all layers.
func (t *ViT) allFixes() []fix {
	if t.near == nil {
		return t.fixes
	}
	return slices.Concat(t.near.fixes, t.fixes)
}
