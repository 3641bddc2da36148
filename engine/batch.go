package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// batching is what a model knows of the batch it was exported for.
type batching struct {
	fixed  int             // declared size of axis 0, 0 when that is free
	of     map[string]bool // inputs that have the batch as their axis 0
	likely bool            // the graph was rewritten to take any size, as far as shapes tell
	once   sync.Once
	proven bool
}

// Batch is 0 when the model takes batches of any size, else the size that must be fed. A model that was exported for a fixed size takes
// any when its graph could be freed of it and random examples give the same results alone, in batches of the declared size and in others;
// that is tried once, when it is first asked. Batch may be called at any time and from several goroutines.
func (m *Model) Batch() (fixed int) {
	b := &m.batch
	if b.fixed == 0 || !b.likely {
		return b.fixed
	}
	b.once.Do(func() {
		if m.gate.enter() == nil {
			defer m.gate.leave()
			b.proven = m.proveBatch()
		}
	})
	if b.proven {
		return 0
	}
	return b.fixed
}

// BatchAxis is the axis of the named input along which the examples lie, -1 when it has none: the one with the symbol that the first
// axis of the first input has, as in the state [2,batch,128] of a recurrent net, else the first if it is free or has the size of the
// batch that the file declares.
func (m *Model) BatchAxis(input string) int {
	symbol := ""
	for _, in := range m.inputs {
		if len(in.Dims) > 0 {
			if d := in.Dims[0]; d.Size < 0 {
				symbol = d.Symbol
			}
			break
		}
	}
	for _, in := range m.inputs {
		if in.Name != input {
			continue
		}
		if k := slices.IndexFunc(in.Dims, func(d graph.Dim) bool { return symbol != "" && d.Size < 0 && d.Symbol == symbol }); k >= 0 {
			return k
		}
		if in.Dims == nil || len(in.Dims) > 0 && in.Dims[0].Size < 0 || m.batch.of[input] {
			return 0
		}
	}
	return -1
}

// freeBatch finds the batch that m was exported for and rewrites the graph to take any, where shapes let it. For the declared size it
// computes the same as before.
func (m *Model) freeBatch() {
	b := &m.batch
	b.of = map[string]bool{}
	for _, in := range m.inputs {
		if len(in.Dims) == 0 {
			continue
		}
		n := in.Dims[0].Size
		if b.fixed == 0 {
			if n <= 0 {
				return // the first input has a free batch
			}
			b.fixed = n
		}
		b.of[in.Name] = n == b.fixed
	}
	if b.fixed == 0 || b.fixed > mostProven || len(m.g.Nodes) > mostFreed || len(m.outputs) > mostFreed {
		return
	}
	batched := make([]bool, len(m.inputs))
	for i, in := range m.inputs {
		if in.Dims == nil {
			return
		}
		batched[i] = b.of[in.Name]
	}
	if g := rewrite.FreeBatch(m.g, m.declared(), batched); g != nil {
		m.g, b.likely = g, true
	}
}

// mostProven is the largest fixed batch that is tried to be freed: the proof runs a few more examples than that.
const mostProven = 128

// mostFreed is the most nodes, or outputs, of a graph that is tried to be freed of its batch.
const mostFreed = 1 << 14

// agreement is how far results of the same example may differ, relative to the largest number of the tensor.
const agreement = 1e-4

// maxProof is the largest batch, in numbers of all inputs, that is tried for a proof: a model of larger ones is fed its own size.
const maxProof = 1 << 24

// maxProofWork is how many numbers the values of one run of a proof may be together: a model whose runs take seconds is fed its own size.
const maxProofWork = 1 << 29

// proveBatch reports whether examples give the same results alone and together, twice over with different random inputs.
func (m *Model) proveBatch() bool {
	numbers := 0
	for _, s := range m.declared() {
		n, err := s.CheckedLen(tensor.Float64)
		if err != nil {
			return false
		}
		numbers += min(n, maxProof+1)
	}
	if numbers > maxProof/(m.batch.fixed+2)*m.batch.fixed {
		return false
	}
	shapes, _, err := exec.Shapes(m.g, m.declared())
	if err != nil {
		return false
	}
	work := 0
	for _, n := range m.g.Nodes {
		for _, v := range n.Out {
			if v != 0 {
				work += min(shapes[v].Len(), maxProofWork) // 1 where only a run can tell
			}
		}
	}
	if work > maxProofWork/(m.batch.fixed+2)*m.batch.fixed {
		return false
	}
	p, err := m.prover()
	if err != nil {
		return false
	}
	agreed := 0
	for style := range styles {
		same, telling := p.compare(style)
		if !same {
			return false
		}
		if telling {
			if agreed++; agreed == 2 {
				return true
			}
		}
	}
	return false
}

// prover runs a copy of a model in which no parameter hides what goes through it.
type prover struct {
	m     *Model
	s     *Session
	read  *readers
	names []string // that are compared: the outputs, and the logits behind them
}

func (m *Model) prover() (*prover, error) {
	c := &Model{
		file: m.file, g: m.g.Clone(), inputs: m.inputs, outputs: m.outputs, params: m.params, byName: m.byName, threads: m.threads,
		pool: m.pool, set: m.set,
		batch: batching{fixed: m.batch.fixed, of: m.batch.of},
	}
	r := rand.New(rand.NewPCG(1, 0x6261746368))
	cloned := 0
	for _, p := range m.params {
		in := c.g.Info(p.value)
		if in.Data == nil || !p.Trainable || in.DType != tensor.Float32 || in.Data.Len() == 0 || !all(in.Data, float64(in.Data.F32()[0])) {
			continue
		}
		if cloned += len(in.Data.Bytes()); cloned > 4*maxProof {
			return nil, errors.New("engine: parameters of one number are too large to be varied")
		}
		in.Data = in.Data.Clone() // such as a scale of zero, behind which examples could mix unseen
		for i := range in.Data.F32() {
			in.Data.F32()[i] += float32(0.1 * r.NormFloat64())
		}
	}
	for _, o := range slices.Concat(m.inputs, m.outputs) {
		if o.DType.IsContainer() {
			return nil, errors.New("engine: what is in a container has no row for each example")
		}
	}
	p := &prover{m: c, read: newReaders()}
	named := map[string]bool{}
	for i, o := range m.outputs {
		p.names, named[o.Name] = append(p.names, o.Name), true
		if a, ok := p.read.finalActivation(c.g, c.g.Outputs[i]); ok {
			if name := c.g.Info(a.z).Name; !named[name] {
				p.names, named[name] = append(p.names, name), true
			}
		}
	}
	var err error
	p.s, err = c.Session(Query{Fetch: p.names})
	if err != nil {
		return nil, err
	}
	p.s.proving = true
	return p, nil
}

// compare feeds a few examples, made in the given style, alone, in a batch of the declared size and in a larger one. telling is false when
// it could not be told whether they mix: the model could not be run on them, or its results do not depend on them.
func (p *prover) compare(style int) (same, telling bool) {
	size := p.m.batch.fixed
	n := max(3, size+2)
	feeds := p.examples(style, n)
	together := p.run(feeds, 0, n)
	if together == nil {
		return true, false
	}
	parts := [][2]int{{0, 1}, {n / 2, n/2 + 1}, {n - 1, n}}
	if size > 1 {
		parts = append(parts, [2]int{0, size}, [2]int{n - size, n})
	}
	for _, part := range parts {
		got := p.run(feeds, part[0], part[1])
		if got == nil {
			return true, false
		}
		for i, t := range got {
			whole := together[i]
			if whole.Rank() == 0 || t.Rank() != whole.Rank() || whole.Dim(0) != n {
				if i < len(p.m.outputs) && p.names[i] == p.m.outputs[i].Name {
					return false, true // an output that does not follow the batch
				}
				continue
			}
			if t.Dim(0) != part[1]-part[0] || !t.Shape()[1:].Equal(whole.Shape()[1:]) ||
				!near(rows(whole, part[0], part[1]), t, largest(whole)) {
				return false, true
			}
		}
	}
	for _, t := range together {
		if t.Rank() > 0 && t.Dim(0) == n && !near(rows(t, 0, 1), rows(t, n-1, n), 10*largest(t)) {
			telling = true
		}
	}
	return true, telling
}

// run is the results for the examples lo to hi, nil when the model cannot be run on them or gives numbers that are not finite.
func (p *prover) run(feeds map[string]*tensor.Tensor, lo, hi int) []*tensor.Tensor {
	part := map[string]*tensor.Tensor{}
	for name, t := range feeds {
		if part[name] = t; p.m.batch.of[name] {
			part[name] = rows(t, lo, hi)
		}
	}
	r, err := p.s.Run(graph.TryOut(exec.MadeUp(context.Background())), part)
	if err != nil {
		return nil
	}
	var out []*tensor.Tensor
	for _, name := range p.names {
		t := r.Value(name).Clone()
		if math.IsNaN(largest(t)) || math.IsInf(largest(t), 0) {
			return nil
		}
		out = append(out, t)
	}
	return out
}

// rows is a copy of rows lo to hi of t.
func rows(t *tensor.Tensor, lo, hi int) *tensor.Tensor {
	s := slices.Clone(t.Shape())
	row := len(t.Bytes()) / max(1, s[0])
	s[0] = hi - lo
	out := tensor.New(t.DType(), s...)
	copy(out.Bytes(), t.Bytes()[lo*row:hi*row])
	return out
}

// largest is the largest magnitude in t, NaN when there is one.
func largest(t *tensor.Tensor) float64 {
	m := 0.0
	for _, v := range t.Float64s() {
		if math.IsNaN(v) {
			return v
		}
		m = max(m, math.Abs(v))
	}
	return m
}

// near reports whether a and b, of one shape, agree for numbers up to scale; integers must be equal.
func near(a, b *tensor.Tensor, scale float64) bool {
	if !a.DType().IsFloat() && !half(a.DType()) {
		return tensor.Equal(a, b)
	}
	tol := agreement * scale
	if half(a.DType()) {
		tol = 4e-3 * scale
	}
	x, y := a.Float64s(), b.Float64s()
	for i := range x {
		if math.Abs(x[i]-y[i]) > tol {
			return false
		}
	}
	return true
}

// styles is how many kinds of examples there are: for floating-point inputs around 0, from 0 to 1, from 0 to 255 and very small; for
// integers the indices of a table where one is read by them, else ones, then zeros and ones.
const styles = 4

// examples makes n examples, each of another scale, and one tensor for every input that has no batch.
func (p *prover) examples(style, n int) map[string]*tensor.Tensor {
	r := rand.New(rand.NewPCG(uint64(style), 0x6578616d706c65))
	out := map[string]*tensor.Tensor{}
	for i, s := range p.m.declared() {
		in := p.m.inputs[i]
		count := 1
		if p.m.batch.of[in.Name] {
			s, count = slices.Clone(s), n
			s[0] = n
		}
		bound := 0
		if in.DType.IsInt() {
			bound = p.indices(p.m.g.Inputs[i])
		}
		v := make([]float32, s.Len())
		for k := range v {
			scale := []float64{1, 2.5, 0.4}[k*count/max(1, len(v))%3]
			x := 0.0
			switch {
			case bound > 0:
				x = float64(r.IntN(bound))
			case in.DType == tensor.Bool, in.DType.IsInt() && in.DType != tensor.Uint8:
				x = 1
				if style%2 == 1 && k%4 != 0 {
					x = float64(r.IntN(2))
				}
			case in.DType == tensor.Uint8 || style == 2:
				x = math.Floor(min(255, scale*100*r.Float64()))
			case style == 0:
				x = scale * r.NormFloat64()
			case style == 1:
				x = min(1, scale*0.4*r.Float64())
			default:
				x = 1e-2 * scale * r.NormFloat64()
			}
			v[k] = float32(x)
		}
		t, err := tensor.From(v, s...).Convert(in.DType)
		if err != nil {
			t = tensor.New(in.DType, s...)
		}
		out[in.Name] = t
	}
	return out
}

// indices is how many rows the smallest table has that is read by v, an input of integers; 0 when none is.
func (p *prover) indices(v graph.Value) int {
	shapes := p.m.inferred()
	bound := 0
	for _, u := range p.read.ends(p.m.g, v) {
		if u.n == nil || u.g != p.m.g || u.in != 1 || !is(u.n, ops.Gather) || shapes[u.n.In[0]] == nil {
			continue
		}
		s := shapes[u.n.In[0]]
		if axis := ops.GatherAxis(u.n, len(s)); axis >= 0 && (bound == 0 || s[axis] < bound) {
			bound = s[axis]
		}
	}
	return bound
}
