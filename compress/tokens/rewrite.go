package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// MetadataKey is the key of the metadata in which the schedule of a model with fewer tokens stands, as JSON.
const MetadataKey = "gtk.diffrate"

// Way is how tokens are left out.
type Way int

const (
	// ByRank orders the patches by the attention that they get: the last are left out, those before them merged into the most similar of
	// the first (DiffRate).
	ByRank Way = iota
	// ByPairs merges the most similar pairs of every other patch with the rest (ToMe).
	ByPairs
)

// Rewrite is the model with the tokens of a schedule. The rest of the file is as it was; shapes are constants, the batch stays as free as
// it is. With all set, layers that lose nothing order their tokens too, for a test.
func (t *ViT) Rewrite(s Schedule, way Way, all bool) (*onnx.Model, error) {
	if len(s) != t.Layers {
		return nil, fmt.Errorf("tokens: a schedule of %d layers for a model with %d", len(s), t.Layers)
	}
	if !slices.Equal(s, t.settled(s)) {
		return nil, fmt.Errorf("tokens: schedule %v: counts must not rise, be %d in the first %d layers and %d at least", s, t.Tokens, t.first,
			t.least())
	}
	e := t.edit()
	e.counts = s.counts()
	e.sizes = make([]string, t.Layers)
	from, size := t.Tokens, ""
	for i := range t.Layers {
		e.sizes[i] = size
		if i >= t.first {
			if err := e.layer(i, from, size, s[i], way, all); err != nil {
				return nil, err
			}
		}
		from, size = s[i].Merge, e.sizes[i]
	}
	for _, f := range t.fixes {
		if err := e.fix(f); err != nil {
			return nil, &RefusedError{Node: label(f.node), Why: err.Error()}
		}
	}
	m := e.finish()
	kept, err := json.Marshal(map[string]any{"kept": s, "tokens": t.Tokens, "prefix": t.Prefix, "way": []string{"rank", "pairs"}[way]})
	if err != nil {
		return nil, err
	}
	m.SetMetadata(MetadataKey, string(kept))
	return m, nil
}

// layer puts in what leaves tokens out after attention layer i. It must run before the softmaxes of later layers are fixed.
func (e *editor) layer(i, from int, size string, k Kept, way Way, all bool) error {
	if k.Merge == from && !all {
		return nil
	}
	b := e.t.blocks[i]
	l := e.t.at[b.out]
	var importance string
	if way == ByRank {
		if err := e.put(b.softmax, true, fmt.Sprintf("tokens/%d", i), func() (err error) {
			importance, err = e.importance(i, size)
			return err
		}); err != nil {
			return err
		}
	}
	return e.put(b.add, true, fmt.Sprintf("tokens/%d", i), func() error {
		x, restore, err := e.rows(b, l)
		if err != nil {
			return err
		}
		var y string
		if way == ByRank {
			y, size = e.byRank(x, size, importance, from, k)
		} else {
			y, size = e.byPairs(x, size, e.keys(i), from, k)
		}
		e.sizes[i] = size
		restore(y)
		return nil
	})
}

// rows is the sum after an attention layer as [B,N,C] in float32. restore gives what takes its place the form and the name of the sum.
func (e *editor) rows(b block, l layout) (x string, restore func(y string), err error) {
	n := e.of(b.add)
	x = e.fresh("all")
	n.Output[0] = x
	axis := l.axis()
	d := e.t.v.dtype(b.out)
	var perm []int64 // to [B,N,C]
	switch {
	case axis < 0 || len(l) < 2 || len(l) > 3:
		return "", nil, &RefusedError{Node: label(b.add), Why: fmt.Sprintf("the tokens are no axis of its output of shape %v",
			e.t.v.shapes[b.out])}
	case len(l) == 2 && axis == 0:
		x = e.add("Unsqueeze", "batched", []string{x, e.ints(0)})
	case len(l) == 3 && axis == 0:
		perm = []int64{1, 0, 2}
	case len(l) == 3 && axis == 2:
		perm = []int64{0, 2, 1}
	case len(l) == 2:
		return "", nil, &RefusedError{Node: label(b.add), Why: "its output has neither batch nor channels"}
	}
	if perm != nil {
		x = e.add("Transpose", "rows", []string{x}, onnx.AttrInts("perm", perm...))
	}
	if d != tensor.Float32 {
		x = e.cast("float", x, tensor.Float32)
	}
	return x, func(y string) {
		if d != tensor.Float32 {
			y = e.cast("narrow", y, d)
		}
		if perm != nil {
			y = e.add("Transpose", "as_before", []string{y}, onnx.AttrInts("perm", perm...))
		}
		last := slices.IndexFunc(*e.into, func(n *onnxpb.NodeProto) bool { return n.GetOutput()[0] == y })
		if len(l) == 2 {
			*e.into = append(*e.into, onnx.NewNode("Squeeze", e.fresh("left"), []string{y, e.ints(0)}, []string{b.out}))
			return
		}
		(*e.into)[last].Output[0] = b.out
	}, nil
}

// fix makes one node fit the tokens that are left.
func (e *editor) fix(f fix) error {
	n := e.of(f.node)
	e.prefix = "tokens"
	switch f.kind {
	case fixShape:
		n.Input[f.at] = e.ints(e.dims(f)...)
		n.Attribute = slices.DeleteFunc(n.Attribute, func(a *onnxpb.AttributeProto) bool { return a.GetName() == "allowzero" })
	case fixValue:
		n.Input[f.at] = e.tensor(f.value)
	case fixEnds:
		n.Input[f.at] = e.tensor(f.value)
	case fixSplit:
		v := slices.Clone(f.value.I64())
		v[f.rest] = int64(e.left(f.token))
		if len(n.Input) < 2 {
			n.Input = append(n.Input, "")
		}
		n.Input[1] = e.tensor(tensor.From(v, len(v)))
		n.Attribute = slices.DeleteFunc(n.Attribute, func(a *onnxpb.AttributeProto) bool { return a.GetName() == "num_outputs" })
	case fixCount:
		return e.count(f)
	case fixSoftmax:
		return e.attend(f)
	case fixPool:
		return e.weigh(f)
	}
	return nil
}

// count has a Shape say what it said before: shapes of what has fewer tokens are constants, and what else reads it is meant as it was.
func (e *editor) count(f fix) error {
	times, by := make([]int, len(f.in)), make([]int, len(f.in))
	for i, fs := range f.in {
		times[i], by[i] = 1, 1
		for _, x := range tokens(fs) {
			times[i], by[i] = times[i]*x.n, by[i]*e.left(x)
		}
	}
	if slices.Equal(times, by) {
		return nil
	}
	return e.put(f.node, true, "tokens/count", func() error {
		n := e.of(f.node)
		out := n.Output[0]
		n.Output[0] = e.fresh("shape")
		x := e.add("Mul", "shape", []string{n.Output[0], e.ints(times...)})
		*e.into = append(*e.into, onnx.NewNode("Div", e.fresh("shape"), []string{x, e.ints(by...)}, []string{out}))
		return nil
	})
}

// left is how many tokens a factor counts.
func (e *editor) left(f factor) int { return e.counts[f.seg-1] - f.off }

// dims is the shape of a Reshape or Expand: 0 or -1 for the batch, if it is free.
func (e *editor) dims(f fix) []int {
	var out []int
	for i, fs := range f.layout {
		n, batch := 1, false
		for _, x := range fs {
			switch {
			case x.tok:
				n *= e.left(x)
			case e.t.v.free && x.n%batchSize == 0:
				batch = true
			default:
				n *= x.n
			}
		}
		switch {
		case batch && f.node.GetOpType() == "Expand":
			n = 1
		case batch:
			n = -1
			if i < len(f.in) && slices.Equal(f.in[i], fs) {
				n = 0
			}
		}
		out = append(out, n)
	}
	return out
}

// logSize is the logarithm of the sizes of the tokens of a segment as what is added to scores of layout l, "" where all sizes are one.
func (e *editor) logSize(l layout, token factor, d tensor.DType) (string, error) {
	size := e.sizes[token.seg-1]
	if size == "" {
		return "", nil
	}
	if token.off != 0 {
		return "", errors.New("it attends to a part of the tokens")
	}
	key := fmt.Sprint(size, len(l), l[0], d)
	if name, ok := e.logs[key]; ok {
		return name, nil
	}
	x := e.add("Log", "log_size", []string{size}) // [B,N]
	switch {
	case len(l) == 4:
		x = e.add("Unsqueeze", "log_size", []string{x, e.ints(1, 2)})
	case len(l) == 3:
		heads, major, err := e.heads(l[0])
		if err != nil {
			return "", err
		}
		n := e.left(token)
		if major { // [H·B,1,N]
			x = e.add("Expand", "log_size", []string{e.add("Unsqueeze", "log_size", []string{x, e.ints(0)}), e.ints(heads, 1, 1)})
		} else {
			x = e.add("Expand", "log_size", []string{e.add("Unsqueeze", "log_size", []string{x, e.ints(1)}), e.ints(1, heads, 1)})
		}
		x = e.add("Reshape", "log_size", []string{x, e.ints(-1, 1, n)})
	default:
		return "", fmt.Errorf("its scores have rank %d", len(l))
	}
	if d != tensor.Float32 {
		x = e.cast("log_size", x, d)
	}
	e.logs[key] = x
	return x, nil
}

// heads is how many heads the first axis of [batch·heads,N,N] has, and whether they are its outer part.
func (e *editor) heads(fs []factor) (n int, major bool, err error) {
	n = extent(fs)
	if !e.t.v.free {
		return n / max(1, e.t.batch()), false, nil
	}
	k := slices.IndexFunc(fs, func(f factor) bool { return f.n%batchSize == 0 })
	if k < 0 {
		return 0, false, errors.New("its scores have no axis of the batch")
	}
	if n /= batchSize; fs[k].n != batchSize || len(fs) > 2 {
		return 0, false, errors.New("batch and heads are mixed in its first axis")
	}
	return n, k > 0, nil
}

// batch is the number of examples that the file fixes.
func (t *ViT) batch() int {
	b := t.blocks[0].out
	n := 1
	for i, fs := range t.at[b] {
		if i != len(t.at[b])-1 {
			for _, f := range fs {
				if !f.tok {
					n *= f.n
				}
			}
		}
	}
	return n
}

// attend has a softmax over the tokens count each as often as patches it stands for.
func (e *editor) attend(f fix) error {
	if e.sizes[f.token.seg-1] == "" {
		return nil
	}
	return e.put(f.node, false, fmt.Sprintf("tokens/%d", f.token.seg), func() error {
		n := e.of(f.node)
		log, err := e.logSize(f.in, f.token, e.t.v.dtype(at(f.node, 0)))
		if err != nil || log == "" {
			return err
		}
		if f.axis != len(f.in)-1 {
			return errors.New("it is not over the last axis")
		}
		n.Input[0] = e.add("Add", "scores", []string{n.Input[0], log})
		return nil
	})
}

// weigh has a mean over the tokens weigh each by the patches it stands for, and a sum be what the mean says for as many as there were.
func (e *editor) weigh(f fix) error {
	size := e.sizes[f.token.seg-1]
	left := e.left(f.token)
	sum := f.node.GetOpType() == "ReduceSum" && left != f.token.n
	if size == "" && !sum {
		return nil
	}
	return e.put(f.node, false, "tokens/pool", func() error {
		n := e.of(f.node)
		d := e.t.v.dtype(at(f.node, 0))
		if size == "" {
			w, err := tensor.Scalar(float32(f.token.n) / float32(left)).Convert(d)
			if err != nil {
				return err
			}
			n.Input[0] = e.add("Mul", "weighted", []string{n.Input[0], e.tensor(w)})
			return nil
		}
		if f.token.off > 0 {
			size = e.slice("size", size, 1, f.token.off, f.token.off+left)
		}
		size = e.add("Div", "weight", []string{size, e.reduce("ReduceMean", "mean", size, true, 1)})
		if sum {
			size = e.add("Mul", "weight", []string{size, e.float(float32(f.token.n) / float32(left))})
		}
		shape, seen := []int{}, false
		for i, fs := range f.in {
			switch {
			case i == f.axis:
				shape, seen = append(shape, left), true
			case e.t.v.free && slices.ContainsFunc(fs, func(x factor) bool { return x.n == batchSize }):
				if seen {
					size = e.add("Transpose", "weight", []string{size})
				}
				shape = append(shape, -1)
			case !e.t.v.free && i == 0 && extent(fs) == e.t.batch() && f.axis != 0:
				shape = append(shape, extent(fs))
			default:
				shape = append(shape, 1)
			}
		}
		w := e.add("Reshape", "weight", []string{size, e.ints(shape...)})
		if d != tensor.Float32 {
			w = e.cast("weight", w, d)
		}
		n.Input[0] = e.add("Mul", "weighted", []string{n.Input[0], w})
		return nil
	})
}
