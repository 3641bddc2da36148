package train

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Inputs that the loss of a block adds to it.
const (
	wantInput  = "gtk.want"  // [N,D]: what is to come out
	shareInput = "gtk.share" // [N,1]: what its squared error is multiplied by
	rightInput = "gtk.right" // [N,K]: the label, one-hot, over the number of examples
)

// denoiser trains the blocks of a chain, each by itself.
type denoiser struct {
	*NoPropNet
	blocks  []*denoising
	workers int
	table   *tensor.Tensor // the embeddings [K,D]
	grad    *tensor.Tensor // of table, nil for one-hot ones
	gamma   *gammaNet      // of a learned schedule, nil for others
}

// denoising is a block, or the layer of logits, that is trained by itself.
type denoising struct {
	m       *engine.Model
	s       *engine.Session
	pairs   []weightPair
	out     bool // it has an output that is compared with what is wanted
	near    bool // and logits
	example bool // it is given the example
	r       *engine.Result
}

// weightPair is a tensor of the chain and the same one of a block.
type weightPair struct {
	name       string
	chain, own *tensor.Tensor
	state      bool // a running statistic, which a run of the block changes
}

// prepareNoProp makes the blocks.
func (f *fit) prepareNoProp() error {
	n := f.c.NoProp
	if err := n.check(f.c, f.c.Task); err != nil {
		return err
	}
	trained := map[string]bool{}
	for _, p := range f.params {
		trained[p.Name] = true
	}
	for _, name := range n.Params {
		if !trained[name] {
			return fmt.Errorf("train: noprop: %q is not trained: all parameters of the blocks are", name)
		}
		if p, err := f.m.Param(name); err != nil || !p.Trainable {
			return fmt.Errorf("train: noprop: the model takes %q for a constant: load it by NoPropNet.Load", name)
		}
	}
	if len(trained) != len(n.Params) {
		return fmt.Errorf("train: noprop: %d parameters are to be trained, and the blocks have %d", len(trained), len(n.Params))
	}
	var err error
	f.noise, err = newDenoiser(n, f.m)
	return err
}

// newDenoiser makes the blocks of a chain.
func newDenoiser(n *NoPropNet, chain *engine.Model) (*denoiser, error) {
	threads := chain.Pool().Threads()
	d := &denoiser{NoPropNet: n, workers: n.workers(threads)}
	for _, file := range n.blocks {
		b, err := n.newDenoising(file, chain, max(1, threads/d.workers))
		if err != nil {
			return nil, fmt.Errorf("train: noprop: %w", err)
		}
		d.blocks = append(d.blocks, b)
	}
	d.table = oneHot(n.In.Classes)
	if n.Learned > 0 {
		p, err := chain.Param(n.prefix + "embedding")
		if err != nil {
			return nil, fmt.Errorf("train: noprop: %w", err)
		}
		d.table = p.Value
		if d.grad, err = tensor.Make("the gradient of the embedding", tensor.Float32, p.Value.Shape()...); err != nil {
			return nil, err
		}
	}
	if n.Schedule == "learned" {
		var err error
		if d.gamma, err = newGammaNet(n, chain); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// oneHot is the identity [K,K].
func oneHot(k int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, k, k)
	for i := range k {
		t.F32()[i*k+i] = 1
	}
	return t
}

// newDenoising loads a block and compiles its loss with the gradients.
func (n *NoPropNet) newDenoising(file *onnx.Model, chain *engine.Model, threads int) (*denoising, error) {
	m, err := engine.Load(file.Clone(), engine.WithThreads(threads))
	if err != nil {
		return nil, err
	}
	m.Thaw()
	b := &denoising{m: m}
	for _, o := range m.Outputs() {
		b.out = b.out || o.Name == blockOut
		b.near = b.near || o.Name == blockNear
	}
	for _, in := range m.Inputs() {
		b.example = b.example || in.Name == blockX
	}
	q := engine.Query{Loss: b.loss, BN: n.BatchNorm(), Fetch: []string{}}
	for p := range m.Params() {
		trained := slices.Contains(n.Params, p.Name)
		if !trained && !p.State {
			continue
		}
		c, err := chain.Param(p.Name)
		if err != nil {
			return nil, err
		}
		b.pairs = append(b.pairs, weightPair{p.Name, c.Value, p.Value, p.State})
		if trained {
			q.Grad = append(q.Grad, p.Name)
		}
	}
	if n.Learned > 0 || n.Schedule == "learned" {
		q.Grad = append(q.Grad, blockZ)
		if b.out {
			q.Fetch = append(q.Fetch, blockOut)
		}
	}
	b.s, err = m.Session(q)
	return b, err
}

// loss is Σ share·‖out − want‖² − Σ right·log softmax(near), of what the block has.
func (b *denoising) loss(g *engine.Build) (graph.Value, error) {
	dims := []graph.Dim{{Size: -1, Symbol: "N"}, {Size: -1}}
	sum := func(v graph.Value) graph.Value { return g.Add(ops.ReduceSum, ops.KeepDims(false), v) }
	var total graph.Value
	if b.out {
		out, err := g.Value(blockOut)
		if err != nil {
			return 0, err
		}
		d := g.Add(ops.Sub, nil, out, g.Input(wantInput, g.DType(out), dims))
		total = sum(g.Add(ops.Mul, nil, g.Add(ops.Mul, nil, d, d), g.Input(shareInput, g.DType(out), dims)))
	}
	if b.near {
		near, err := g.Value(blockNear)
		if err != nil {
			return 0, err
		}
		right := g.Input(rightInput, g.DType(near), dims)
		ce := g.Add(ops.Neg, nil, sum(g.Add(ops.Mul, nil, right, g.Add(ops.LogSoftmax, ops.AlongAxis(-1), near))))
		if total == 0 {
			return ce, nil
		}
		total = g.Add(ops.Add, nil, total, ce)
	}
	return total, nil
}

// noised is what a block is given and what it is to give.
type noised struct {
	z, want, share, time *tensor.Tensor
	keep                 []float64 // by example: dz/du
	lost                 []float64 // by example: what the noise eps is multiplied by
	at                   []float64 // by example: the time, nil for dt
	eps                  []float32
}

// noise draws the noise of block k, and the times, of a step: the same whatever other blocks do.
func (d *denoiser) noise(k, step int, seed uint64, u []float32, rows int) *noised {
	const name = 0x6e6f6973 // "nois"
	r := rand.New(rand.NewPCG(seed^name<<32, uint64(step)<<24^uint64(k)))
	w := d.dim()
	x := &noised{keep: make([]float64, rows), lost: make([]float64, rows), eps: make([]float32, rows*w)}
	share := make([]float32, rows)
	head := k >= d.Blocks()
	if d.plan.times != nil && !head {
		x.at, x.time = make([]float64, rows), tensor.New(tensor.Float32, rows, timeWidth)
	}
	for i := range rows {
		var s float64
		switch {
		case x.at != nil:
			x.at[i] = r.Float64()
			sinusoids(x.at[i], x.time.F32()[i*timeWidth:])
			if d.Variant == NoPropFM {
				x.keep[i], x.lost[i], s = x.at[i], 1-x.at[i], 1
				break
			}
			g, slope := d.schedule(x.at[i])
			bar := sigmoid(-g)
			_, rate := signal(g, slope)
			x.keep[i], x.lost[i], s = math.Sqrt(bar), math.Sqrt(1-bar), d.Eta/2*min(rate, d.Cap)
		default:
			bar := d.barAt(k)
			if x.keep[i], x.lost[i] = math.Sqrt(bar), math.Sqrt(1-bar); !head {
				s = d.plan.weight[k]
			}
		}
		share[i] = float32(s / float64(rows))
	}
	z, want := make([]float32, rows*w), u
	if d.Variant == NoPropFM {
		want = make([]float32, rows*w)
	}
	for i := range z {
		e := r.NormFloat64()
		x.eps[i] = float32(e)
		z[i] = float32(x.keep[i/w]*float64(u[i]) + x.lost[i/w]*e)
		if d.Variant == NoPropFM {
			want[i] = u[i] - x.eps[i]
		}
	}
	x.z, x.want, x.share = tensor.From(z, rows, w), tensor.From(want, rows, w), tensor.From(share, rows, 1)
	return x
}

// barAt is ᾱ of what block k of dt is given, or at the end of the chain.
func (d *denoiser) barAt(k int) float64 {
	if d.Variant == NoPropDT {
		return d.plan.bar[k]
	}
	g, _ := d.schedule(1)
	return sigmoid(-g)
}

// schedule is γ and its slope at a time, of ct.
func (d *denoiser) schedule(t float64) (g, slope float64) {
	if d.gamma != nil {
		return d.gamma.at(t)
	}
	return linearGamma(t)
}

// step makes the gradients of a batch, and gives the loss: that of the mean over the blocks of dt.
func (f *fit) denoise(ctx context.Context, b *data.Batch) (loss float64, err error) {
	d := f.noise
	feeds, err := f.c.Feed.Feeds(b)
	if err != nil {
		return 0, err
	}
	x, rows := feeds[d.In.Name], b.Len()
	if x == nil || x.Dim(0) != rows || !slices.Equal(x.Shape()[1:], d.In.Shape) {
		return 0, fmt.Errorf("train: noprop: the batch has %v for input %q, and the blocks take %v of each example", x, d.In.Name,
			d.In.Shape)
	}
	u, right, err := d.labels(b.Labels)
	if err != nil {
		return 0, err
	}
	given, losses := make([]*noised, len(d.blocks)), make([]float64, len(d.blocks))
	err = sideBySide(d.workers, len(d.blocks), func(k int) (err error) {
		c := d.blocks[k]
		for _, p := range c.pairs {
			copy(p.own.Bytes(), p.chain.Bytes())
		}
		given[k] = d.noise(k, f.step, f.c.Seed, u, rows)
		in := map[string]*tensor.Tensor{blockZ: given[k].z}
		if c.example {
			in[blockX] = x
		}
		if c.out {
			in[wantInput], in[shareInput] = given[k].want, given[k].share
		}
		if given[k].time != nil {
			in[blockTime] = given[k].time
		}
		if c.near {
			in[rightInput] = right
		}
		if c.near && c.out {
			in[blockLeft] = left(given[k].at)
		}
		if c.r, err = c.s.Run(ctx, in); err == nil {
			losses[k] = c.r.Loss().Float64s()[0]
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for k, l := range losses {
		if k < d.Blocks() {
			l /= float64(d.Blocks())
		}
		loss += l
	}
	loss += d.derived(given, u, b.Labels)
	if d.gamma != nil {
		d.gamma.learn(d.learned(given, u, rows))
	}
	d.gather(f)
	return loss, nil
}

// arena is the memory of activations and gradients of all blocks, in bytes.
func (d *denoiser) arena() (bytes float64) {
	for _, b := range d.blocks {
		bytes += float64(b.s.ArenaBytes())
	}
	return bytes
}

// left is how long the way still is, [N,1].
func left(at []float64) *tensor.Tensor {
	t := tensor.New(tensor.Float32, len(at), 1)
	for i, v := range at {
		t.F32()[i] = float32(1 - v)
	}
	return t
}

// labels are the embeddings of labels [N,D], and the labels one-hot over their number [N,K].
func (d *denoiser) labels(ys []int64) (u []float32, right *tensor.Tensor, err error) {
	w := d.dim()
	u, right = make([]float32, len(ys)*w), tensor.New(tensor.Float32, len(ys), d.In.Classes)
	for i, y := range ys {
		if y < 0 || y >= int64(d.In.Classes) {
			return nil, nil, fmt.Errorf("train: noprop: an example has label %d, and there are %d classes", y, d.In.Classes)
		}
		copy(u[i*w:], d.table.F32()[int(y)*w:(int(y)+1)*w])
		right.F32()[i*d.In.Classes+int(y)] = 1 / float32(len(ys))
	}
	return u, right, nil
}

// gather hands the gradients of the blocks to the parameters of the chain, and their statistics.
func (d *denoiser) gather(f *fit) {
	grads := map[string]*tensor.Tensor{}
	var states []string
	for _, c := range d.blocks {
		for _, p := range c.pairs {
			if p.state {
				copy(p.chain.Bytes(), p.own.Bytes())
				states = append(states, p.name)
			} else if g := c.r.Grad(p.name); g != nil {
				grads[p.name] = g
			}
		}
	}
	if d.grad != nil {
		grads[d.prefix+"embedding"] = d.grad
	}
	if d.gamma != nil {
		maps.Copy(grads, d.gamma.grads)
	}
	for _, p := range f.params {
		p.G = grads[p.Name]
	}
	if len(states) > 0 {
		f.m.Changed(states...)
	}
}

// derived adds what does not depend on the blocks' weights to the loss, and makes the gradients of what all blocks share: the embedding.
func (d *denoiser) derived(given []*noised, u []float32, labels []int64) (loss float64) {
	w, rows := d.dim(), len(labels)
	bar, ends := 0.0, d.Variant != NoPropFM
	switch {
	case d.Variant == NoPropDT:
		bar = d.plan.bar[0]
	case ends:
		g, _ := d.schedule(0)
		bar = sigmoid(-g)
	}
	var du []float64
	if d.grad != nil {
		du = make([]float64, len(u))
	}
	for i := range rows {
		norm2 := 0.0
		for j := i * w; j < (i+1)*w; j++ {
			norm2 += float64(u[j]) * float64(u[j])
			if du != nil {
				du[j] = bar * float64(u[j]) / float64(rows)
			}
		}
		if ends {
			loss += klToNormal(bar, norm2, w) / float64(rows)
		}
	}
	if du == nil {
		return loss
	}
	sum := make([]float64, d.grad.Len())
	for k, c := range d.blocks {
		share := 1.0 // of the block in the loss
		if k < d.Blocks() {
			share = 1 / float64(d.Blocks())
		}
		if g := c.r.Grad(blockZ); g != nil {
			for j, v := range g.F32() {
				du[j] += share * given[k].keep[j/w] * float64(v)
			}
		}
		if c.out {
			out, want := c.r.Value(blockOut).F32(), given[k].want.F32()
			for j := range out {
				du[j] -= share * 2 * float64(given[k].share.F32()[j/w]) * float64(out[j]-want[j])
			}
		}
		if g := c.r.Grad(d.prefix + "embedding"); g != nil {
			for j, v := range g.F32() {
				sum[j] += share * float64(v)
			}
		}
	}
	for i, y := range labels {
		for j := range w {
			sum[int(y)*w+j] += du[i*w+j]
		}
	}
	for j, v := range sum {
		d.grad.F32()[j] = float32(v)
	}
	return loss
}

// sideBySide does n things, workers at a time, and gives the error of the first that failed.
func sideBySide(workers, n int, do func(k int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				errs[k] = do(k)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
