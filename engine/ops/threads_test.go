package ops_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

var pool4 = sync.OnceValue(func() *parallel.Pool { return parallel.New(4) })

// forks counts the loops that were shared among threads so far; nil without the build tag invariants.
var forks func() int64

// scaled is c with a batch so large that some input has elements elements; ok is false where it has no batch that all inputs share.
func (c opCase) scaled(elements int) (large opCase, ok bool) {
	n, most := 0, 0
	for _, a := range c.in {
		if !a.batch {
			continue
		}
		shape := tensor.Shape(a.shape)
		if a.fixed != nil {
			shape = a.fixed.Shape()
		}
		if n != 0 && shape[0] != n || len(shape) == 0 {
			return c, false
		}
		n = shape[0]
		most = max(most, shape[1:].Len())
	}
	if n == 0 || most == 0 || len(c.bodies) > 0 {
		return c, false
	}
	large = c
	large.in = slices.Clone(c.in)
	times := elements/most/n + 1
	for i, a := range large.in {
		switch {
		case a.batch && a.fixed != nil:
			rows := slices.Repeat(a.fixed.I64(), times)
			large.in[i].fixed = tensor.From(rows, append([]int{n * times}, a.fixed.Shape()[1:]...)...)
		case a.batch:
			large.in[i].shape = append([]int{n * times}, a.shape[1:]...)
		}
	}
	return large, true
}

// undivided are the operators whose kernels are one piece at any size: views, what runs bodies, shapes, and some that nobody has divided.
var undivided = []string{
	"If", "Loop", "Scan", "Identity", "Dropout", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Shape", "Size", "NonZero",
	"Range",
	"ConstantOfShape", "FillLike", "EyeLike", "CenterCropPad", "ImageDecoder", "MaxRoiPoolGather", "MaxUnpool", "NonMaxSuppression",
	"ScaleSum",
	"GlobalMaxPool", "NegativeLogLikelihoodLoss", "Scatter", "ScatterElements",
}

// TestThreads runs every operator, its gradient and its per-example gradients on problems that are cut into several pieces: 1, 2 and 4
// threads give the same bits. With the build tag invariants it also checks that they are cut.
func TestThreads(t *testing.T) {
	split, ran := map[string]int{}, 0
	try := func(name string, c opCase, must bool) {
		t.Run(name, func(t *testing.T) {
			ran++
			// What has nothing but constants would be computed when it is compiled, on one thread.
			p, err := c.build(tensor.Float32, !slices.ContainsFunc(c.args(), func(a arg) bool { return a.gen != nil }))
			if err != nil {
				t.Fatal(err)
			}
			before := int64(0)
			if forks != nil {
				before = forks()
			}
			out, err := p.onThreads(t, "output", p.node.Out)
			if err != nil && must {
				t.Fatal(err)
			}
			if err != nil {
				return // a larger batch does not fit the other inputs of every case
			}
			if forks != nil && forks() > before {
				split[c.op]++
			}
			if !c.values && p.node.Op.HasGrad() && len(p.diff) > 0 {
				p.gradientOnThreads(t, out)
			}
		})
	}
	total := 0
	for _, c := range largeCases() {
		try("large "+c.String(), c, true)
		total++
	}
	for _, small := range cases {
		if c, ok := small.scaled(1 << 16); ok && small.drawn == 0 {
			try(small.String(), c, false)
			total++
		}
	}
	if ran < total || forks == nil {
		return
	}
	told := map[string]bool{}
	for _, c := range cases {
		known := slices.Contains(undivided, c.op)
		if (split[c.op] > 0) == known && !told[c.op] {
			t.Errorf("%d large cases of %s are cut into pieces; it is listed as undivided: %v", split[c.op], c.op, known)
		}
		told[c.op] = true
	}
}

// gradientOnThreads differentiates what gave out.
func (p *problem) gradientOnThreads(t *testing.T, out []*tensor.Tensor) {
	r := rand.New(rand.NewPCG(1, 2))
	var seeds []grad.Seed
	dy := make([]graph.Value, len(p.node.Out))
	for i, v := range p.node.Out {
		if f := p.node.Op.FormalOut(i); v == 0 || !graph.Differentiable(p.g.Info(v).DType) || f != nil && (f.NoGrad || f.State) {
			continue
		}
		name := p.g.Info(v).Name + " seed"
		p.feeds[name] = tensor.From(normal(r, out[i].Len()), out[i].Shape()...)
		dy[i] = p.g.AddInput(name, tensor.Float32, nil)
		seeds = append(seeds, grad.Seed{Y: v, DY: dy[i]})
	}
	var fetch []graph.Value
	for _, i := range p.diff {
		fetch = append(fetch, p.vals[i])
	}
	fetch, err := p.reverse(seeds, fetch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.onThreads(t, "gradient", present(fetch)); err != nil {
		t.Error(err)
	}
	for i, a := range p.c.in {
		if a.gen == nil || a.batch || a.stop || p.c.whole || !p.node.Op.HasPerExample() || !slices.Contains(p.diff, i) {
			continue
		}
		b := graph.NewBuilder(p.g)
		pe, err := p.node.Op.PerExample(b, p.node, dy, i)
		if err == nil && b.Err() == nil && pe.Norm2 != 0 {
			_, err = p.onThreads(t, "norm of the per-example gradient", []graph.Value{pe.Norm2})
		}
		if err != nil && !errors.Is(err, graph.ErrNoGradient) {
			t.Error(err)
		}
	}
}

// onThreads computes fetch on 1, 2 and 4 threads.
func (p *problem) onThreads(t *testing.T, what string, fetch []graph.Value) (one []*tensor.Tensor, err error) {
	for _, pool := range []*parallel.Pool{nil, pool2(), pool4()} {
		got, err := p.runOnce(pool, p.feeds, fetch)
		if err != nil {
			return nil, err
		}
		if one == nil {
			one = got
		}
		for i := range one {
			if string(got[i].Bytes()) != string(one[i].Bytes()) {
				t.Errorf("%s %d differs with %d threads: %v", what, i, pool.Threads(), difference(got[i], one[i]))
			}
		}
	}
	return one, nil
}
