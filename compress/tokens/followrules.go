package tokens

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// rule is how tokens go through an operator.
type rule func(f *follower, n *onnxpb.NodeProto) ([]layout, error)

var rules map[string]rule

func init() {
	rules = map[string]rule{
		"MatMul": matMul, "MatMulInteger": matMul, "Gemm": gemm, "Softmax": softmax, "LogSoftmax": softmax,
		"LayerNormalization": normalisation, "RMSNormalization": normalisation, "SimplifiedLayerNormalization": normalisation,
		"LpNormalization": normalisation, "Hardmax": normalisation,
		"Transpose": transpose, "Reshape": reshape, "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape, "Expand": expand,
		"Slice": slice, "Gather": gather, "Split": split, "Concat": concat, "Shape": shapeOf,
		"ReduceMean": reduce, "ReduceSum": reduce, "ReduceMax": reduce, "ReduceMin": reduce, "ReduceL2": reduce, "ReduceSumSquare": reduce,
		"GlobalAveragePool": globalPool, "GlobalMaxPool": globalPool,
		"QuantizeLinear": quantise, "DequantizeLinear": quantise, "DynamicQuantizeLinear": quantise,
	}
}

// axisOf is an axis counted from the front.
func axisOf(a, rank int) (int, error) {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fmt.Errorf("axis %d of rank %d", a, rank)
	}
	return a, nil
}

// matMul has the rows of the first and the columns of the second input.
func matMul(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	a, _ := f.layoutOf(at(n, 0))
	b, _ := f.layoutOf(at(n, 1))
	if len(a) < 2 || len(b) < 2 {
		return nil, errors.New("one of its inputs is a vector")
	}
	ka, kb := a[len(a)-1], b[len(b)-2]
	if ta, tb := tokens(ka), tokens(kb); len(ta) > 0 || len(tb) > 0 {
		if !slices.Equal(ka, kb) {
			if len(ta) > 0 && len(tb) > 0 {
				return nil, f.mixed(ka, kb)
			}
			return nil, errors.New("it mixes the tokens of a picture by weights for a fixed number of them")
		}
	}
	rank := max(len(a), len(b))
	out := make(layout, rank)
	out[rank-2], out[rank-1] = a[len(a)-2], b[len(b)-1]
	for i := range rank - 2 {
		for _, l := range []layout{a, b} {
			k := i - rank + len(l)
			if k < 0 || extent(l[k]) == 1 && len(tokens(l[k])) == 0 {
				continue
			}
			if t := len(tokens(l[k])) > 0; (t || len(tokens(out[i])) > 0) && len(out[i]) > 0 && !slices.Equal(out[i], l[k]) {
				return nil, errors.New("it has one matrix for each token")
			}
			out[i] = l[k]
		}
	}
	if len(tokens(ka)) > 0 && len(out.all()) == 0 {
		f.pooled = append(f.pooled, label(n)) // by attention of a few queries
	}
	f.count(append(slices.Concat(out...), ka...))
	return []layout{out}, nil
}

// count adds the multiply-accumulate operations of a product of extents.
func (f *follower) count(fs []factor) {
	t := term{coef: 1}
	for _, x := range fs {
		if x.tok {
			t.tokens = append(t.tokens, x)
		} else {
			t.coef *= float64(x.n)
		}
	}
	if f.v.free {
		t.coef /= batchSize
	}
	f.terms = append(f.terms, t)
}

func gemm(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	a, _ := f.layoutOf(at(n, 0))
	b, known := f.layoutOf(at(n, 1))
	if attrInt(n, "transA", 0) != 0 || known && len(b.all()) > 0 {
		return nil, errors.New("the tokens are not the rows of its first input")
	}
	if len(tokens(a[1])) > 0 {
		return nil, errors.New("it mixes the tokens of a picture by weights for a fixed number of them")
	}
	columns := b[1]
	if attrInt(n, "transB", 0) != 0 {
		columns = b[0]
	}
	if c := at(n, 2); c != "" {
		if s := f.v.shapes[c]; len(s) == 2 && s[0] > 1 {
			return nil, errors.New("its third input has a row for each token")
		}
	}
	out := layout{a[0], columns}
	f.count(slices.Concat(a[0], columns, a[1]))
	return []layout{out}, nil
}

// softmax over the tokens is attention.
func softmax(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	k, err := axisOf(attrInt(n, "axis", -1), len(l))
	if err != nil {
		return nil, err
	}
	if t := tokens(l[k]); len(t) > 0 {
		if len(l[k]) != 1 || n.GetOpType() != "Softmax" {
			return nil, errors.New("it runs over tokens and something else together")
		}
		f.fixes = append(f.fixes, fix{kind: fixSoftmax, node: n, in: l, axis: k, token: t[0]})
	}
	return []layout{l}, nil
}

// normalisation must be over axes behind the tokens.
func normalisation(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	k, err := axisOf(attrInt(n, "axis", -1), len(l))
	if err != nil {
		return nil, err
	}
	for i := k; i < len(l); i++ {
		if len(tokens(l[i])) > 0 {
			return nil, errors.New("it normalises over the tokens")
		}
	}
	out := []layout{l}
	for range min(2, len(n.GetOutput())-1) { // mean and deviation
		m := slices.Clone(l)
		for i := k; i < len(m); i++ {
			m[i] = nil
		}
		out = append(out, m)
	}
	return out, nil
}

func transpose(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	out := make(layout, len(l))
	perm := attr(n, "perm").GetInts()
	for i := range out {
		from := len(l) - 1 - i
		if len(perm) == len(l) {
			from = int(perm[i])
		}
		if from < 0 || from >= len(l) {
			return nil, errors.New("its perm does not fit")
		}
		out[i] = l[from]
	}
	return []layout{out}, nil
}

// reshape changes the axes and not the order of the elements.
func reshape(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	out, err := l.regroup(f.v.shapes[n.GetOutput()[0]])
	if err != nil {
		return nil, err
	}
	if n.GetOpType() == "Reshape" && len(out.all()) > 0 {
		f.fixes = append(f.fixes, fix{kind: fixShape, node: n, at: 1, in: l, layout: out})
	}
	return []layout{out}, nil
}

func expand(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	s := f.v.shapes[n.GetOutput()[0]]
	out := plain(s)
	for k := range l {
		if a := k + len(s) - len(l); len(tokens(l[k])) > 0 || extent(l[k]) > 1 {
			out[a] = l[k]
		}
	}
	if len(out.all()) > 0 {
		f.fixes = append(f.fixes, fix{kind: fixShape, node: n, at: 1, in: l, layout: out})
	}
	return []layout{out}, nil
}

func slice(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	s := f.v.shapes[n.GetOutput()[0]]
	starts, ok1 := f.v.ints(at(n, 1))
	ends, ok2 := f.v.ints(at(n, 2))
	axes, steps, ok3, ok4 := []int(nil), []int(nil), true, true
	if at(n, 3) != "" {
		axes, ok3 = f.v.ints(at(n, 3))
	}
	if at(n, 4) != "" {
		steps, ok4 = f.v.ints(at(n, 4))
	}
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, errors.New("where it begins and ends is computed from the example")
	}
	out := slices.Clone(l)
	var open []int
	for i := range starts {
		k := i
		if axes != nil {
			k = axes[i]
		}
		k, err := axisOf(k, len(l))
		if err != nil {
			return nil, err
		}
		if len(tokens(l[k])) == 0 {
			out[k] = plain(s[k : k+1])[0]
			if extent(l[k]) == s[k] {
				out[k] = l[k]
			}
			continue
		}
		if len(l[k]) != 1 || steps != nil && steps[i] != 1 {
			return nil, errors.New("it takes some of the tokens by their position")
		}
		t := l[k][0]
		from, to := clampTo(starts[i], t.n), clampTo(ends[i], t.n)
		fs, err := f.part(t, from, to)
		if err != nil {
			return nil, err
		}
		if out[k] = fs; len(tokens(fs)) > 0 {
			open = append(open, i)
		}
	}
	if len(open) > 0 {
		e := make([]int64, len(ends))
		for i, x := range ends {
			if e[i] = int64(x); slices.Contains(open, i) {
				e[i] = math.MaxInt64
			}
		}
		f.fixes = append(f.fixes, fix{kind: fixEnds, node: n, at: 2, value: tensor.From(e, len(e))})
	}
	return []layout{out}, nil
}

func clampTo(i, n int) int {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

// part is what is left of the tokens t from one position to another: some of those in front, or all from one of those on.
func (f *follower) part(t factor, from, to int) ([]factor, error) {
	first := f.prefix - t.off // of the patches
	switch {
	case to <= first:
		for i := from; i < to; i++ {
			f.rows[i+t.off] = true
		}
		if to-from == 1 {
			return nil, nil
		}
		return []factor{{n: to - from}}, nil
	case to == t.n && from <= first:
		t.off, t.n = t.off+from, t.n-from
		return []factor{t}, nil
	}
	return nil, fmt.Errorf("it takes tokens %d to %d of %d by their position, and the patches change places", from, to, t.n)
}

func gather(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, known := f.layoutOf(at(n, 0))
	ix, _ := f.layoutOf(at(n, 1))
	if !known || len(ix.all()) > 0 {
		return nil, errors.New("it looks tokens up in a table")
	}
	k, err := axisOf(attrInt(n, "axis", 0), len(l))
	if err != nil {
		return nil, err
	}
	if t := tokens(l[k]); len(t) > 0 {
		at, ok := f.v.ints(at(n, 1))
		if !ok || len(l[k]) != 1 {
			return nil, errors.New("which tokens it takes depends on the example")
		}
		for _, i := range at {
			if i < 0 {
				i += t[0].n
			}
			if _, err := f.part(t[0], i, i+1); err != nil || i >= f.prefix-t[0].off {
				return nil, fmt.Errorf("it takes token %d of %d by its position, and the patches change places", i, t[0].n)
			}
		}
	}
	return []layout{slices.Concat(l[:k], ix, l[k+1:])}, nil
}

func split(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	k, err := axisOf(attrInt(n, "axis", 0), len(l))
	if err != nil {
		return nil, err
	}
	out := make([]layout, len(n.GetOutput()))
	t := tokens(l[k])
	from, rest := 0, -1
	sizes := make([]int64, len(out))
	for i, o := range n.GetOutput() {
		s, ok := f.v.shapes[o]
		if !ok {
			return nil, errors.New("all its outputs must be named")
		}
		out[i] = slices.Clone(l)
		sizes[i] = int64(s[k])
		if len(t) == 0 {
			out[i][k] = plain(s[k : k+1])[0]
			continue
		}
		if len(l[k]) != 1 {
			return nil, errors.New("it divides the tokens")
		}
		if out[i][k], err = f.part(t[0], from, from+s[k]); err != nil {
			return nil, err
		}
		if len(tokens(out[i][k])) > 0 {
			rest = i
		}
		from += s[k]
	}
	if rest >= 0 {
		f.fixes = append(f.fixes, fix{kind: fixSplit, node: n, at: 1, value: tensor.From(sizes, len(sizes)), rest: rest, token: out[rest][k][0]})
	}
	return out, nil
}

func concat(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	rank := len(f.v.shapes[n.GetOutput()[0]])
	k, err := axisOf(attrInt(n, "axis", 0), rank)
	if err != nil {
		return nil, err
	}
	var out layout
	sum := 0
	for _, in := range n.GetInput() {
		l, _ := f.layoutOf(in)
		if len(tokens(l[k])) > 0 {
			return nil, errors.New("it puts something beside the tokens (a class token that joins later, or tokens of several scales)")
		}
		sum += extent(l[k])
		if out == nil {
			out = slices.Clone(l)
			continue
		}
		for a := range out {
			if a != k && !slices.Equal(out[a], l[a]) {
				if len(tokens(out[a])) > 0 && len(tokens(l[a])) > 0 {
					return nil, f.mixed(out[a], l[a])
				}
				if len(tokens(out[a])) > 0 || len(tokens(l[a])) > 0 {
					return nil, errors.New("it puts something beside the tokens that has their number and is none")
				}
			}
		}
	}
	out[k] = plain(tensor.Shape{sum})[0]
	return []layout{out}, nil
}

// shapeOf gives numbers that are none of the tokens.
func shapeOf(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	from, to := attrInt(n, "start", 0), attrInt(n, "end", len(l))
	from, to = clampTo(from, len(l)), clampTo(to, len(l))
	if from < to && len(l[from:to].all()) > 0 {
		f.fixes = append(f.fixes, fix{kind: fixCount, node: n, in: l[from:to]})
	}
	return nil, nil
}

// reduce over other axes leaves the tokens; over the tokens it is a pooling.
func reduce(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	var axes []int
	if a := attr(n, "axes"); a != nil {
		for _, x := range a.GetInts() {
			axes = append(axes, int(x))
		}
	} else if in := at(n, 1); in != "" {
		x, ok := f.v.ints(in)
		if !ok {
			return nil, errors.New("its axes are computed")
		}
		axes = x
	}
	if len(axes) == 0 {
		if attrInt(n, "noop_with_empty_axes", 0) != 0 {
			return []layout{l}, nil
		}
		for i := range l {
			axes = append(axes, i)
		}
	}
	out := slices.Clone(l)
	gone := make([]bool, len(l))
	for _, a := range axes {
		a, err := axisOf(a, len(l))
		if err != nil {
			return nil, err
		}
		if t := tokens(l[a]); len(t) > 0 {
			if err := f.pool(n, l, a); err != nil {
				return nil, err
			}
		}
		out[a], gone[a] = nil, true
	}
	if attrInt(n, "keepdims", 1) == 0 {
		kept := layout{}
		for i := range out {
			if !gone[i] {
				kept = append(kept, out[i])
			}
		}
		out = kept
	}
	return []layout{out}, nil
}

// pool notes that n reduces the tokens, axis a of its first input.
func (f *follower) pool(n *onnxpb.NodeProto, l layout, a int) error {
	if len(l[a]) != 1 || len(l.all()) != 1 {
		return errors.New("it reduces pairs of tokens, or tokens together with something else")
	}
	switch n.GetOpType() {
	case "ReduceMean", "ReduceSum", "GlobalAveragePool":
		f.fixes = append(f.fixes, fix{kind: fixPool, node: n, in: l, axis: a, token: l[a][0]})
	case "ReduceMax", "ReduceMin", "GlobalMaxPool":
	default:
		return errors.New("it reduces the tokens")
	}
	f.pooled = append(f.pooled, label(n))
	return nil
}

func globalPool(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	if len(l) < 3 || len(tokens(l[0])) > 0 || len(tokens(l[1])) > 0 {
		return nil, errors.New("the tokens are not what it pools")
	}
	out := layout{l[0], l[1]}
	for a := 2; a < len(l); a++ {
		if len(tokens(l[a])) > 0 {
			if err := f.pool(n, l, a); err != nil {
				return nil, err
			}
		}
		out = append(out, nil)
	}
	return []layout{out}, nil
}

// quantise is elementwise with one scale for all tokens.
func quantise(f *follower, n *onnxpb.NodeProto) ([]layout, error) {
	l, _ := f.layoutOf(at(n, 0))
	if s := f.v.shapes[at(n, 1)]; len(s) == 1 && s[0] > 1 {
		k, err := axisOf(attrInt(n, "axis", 1), len(l))
		if err != nil {
			return nil, err
		}
		if len(tokens(l[k])) > 0 {
			return nil, errors.New("it has a scale for each token")
		}
	}
	return []layout{l}, nil
}
