package tokens

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// ViT is a transformer over the patches of a picture, or other tokens, found in a file: what has to change in it where there are fewer.
type ViT struct {
	Tokens int   // of an example, N
	Prefix int   // of them in front that are not patches: the class token, distillation and register tokens
	Rows   []int // of the prefix, those that the head reads, one by one; nil where it reads the mean over the patches
	Width  int   // numbers in a token
	Layers int   // attention layers; the tokens can be fewer after each but the first
	Notes  []string

	v      *view
	blocks []block
	fixes  []fix
	terms  []term
	at     map[string]layout
	first  int       // layer after which tokens may be fewer: the second, or the first where a target asks for it
	near   *follower // in the first attention layer, up to its softmax; nil where that is not understood
}

// block is one attention layer: softmax(q·k)·v, and the sum with what went in.
type block struct {
	qk, softmax *onnxpb.NodeProto
	probs       string // what is multiplied by v
	add         *onnxpb.NodeProto
	out         string // of add
}

// Find finds the attention layers of a file, in which m is not changed, and the way of the tokens through it. A *RefusedError says what is
// in the way. The caller closes the ViT. Operators of whole attention are written out; the file of the ViT has them so.
func Find(m *onnx.Model, threads int) (*ViT, error) {
	file, notes, err := plainFile(m, threads)
	if err != nil {
		return nil, err
	}
	v, err := newView(file, threads)
	if err != nil {
		return nil, &RefusedError{Why: err.Error()}
	}
	t := &ViT{v: v, Notes: notes}
	if err := t.find(); err != nil {
		v.close()
		return nil, err
	}
	return t, nil
}

// Close gives up what the ViT holds.
func (t *ViT) Close() { t.v.close() }

// File is the file in which the layers were found.
func (t *ViT) File() *onnx.Model { return t.v.file }

func (t *ViT) find() error {
	v := t.v
	first, others := t.cores()
	if first == nil {
		return &RefusedError{Why: "no attention over a fixed number of tokens was found (a Softmax of [batch,heads,N,N] and a MatMul after it)" +
			others}
	}
	f := &follower{v: v, at: map[string]layout{}, rows: map[int]bool{}}
	if err := t.start(f, first); err != nil {
		return err
	}
	for _, n := range v.g.GetNode()[v.place[t.blocks[0].add]+1:] {
		if err := f.node(n); err != nil {
			return err
		}
		if n.GetOpType() == "Softmax" && f.tracked(n) && v.live[n] {
			if b, ok, err := t.core(f, n); err != nil {
				return err
			} else if ok {
				t.blocks = append(t.blocks, b)
			}
			continue
		}
		t.end(f, n)
	}
	for _, o := range v.g.GetOutput() {
		if l, ok := f.at[o.GetName()]; ok && len(l.all()) > 0 {
			return &RefusedError{Why: fmt.Sprintf("output %s has a row for each token, and would have fewer: export the model with its "+
				"head alone", shown.Quote(o.GetName()))}
		}
	}
	for i, b := range t.blocks {
		if b.add == nil {
			return &RefusedError{Node: label(b.softmax), Why: fmt.Sprintf("what attention layer %d gives is not added to what went in", i)}
		}
	}
	if t.Layers = len(t.blocks); t.Layers < 2 {
		return &RefusedError{Why: "there is one attention layer only"}
	}
	if len(f.rows) == 0 && len(f.pooled) == 0 {
		return &RefusedError{Why: "no output depends on the tokens"}
	}
	t.Rows = slices.Sorted(maps.Keys(f.rows))
	if len(f.pooled) > 0 {
		t.Rows = nil
	}
	t.fixes, t.terms, t.at = f.fixes, f.terms, f.at
	t.Width = extent(f.at[t.blocks[0].out][len(f.at[t.blocks[0].out])-1])
	return nil
}

// cores finds the first softmax of an attention, and says what else there is.
func (t *ViT) cores() (*onnxpb.NodeProto, string) {
	why := ""
	for _, n := range t.v.g.GetNode() {
		if n.GetOpType() != "Softmax" || !t.v.live[n] {
			continue
		}
		s := t.v.shapes[n.GetOutput()[0]]
		if len(s) < 3 {
			continue
		}
		if s[len(s)-1] != s[len(s)-2] || s[len(s)-1] < 3 {
			why = fmt.Sprintf("; %s is over %v: keys are fewer than queries, or there are none", label(n), s)
			continue
		}
		if _, _, ok := t.product(n); ok {
			return n, ""
		}
	}
	return nil, why
}

// product follows the probabilities of a softmax to the MatMul that they are the first factor of.
func (t *ViT) product(softmax *onnxpb.NodeProto) (av *onnxpb.NodeProto, probs string, ok bool) {
	name := softmax.GetOutput()[0]
	for range 6 {
		var next string
		for _, n := range t.v.reader[name] {
			switch op := n.GetOpType(); {
			case op == "MatMul" && at(n, 0) == name:
				return n, name, true
			case op == "Cast", op == "Identity", op == "Dropout", op == "Where", op == "QuantizeLinear", op == "DequantizeLinear", op == "Mul":
				next = n.GetOutput()[0]
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	return nil, "", false
}

// scores follows the input of a softmax back to the MatMul of queries and keys.
func (t *ViT) scores(softmax *onnxpb.NodeProto) (*onnxpb.NodeProto, bool) {
	n := t.product0(at(softmax, 0), 8)
	return n, n != nil
}

// product0 is the MatMul that name is a multiple of, with a mask perhaps, nil where it is none.
func (t *ViT) product0(name string, deep int) *onnxpb.NodeProto {
	n := t.v.maker[name]
	if n == nil || deep == 0 {
		return nil
	}
	switch n.GetOpType() {
	case "MatMul":
		return n
	case "Cast", "Identity", "QuantizeLinear", "DequantizeLinear":
		return t.product0(at(n, 0), deep-1)
	case "Mul", "Div", "Add":
		if m := t.product0(at(n, 0), deep-1); m != nil || n.GetOpType() == "Div" {
			return m
		}
		return t.product0(at(n, 1), deep-1)
	}
	return nil
}

// start takes the first attention layer: its tokens, the sum after it, and which tokens are not patches.
func (t *ViT) start(f *follower, softmax *onnxpb.NodeProto) error {
	v := t.v
	av, probs, _ := t.product(softmax)
	qk, ok := t.scores(softmax)
	if !ok {
		return &RefusedError{Node: label(softmax), Why: "its input is no product of queries and keys, scaled"}
	}
	s := v.shapes[av.GetOutput()[0]]
	t.Tokens = v.shapes[softmax.GetOutput()[0]][len(s)-1]
	l := plain(s)
	l[len(s)-2] = []factor{{n: t.Tokens, tok: true}}
	try := &follower{v: v, at: map[string]layout{av.GetOutput()[0]: l}, rows: map[int]bool{}}
	for _, n := range v.g.GetNode()[v.place[av]+1:] {
		if !try.tracked(n) {
			continue
		}
		if other, in, ok := t.residual(try, n, av); ok {
			l := try.at[in]
			axis := l.axis()
			if axis < 0 {
				return &RefusedError{Node: label(n), Why: fmt.Sprintf("the %d tokens are no axis of what is summed up, %v", t.Tokens,
					v.shapes[other])}
			}
			t.blocks = []block{{qk: qk, softmax: softmax, probs: probs, add: n, out: n.GetOutput()[0]}}
			f.at[n.GetOutput()[0]] = l.in(1)
			if err := t.patches(f, other, axis); err != nil {
				return err
			}
			t.first = 1
			t.near = t.inside(f)
			return nil
		}
		if err := try.node(n); err != nil {
			return err
		}
	}
	return &RefusedError{Node: label(softmax), Why: "what this attention gives is not added to what went in"}
}

// inside follows the first attention layer from queries and keys to its softmax.
func (t *ViT) inside(f *follower) *follower {
	b := t.blocks[0]
	near := &follower{v: t.v, prefix: f.prefix, at: map[string]layout{}, rows: map[int]bool{}}
	for i, axis := range []int{2, 1} {
		name := at(b.qk, i)
		l := plain(t.v.shapes[name])
		if len(l) < 3 || extent(l[len(l)-axis]) != t.Tokens {
			return nil
		}
		l[len(l)-axis] = []factor{{n: t.Tokens, tok: true}}
		near.at[name] = l
	}
	for _, n := range t.v.g.GetNode()[t.v.place[b.qk] : t.v.place[b.softmax]+1] {
		if near.node(n) != nil {
			return nil
		}
	}
	return near
}

// layout is what is known of a value in the first attention layer or after it.
func (t *ViT) layout(name string) layout {
	if l, ok := t.at[name]; ok {
		return l
	}
	if t.near != nil {
		return t.near.at[name]
	}
	return nil
}

// residual reports whether n adds what a branch gives to what went into it, which is other.
func (t *ViT) residual(f *follower, n, av *onnxpb.NodeProto) (other, in string, ok bool) {
	if op := n.GetOpType(); op != "Add" && op != "Sum" || len(n.GetInput()) != 2 {
		return "", "", false
	}
	for i, in := range n.GetInput() {
		other := at(n, 1-i)
		l, tracked := f.at[in]
		_, also := f.at[other]
		if tracked && len(l.all()) == 1 && !also && t.v.shapes[in].Equal(t.v.shapes[other]) && t.ancestor(other, av) {
			return other, in, true
		}
	}
	return "", "", false
}

// ancestor reports whether n depends on the value called name.
func (t *ViT) ancestor(name string, n *onnxpb.NodeProto) bool {
	seen := map[*onnxpb.NodeProto]bool{}
	var walk func(n *onnxpb.NodeProto) bool
	walk = func(n *onnxpb.NodeProto) bool {
		if n == nil || seen[n] {
			return false
		}
		seen[n] = true
		for _, in := range n.GetInput() {
			if in == name || walk(t.v.maker[in]) {
				return true
			}
		}
		return false
	}
	return walk(n)
}

// patches tells the tokens in front that are the same for every example from the others.
func (t *ViT) patches(f *follower, x string, axis int) error {
	v := t.v
	if slices.ContainsFunc(v.model.Inputs(), func(in engine.IO) bool { return in.Name == x }) {
		return nil
	}
	_, _, err := v.look(x)
	if err != nil {
		return &RefusedError{Why: fmt.Sprintf("the tokens cannot be computed: %v", err)}
	}
	a, b := v.seen[x][0], v.seen[x][1]
	same := make([]bool, t.Tokens)
	for j := range same {
		same[j] = equalAt(a, b, axis, j)
	}
	t.Prefix = slices.Index(same, false)
	if t.Prefix < 0 {
		return &RefusedError{Why: "the tokens do not depend on the inputs"}
	}
	if k := slices.Index(same[t.Prefix:], true); k >= 0 {
		return &RefusedError{Why: fmt.Sprintf("token %d is the same for every example, and is not in front", t.Prefix+k)}
	}
	if t.Tokens-t.Prefix < 3 {
		return &RefusedError{Why: fmt.Sprintf("%d of the %d tokens are patches: there is nothing to leave out", t.Tokens-t.Prefix, t.Tokens)}
	}
	f.prefix = t.Prefix
	return nil
}

// equalAt reports whether a and b are the same at entry j of axis k.
func equalAt(a, b *tensor.Tensor, k, j int) bool {
	s := a.Shape()
	outer, inner := 1, a.DType().Size(1)
	for i, n := range s {
		if i < k {
			outer *= n
		} else if i > k {
			inner *= n
		}
	}
	for o := range outer {
		from := (o*s[k] + j) * inner
		if !slices.Equal(a.Bytes()[from:from+inner], b.Bytes()[from:from+inner]) {
			return false
		}
	}
	return true
}

// core takes an attention layer after the first.
func (t *ViT) core(f *follower, n *onnxpb.NodeProto) (block, bool, error) {
	l, ok := f.at[n.GetOutput()[0]]
	if !ok || len(l) < 3 || len(tokens(l[len(l)-1])) == 0 || len(tokens(l[len(l)-2])) == 0 {
		return block{}, false, nil // one query: pooling by attention
	}
	_, probs, ok := t.product(n)
	if !ok {
		return block{}, false, f.fail(n, errors.New("no product with values follows"))
	}
	qk, ok := t.scores(n)
	if !ok {
		return block{}, false, f.fail(n, errors.New("its input is no product of queries and keys, scaled"))
	}
	return block{qk: qk, softmax: n, probs: probs}, true, nil
}

// end notes where the last attention layer ends: the first sum of what it gives and what went into it. What follows has other tokens.
func (t *ViT) end(f *follower, n *onnxpb.NodeProto) {
	last := &t.blocks[len(t.blocks)-1]
	if op := n.GetOpType(); last.add != nil || op != "Add" && op != "Sum" || len(n.GetInput()) != 2 {
		return
	}
	a, oka := f.at[at(n, 0)]
	b, okb := f.at[at(n, 1)]
	if !oka || !okb || len(a.all()) != 1 || !a.equal(b) {
		return
	}
	for i := range 2 {
		if t.ancestor(at(n, i), last.softmax) && t.after(at(n, 1-i), last.softmax) {
			last.add, last.out = n, n.GetOutput()[0]
			f.at[last.out] = f.at[last.out].in(len(t.blocks))
			return
		}
	}
}

// after reports whether the value called name depends on n.
func (t *ViT) after(name string, n *onnxpb.NodeProto) bool {
	for _, o := range n.GetOutput() {
		if o == name || t.v.maker[name] != nil && t.ancestor(o, t.v.maker[name]) {
			return true
		}
	}
	return false
}
