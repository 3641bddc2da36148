package tokens

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// softEps keeps the masked softmax finite, as in the paper.
const softEps = 1e-6

// far is added to similarities with tokens that nothing may be merged into.
const far = -1e4

// softInputs are the inputs of a layer of a soft model, each [N]: masks of what is left after pruning and after merging, which of the
// ordered tokens are merged (1), and far for those that nothing is merged into.
type softInputs struct{ prune, merge, from, into string }

func softNames(i int) softInputs {
	n := fmt.Sprintf("tokens.%d.", i)
	return softInputs{n + "prune", n + "merge", n + "from", n + "into"}
}

// Soft is the model for learning: no token is taken out. In each layer the tokens are ordered and merged in place, and masks, inputs of the
// model, take part in every attention after them, so that there is a gradient by the masks. The shapes of the file stay as they are.
func (t *ViT) Soft() (*onnx.Model, error) {
	e := t.edit()
	e.counts = All(t.Layers, t.Tokens).counts()
	e.sizes = make([]string, t.Layers)
	s := &softener{editor: e, masks: make([]string, t.Layers)}
	size, mask := "", ""
	for i := range t.Layers {
		if e.sizes[i], s.masks[i] = size, mask; i < t.first {
			continue
		}
		if err := s.layer(i, size, mask); err != nil {
			return nil, err
		}
		size, mask = e.sizes[i], s.masks[i]
	}
	for _, f := range t.fixes {
		var err error
		switch f.kind {
		case fixValue: // one value for all tokens, which also serves the rows that are computed once more
			err = e.fix(f)
		case fixSoftmax:
			err = s.softmax(f)
		case fixPool:
			err = s.pool(f)
		}
		if err != nil {
			return nil, &RefusedError{Node: label(f.node), Why: err.Error()}
		}
	}
	for _, n := range t.v.g.GetNode() {
		if op := n.GetOpType(); (op == "ReduceMax" || op == "ReduceMin" || op == "GlobalMaxPool") && t.pools(n.GetInput()[0]) {
			return nil, &RefusedError{Node: label(n), Why: "rates are not learned through the largest of all tokens; take another search, as in " +
				"--method diffrate:search=greedy"}
		}
	}
	for i := t.first; i < t.Layers; i++ {
		n := softNames(i)
		for _, name := range []string{n.prune, n.merge, n.from, n.into} {
			e.g.Input = append(e.g.Input, onnx.ValueInfo(name, tensor.Float32, t.Tokens))
		}
	}
	return e.finish(), nil
}

// pools reports whether what is reduced has tokens that the reduction takes together.
func (t *ViT) pools(name string) bool { return len(t.at[name].all()) > 0 && t.Rows == nil }

// softener makes a soft model.
type softener struct {
	*editor
	masks []string // after each layer, [N]: the product of all masks; "" before the first
}

// layer orders and merges in place.
func (s *softener) layer(i int, size, mask string) error {
	e, b, names := s.editor, s.t.blocks[i], softNames(i)
	var importance string
	if err := e.put(b.softmax, true, fmt.Sprintf("tokens/%d", i), func() (err error) {
		e.rowMask = mask
		importance, err = e.importanceOf(i, size, func(scores string) string { return s.masked(scores, mask, false) })
		return err
	}); err != nil {
		return err
	}
	return e.put(b.add, true, fmt.Sprintf("tokens/%d", i), func() error {
		x, restore, err := e.rows(b, e.t.at[b.out])
		if err != nil {
			return err
		}
		p, n := e.t.Prefix, e.t.Tokens
		top := e.adds("TopK", "kept", 2, []string{importance, e.ints(n - p)}, onnx.AttrInt("axis", -1))
		index := top[1]
		if p > 0 { // those in front stay there: [B,p] of what they are
			index = e.add("Add", "index", []string{index, e.tensor(tensor.Scalar(int64(p)))})
			index = e.add("Pad", "index", []string{index, e.ints(0, p, 0, 0), e.tensor(tensor.Scalar(int64(0)))})
			row := tensor.New(tensor.Int64, 1, n)
			for j := range p {
				row.I64()[j] = int64(j)
			}
			index = e.add("Add", "index", []string{index, e.tensor(row)})
		}
		index = e.add("Unsqueeze", "index", []string{index, e.ints(-1)})
		take := func(name, of string) string {
			return e.add("GatherND", name, []string{of, index}, onnx.AttrInt("batch_dims", 1))
		}
		x = take("ordered", x)
		if size != "" {
			size = take("ordered_size", size)
		}
		y, sizes := s.merge(x, size, names)
		both := e.add("Mul", "mask", []string{names.prune, names.merge})
		if mask != "" {
			both = e.add("Mul", "mask", []string{mask, both})
		}
		e.sizes[i], s.masks[i] = sizes, both
		restore(y)
		return nil
	})
}

// merge is editor.merge in place, with which tokens take part as inputs: [B,N,C] and [B,N].
func (s *softener) merge(x, size string, names softInputs) (y, sizes string) {
	e := s.editor
	norm := e.reduce("ReduceL2", "norm", x, true, 2)
	unit := e.add("Div", "unit", []string{x, e.add("Max", "norm", []string{norm, e.float(1e-12)})})
	similar := e.add("MatMul", "similar", []string{unit, e.add("Transpose", "unit", []string{unit}, onnx.AttrInts("perm", 0, 2, 1))})
	similar = e.add("Add", "similar", []string{similar, names.into}) // [B,from,into]
	most := e.reduce("ReduceMax", "most", similar, false, 2)
	to := e.add("ArgMax", "to", []string{similar}, onnx.AttrInt("axis", 2), onnx.AttrInt("keepdims", 0))
	hot := e.add("Mul", "goes", []string{e.hot(to, e.t.Tokens), names.from}) // [B,into,from]
	count := e.add("Add", "count", []string{e.reduce("ReduceSum", "count", hot, true, 2), e.float(1)})
	y = e.add("Div", "merged", []string{e.add("Add", "sum", []string{x, e.add("MatMul", "sum", []string{hot, x})}), count})
	more, own := most, e.float(1)
	if size != "" {
		more, own = e.add("Mul", "more", []string{size, most}), size
	}
	more = e.add("Squeeze", "more", []string{e.add("MatMul", "more", []string{hot, e.add("Unsqueeze", "more", []string{more, e.ints(-1)})}),
		e.ints(-1)})
	return y, e.add("Max", "size", []string{e.add("Add", "size", []string{own, more}), e.float(1)})
}

// masked is the softmax of scores [...,rows,N] over the last axis, in which tokens count as the mask [N] says. With diagonal each counts
// for itself. The largest score is that of those that count, and others are taken for as large at most: where attention is sharp and goes
// to what is masked, nothing is left otherwise, and the derivative by the mask has no bound. For scores of which the largest counts it is
// MaskedSoftmax.
func (s *softener) masked(scores, mask string, diagonal bool) string {
	e := s.editor
	if mask == "" {
		return e.add("Softmax", "row", []string{scores}, onnx.AttrInt("axis", -1))
	}
	if diagonal {
		n := e.t.Tokens
		eye, rest := tensor.New(tensor.Float32, n, n), tensor.New(tensor.Float32, n, n)
		for i := range n * n {
			eye.F32()[i], rest.F32()[i] = 0, 1
			if i%(n+1) == 0 {
				eye.F32()[i], rest.F32()[i] = 1, 0
			}
		}
		mask = e.add("Add", "mask", []string{e.add("Mul", "mask", []string{mask, e.tensor(rest)}), e.tensor(eye)})
	}
	// most…: no gradient goes there, see learner.detached
	gone := e.add("Mul", "most_far", []string{e.add("Sub", "most_far", []string{mask, e.float(1)}), e.float(-far)})
	top := e.reduce("ReduceMax", "most", e.add("Add", "most", []string{scores, gone}), true, -1)
	below := e.add("Min", "below", []string{e.add("Sub", "below", []string{scores, top}), e.float(0)})
	exp := e.add("Mul", "counted", []string{e.add("Exp", "exp", []string{below}), mask})
	sum := e.add("Add", "total", []string{e.reduce("ReduceSum", "total", exp, true, -1), e.float(softEps)})
	return e.add("Div", "masked", []string{e.add("Add", "counted", []string{exp, e.float(float32(softEps / float64(e.t.Tokens)))}), sum})
}

// softmax puts the masked one in the place of a softmax over tokens.
func (s *softener) softmax(f fix) error {
	e := s.editor
	mask := s.masks[f.token.seg-1]
	if mask == "" {
		return nil
	}
	if f.axis != len(f.in)-1 || f.token.off != 0 {
		return errors.New("it is not over all tokens on the last axis")
	}
	if d := e.t.v.dtype(at(f.node, 0)); d != tensor.Float32 {
		return errors.New("rates are not learned in half precision; take another search, as in --method diffrate:search=greedy")
	}
	n := e.of(f.node)
	return e.put(f.node, true, fmt.Sprintf("tokens/%d", f.token.seg), func() error {
		scores := n.Input[0]
		log, err := e.logSize(f.in, f.token, tensor.Float32)
		if err != nil {
			return err
		}
		if log != "" {
			scores = e.add("Add", "scores", []string{scores, log})
		}
		probs := s.masked(scores, mask, len(tokens(f.in[len(f.in)-2])) > 0)
		out := n.Output[0]
		n.Output[0] = e.fresh("unmasked")
		*e.into = append(*e.into, onnx.NewNode("Identity", e.fresh("probs"), []string{probs}, []string{out}))
		return nil
	})
}

// pool has a mean over the tokens weigh each by its size and mask.
func (s *softener) pool(f fix) error {
	e := s.editor
	seg := f.token.seg - 1
	if s.masks[seg] == "" {
		return nil
	}
	size := e.sizes[seg]
	if err := e.put(f.node, false, "tokens/pool", func() error {
		e.sizes[seg] = e.add("Mul", "counted", []string{size, s.masks[seg]})
		return nil
	}); err != nil {
		return err
	}
	err := e.weigh(f)
	e.sizes[seg] = size
	return err
}
