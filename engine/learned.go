package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// judge tells the weights of a file from the numbers of the program that it stores in the same way.
//
// Where an operator keeps weights (graph.Formal.Weight) everything is one. Elsewhere, in sums and products above all, a tensor of several
// numbers is a weight unless it shows that it is not: a table of sinusoids, a mask, a shift of the raw input, a state of zeros. A single
// number is one only when something says so: its place behind a layer with one output, its name, or a value that no program would write.
// Constant nodes are where exporters write numbers of the program, so what stands in sums and products there is one, unless the file keeps
// all its weights in Constant nodes.
type judge struct {
	m      *Model
	g      *graph.Graph
	read   *readers
	ops    map[string]bool // operators' names in lower case
	names  map[string]bool // of all parameters
	nodes  map[graph.Value]bool
	still  map[graph.Value]string  // see importer
	writer bool                    // the file keeps its weights in Constant nodes
	sines  map[*tensor.Tensor]bool // what is known of them: names may share a tensor

	// What was found out of a node or value, which many weights can ask for.
	small     map[*graph.Node]bool // see quantises
	last      map[*graph.Node]bool // see finishes
	prepared  map[graph.Value]bool // see raw
	before    map[place]bool       // see layerBehind
	attention map[scoring]bool     // see reachesSoftmax
	whole     map[place]bool       // see counts
	numbers   map[question]bool    // of tensors
	masks     map[*tensor.Tensor]bool
}

// question is one of the numbers of t: whether they are all x, or, where x is NaN, above zero.
type question struct {
	t *tensor.Tensor
	x uint64 // bits of the float64
}

// all is the function all, remembered.
func (j *judge) all(t *tensor.Tensor, x float64) bool {
	return j.ask(question{t, math.Float64bits(x)}, func() bool { return all(t, x) })
}

// mask is the function mask, remembered.
func (j *judge) mask(t *tensor.Tensor) bool {
	is, known := j.masks[t]
	if !known {
		is = mask(t)
		j.masks[t] = is
	}
	return is
}

func (j *judge) ask(q question, find func() bool) bool {
	yes, known := j.numbers[q]
	if !known {
		yes = find()
		j.numbers[q] = yes
	}
	return yes
}

// scoring is a question of reachesSoftmax.
type scoring struct {
	place
	steps int
}

func newJudge(m *Model, im *importer, shared map[graph.Value]graph.Value) *judge {
	j := &judge{m: m, g: m.g, read: newReaders(), still: im.still, ops: lowerOps(m.set), names: map[string]bool{},
		nodes: map[graph.Value]bool{},
		small: map[*graph.Node]bool{}, last: map[*graph.Node]bool{}, prepared: map[graph.Value]bool{}, before: map[place]bool{},
		attention: map[scoring]bool{}, whole: map[place]bool{}, numbers: map[question]bool{}, masks: map[*tensor.Tensor]bool{}}
	inInit, inNode := false, false
	for v, in := range m.g.Values {
		if in.Data != nil {
			j.names[in.Name] = true
		}
		if in.Kind != graph.Parameter {
			continue
		}
		origin := v
		if from, ok := shared[v]; ok {
			origin = from
		}
		j.nodes[v] = im.origin[origin].weight.Constant
		for _, u := range j.read.ends(m.g, v) {
			if u.n != nil && u.n.Op.Role == graph.Linear && !u.formal().NoGrad {
				inInit, inNode = inInit || !j.nodes[v], inNode || j.nodes[v]
			}
		}
	}
	j.writer = inNode && !inInit
	return j
}

// sinusoids is sinusoids, found out once for each tensor.
func (j *judge) sinusoids(t *tensor.Tensor, file tensor.DType) bool {
	is, known := j.sines[t]
	if !known {
		if j.sines == nil {
			j.sines = map[*tensor.Tensor]bool{}
		}
		is = sinusoids(t, file)
		j.sines[t] = is
	}
	return is
}

// verdict says whether p has running statistics, whether a gradient can reach it, and why it is not learned, "" when it is.
func (j *judge) verdict(p *Param) (state, able bool, why string) {
	var seen []use // through which a gradient goes
	why = "no node reads it"
	for _, u := range j.read.ends(j.g, p.value) {
		if u.n == nil {
			why = "it is an output as it is"
			continue
		}
		f := u.formal()
		switch {
		case f == nil:
		case f.State:
			return true, false, fmt.Sprintf("running statistics of %s", u.n.Label())
		case f.NoGrad:
			why = fmt.Sprintf("%s reads it as its input %s, where no gradient goes", u.n.Label(), f.Name)
		case j.quantises(u) || j.quantisation(p.Name):
			return false, false, fmt.Sprintf("it is quantised, or the scale of quantised numbers (%s), which are not trained", u.n.Label())
		default:
			seen = append(seen, u)
		}
	}
	if len(seen) == 0 {
		return false, false, why
	}
	if why := j.still[p.value]; why != "" {
		return false, true, why
	}
	if j.angles(p.value, p.Value) {
		return false, true, "it is what a table of sinusoids is computed from, as the frequencies of rotary embeddings"
	}
	if w := slices.IndexFunc(seen, func(u use) bool { return u.formal().Weight }); w >= 0 {
		for _, u := range seen {
			if u.formal().Weight && !j.standIn(u, p.Value) {
				if j.sinusoids(p.Value, p.file) {
					return false, true, "it is a table of sinusoids, such as a Fourier transform or a fixed position encoding"
				}
				return false, true, ""
			}
		}
		return false, true, fmt.Sprintf("%s only divides by the deviation; the scale and shift that are learned follow it",
			seen[w].n.Label())
	}
	if slices.ContainsFunc(seen, func(u use) bool { return j.isBias(u, p.Value) }) {
		return false, true, ""
	}
	if p.Value.Len() == 1 {
		return false, true, j.single(p, seen)
	}
	return false, true, j.several(p, seen)
}

// quantises reports whether the node of u reads or writes quantised numbers: u is their scale, or is quantised.
func (j *judge) quantises(u use) bool {
	if u.n.Op.Role != graph.NoRole && u.n.Op.Role != graph.View { // what is read through a view is not the view's
		return false
	}
	small, known := j.small[u.n]
	if !known {
		of := func(v graph.Value) bool { return v != 0 && fewBits(u.g.Info(v).DType) }
		small = slices.ContainsFunc(u.n.In[:u.n.NumIn], of) || slices.ContainsFunc(u.n.Out, of)
		j.small[u.n] = small
	}
	return small
}

// several is why a tensor of several numbers that is read by seen is not learned, "" when it is.
func (j *judge) several(p *Param, seen []use) string {
	t := p.Value
	switch {
	case j.sinusoids(t, p.file):
		return "it is a table of sinusoids, such as a fixed position encoding"
	case j.mask(t):
		return "it is a mask of zeros and very large or of zeros and ones"
	case j.all(t, 0) && slices.ContainsFunc(seen, isState):
		return fmt.Sprintf("it is the initial state, of zeros, of %s", seen[slices.IndexFunc(seen, isState)].n.Label())
	}
	for _, u := range seen {
		if j.prepares(u, t) {
			return fmt.Sprintf("%s only shifts or scales the raw input by it", u.n.Label())
		}
		if channels(t) && j.finishes(u.g, u.n) {
			return fmt.Sprintf("%s only shifts or scales the picture that is the output by it", u.n.Label())
		}
	}
	if j.nodes[p.value] && !j.writer {
		return fmt.Sprintf("it stands in a Constant node, where the exporter wrote numbers of the program, and %s is no layer",
			seen[0].n.Label())
	}
	inside := func(u use) bool { return u.n.Op.Role != graph.Arithmetic || j.layerBehind(u) }
	if exporterMade(p.Name, j.ops) && axes(t) > 1 && !slices.ContainsFunc(seen, inside) {
		return fmt.Sprintf("%s only shifts or scales the outputs by it, behind the last layer", seen[0].n.Label())
	}
	return ""
}

// single is why one number that is read by seen, in no place where operators keep weights, is not learned, "" when it is.
func (j *judge) single(p *Param, seen []use) string {
	v := p.Value.Float64s()[0]
	sign := signOf(p.Name, j.ops)
	for _, u := range seen {
		switch {
		case u.n.Op.Role != graph.Arithmetic:
			return fmt.Sprintf("it is one number, and %s is no place where one is learned", u.n.Label())
		case sign == named:
		case j.prepares(u, p.Value):
			return fmt.Sprintf("it is one number, by which %s only shifts or scales the raw input", u.n.Label())
		case j.scores(u):
			return fmt.Sprintf("it is one number, by which %s scales the scores of attention", u.n.Label())
		case is(u.n, ops.Add) && v != 0 && math.Abs(v) <= 1e-3:
			return fmt.Sprintf("it is one small number that %s adds, as the epsilon of a normalisation", u.n.Label())
		}
	}
	tol := 5e-7
	if half(p.file) {
		tol = 2e-3
	}
	times := slices.ContainsFunc(seen, func(u use) bool { return is(u.n, ops.Mul) })
	switch {
	case sign == named:
		return ""
	case sign == artefact:
		return fmt.Sprintf("it is one number (%v) in %s with a name that exporters give to numbers of the program", v, seen[0].n.Label())
	case j.nodes[p.value]:
		return fmt.Sprintf("it is one number (%v) in a Constant node, where exporters write numbers of the program", v)
	case sign == hinted && (v == 0 || v == 1 || powerOfTen(v) || !written(v, tol)):
		return ""
	case sign == unknown && p.Value.Rank() > 0 && (v == 0 && times || !written(v, tol)):
		return "" // no program multiplies by nothing, or by a number that nobody would write
	}
	return fmt.Sprintf("it is one number (%v) in %s, and nothing says that it is learned", v, seen[0].n.Label())
}

// isBias reports whether u adds t to what a layer without a bias of its own gave, one number for each of its outputs.
func (j *judge) isBias(u use, t *tensor.Tensor) bool {
	if !is(u.n, ops.Add) || u.other() == 0 || axes(t) > 1 || t.Rank() == 0 {
		return false
	}
	x := j.read.source(u.g, u.other())
	n := u.g.Info(x).Def
	if n == nil || n.Op.Role != graph.Linear || n.NumIn > 2 && n.In[2] != 0 {
		return false
	}
	for _, in := range n.In[:min(2, n.NumIn)] {
		w := u.g.Info(j.read.source(u.g, in))
		if w.Data == nil {
			continue
		}
		s := j.read.constShape(u.g, in)
		if len(s) >= 2 && s[ops.OutAxis(n, len(s))] == t.Len() {
			return true
		}
	}
	return false
}

// standIn reports whether the weight at u stands in for one that a normalisation does not have: a GroupNorm that was written out is an
// InstanceNormalization of groups with scales of one and shifts of zero, and then a product with a scale for each channel.
func (j *judge) standIn(u use, t *tensor.Tensor) bool {
	if u.n.Op.Role != graph.Normalisation || u.in == 0 || len(u.n.Out) == 0 || !j.all(t, 0) && !j.all(t, 1) {
		return false
	}
	for _, r := range j.read.ends(u.g, u.n.Out[0]) {
		if r.n == nil || !is(r.n, ops.Mul) || r.other() == 0 {
			return false
		}
		s := u.g.Info(j.read.source(u.g, r.other()))
		if s.Kind != graph.Parameter && s.Kind != graph.Input || s.Data != nil && s.Data.Len() <= t.Len() {
			return false
		}
	}
	return true
}

// isState reports whether u gives a node that steps through time, or a loop, the state that it begins with.
func isState(u use) bool { return u.n.Op.Role == graph.Recurrent || u.n.Op.Role == graph.Control }

// prepares reports whether u only prepares the input of the model: a shift by a mean, a division by 255 or by deviations. Several numbers
// could be a learned layer; they are preparation where they look like those of a picture's channels, or where a shift and a division
// follow each other as means and deviations do.
func (j *judge) prepares(u use, t *tensor.Tensor) bool {
	if u.n.Op.Role != graph.Arithmetic || u.other() == 0 || len(u.n.Out) == 0 || !j.raw(u.g, u.other()) {
		return false
	}
	if t.Len() == 1 || channels(t) {
		return true
	}
	if is(u.n, ops.Sub) && u.in == 1 {
		return slices.ContainsFunc(j.read.ends(u.g, u.n.Out[0]), func(r use) bool {
			return r.n != nil && is(r.n, ops.Div) && r.in == 0 && j.positive(r.g, r.other())
		})
	}
	if is(u.n, ops.Div) && u.in == 1 && j.positive(u.g, u.n.In[1]) {
		before := u.g.Info(j.read.source(u.g, u.other())).Def
		return before != nil && is(before, ops.Sub)
	}
	return false
}

// positive reports whether v is a constant or parameter of numbers above zero, as deviations are.
func (j *judge) positive(g *graph.Graph, v graph.Value) bool {
	if v == 0 {
		return false
	}
	in := g.Info(j.read.source(g, v))
	return in.Data != nil && j.ask(question{in.Data, math.Float64bits(math.NaN())}, func() bool {
		return !slices.ContainsFunc(in.Data.Float64s(), func(x float64) bool { return !(x > 0) })
	})
}

// channels reports whether t looks like the means or deviations of the three channels of a picture [N,3,H,W]: numbers of one sign that are
// near to each other.
func channels(t *tensor.Tensor) bool {
	if t.Len() != 3 || t.Rank() < 3 || axes(t) > 1 {
		return false
	}
	x := t.Float64s()
	lo, hi := min(x[0], x[1], x[2]), max(x[0], x[1], x[2])
	if hi < 0 {
		lo, hi = -hi, -lo
	}
	return lo > 0 && hi <= 1.35*lo
}

// finishes reports whether only shifts, scales and views lie between n and the outputs.
func (j *judge) finishes(g *graph.Graph, n *graph.Node) bool {
	last, known := j.last[n]
	if !known {
		last = n.Op.Role == graph.Arithmetic && g == j.g && len(n.Out) > 0 &&
			!slices.ContainsFunc(j.read.ends(g, n.Out[0]), func(r use) bool { return r.n != nil && !j.finishes(r.g, r.n) })
		j.last[n] = last
	}
	return last
}

// raw reports whether v is an input of the model, or one that was only shifted, scaled and arranged by numbers of the file.
func (j *judge) raw(g *graph.Graph, v graph.Value) bool {
	v = j.read.source(g, v)
	if v == 0 || g != j.g {
		return false
	}
	raw, known := j.prepared[v]
	if !known {
		raw = j.isRaw(v)
		j.prepared[v] = raw
	}
	return raw
}

func (j *judge) isRaw(v graph.Value) bool {
	in := j.g.Info(v)
	if in.Kind == graph.Input {
		return true
	}
	if in.Def == nil || in.Def.Op.Role != graph.Arithmetic {
		return false
	}
	fed := false
	for _, x := range in.Def.In[:in.Def.NumIn] {
		switch {
		case j.g.Info(j.read.source(j.g, x)).Data != nil:
		case fed || !j.raw(j.g, x):
			return false
		default:
			fed = true
		}
	}
	return fed
}

// scores reports whether u scales scores of attention: what it gives, or what it is made of, is a product of two computed matrices on the
// way to a softmax, or it goes straight into such a product.
func (j *judge) scores(u use) bool {
	if u.other() == 0 || len(u.n.Out) == 0 {
		return false
	}
	if n := u.g.Info(j.read.source(u.g, u.other())).Def; n != nil && j.computed(u.g, n) {
		return j.reachesSoftmax(u.g, u.n.Out[0], 4)
	}
	return slices.ContainsFunc(j.read.ends(u.g, u.n.Out[0]), func(r use) bool { return r.n != nil && j.computed(r.g, r.n) })
}

// computed reports whether n is a product of two computed matrices.
func (j *judge) computed(g *graph.Graph, n *graph.Node) bool {
	if n.Op.Role != graph.Linear || n.NumIn < 2 {
		return false
	}
	for _, x := range n.In[:2] {
		if k := g.Info(j.read.source(g, x)); k.Data != nil || k.Kind == graph.Input {
			return false
		}
	}
	return true
}

// reachesSoftmax reports whether v goes into a Softmax, past a mask or the like.
func (j *judge) reachesSoftmax(g *graph.Graph, v graph.Value, steps int) bool {
	q := scoring{place{g, v}, steps}
	found, known := j.attention[q]
	if !known {
		found = slices.ContainsFunc(j.read.ends(g, v), func(r use) bool {
			if r.n == nil || len(r.n.Out) == 0 {
				return false
			}
			past := r.n.Op.Role == graph.Arithmetic || is(r.n, ops.Where)
			return r.n.Op.Role == graph.Probability || past && steps > 0 && j.reachesSoftmax(r.g, r.n.Out[0], steps-1)
		})
		j.attention[q] = found
	}
	return found
}

// layerBehind reports whether a layer lies between u and the outputs.
func (j *judge) layerBehind(u use) bool {
	return u.g != j.g || slices.ContainsFunc(u.n.Out, func(o graph.Value) bool { return j.leadsToLayer(u.g, o) })
}

// leadsToLayer reports whether a layer lies between v and the outputs.
func (j *judge) leadsToLayer(g *graph.Graph, v graph.Value) bool {
	if v == 0 {
		return false
	}
	leads, known := j.before[place{g, v}]
	if !known {
		leads = slices.ContainsFunc(j.read.direct(g, v), func(r use) bool {
			switch r.n.Op.Role {
			case graph.Linear, graph.Normalisation, graph.Recurrent, graph.Control:
				return true
			}
			return slices.ContainsFunc(r.n.Out, func(o graph.Value) bool { return j.leadsToLayer(r.g, o) })
		})
		j.before[place{g, v}] = leads
	}
	return leads
}

// axes is the number of axes of t that are longer than one.
func axes(t *tensor.Tensor) int {
	k := 0
	for _, d := range t.Shape() {
		if d != 1 {
			k++
		}
	}
	return k
}
