package task

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// AheadError is the error of a language model whose scores for a position depend on the tokens behind it, so that it is told what it is
// to predict, and its perplexity means nothing.
type AheadError struct {
	Output string
	By     float64 // the largest change of a score when later tokens change
}

// Error says what was seen, and the ways out.
func (e *AheadError) Error() string {
	return fmt.Sprintf("the labels are the next tokens, but the scores %q gives at a position change with the tokens behind it (by "+
		"%.3g): the model sees what it is to predict. A language model needs a causal mask; --task tokens takes the labels for classes of "+
		"positions",
		e.Output, e.By)
}

// causal fails for a model that looks ahead: it runs the first example beside a copy with another second half and compares the scores in
// the first half. A model that quantises by all numbers of a tensor at once changes its rounding everywhere, which tells nothing, and so do
// several inputs with the tokens.
func (t *Task) causal(ctx context.Context, p *feed.Plan, ds data.Dataset, o Options) error {
	for _, n := range p.Model().File().Proto.GetGraph().GetNode() {
		if strings.HasPrefix(n.GetOpType(), "DynamicQuantize") {
			return nil
		}
	}
	twice := data.SamplerFunc(func(int) []int { return []int{0, 0} })
	for b, err := range data.Batches(ctx, ds, twice, 2, data.BatchOptions{Preprocess: o.Preprocess, Workers: 1, Prefetch: 1}) {
		if err != nil {
			return err
		}
		feeds, err := p.Feeds(b)
		if err != nil {
			return err
		}
		half, ok := otherwise(feeds, b.Y)
		if !ok {
			return nil
		}
		by, err := t.leak(ctx, p, feeds, half)
		if err != nil {
			return err
		}
		if by > 0 {
			return &AheadError{t.Head.Output, by}
		}
	}
	return nil
}

// otherwise gives the second of two equal examples other tokens from place half on, in the one input whose tokens y [2,T] has one place
// ahead.
func otherwise(feeds map[string]*tensor.Tensor, y *tensor.Tensor) (half int, ok bool) {
	found := ""
	for name, x := range feeds {
		if !x.DType().IsInt() || x.Rank() != 2 || y == nil || !x.Shape().Equal(y.Shape()) ||
			!follows(data.Example{X: part(x), Y: part(y)}) {
			continue
		}
		if found != "" {
			return 0, false
		}
		found = name
	}
	if found == "" {
		return 0, false
	}
	x := feeds[found].Clone()
	n := x.Dim(1)
	half = (n + 1) / 2
	tokens := x.Float64s()[:n]
	size := len(x.Bytes()) / x.Len()
	for i := half; i < n; i++ {
		j := slices.IndexFunc(tokens, func(v float64) bool { return v != tokens[i] })
		if j < 0 {
			return 0, false
		}
		copy(x.Bytes()[(n+i)*size:(n+i+1)*size], x.Bytes()[j*size:])
	}
	feeds[found] = x
	return half, true
}

// part is the first row of x [2,T].
func part(x *tensor.Tensor) *tensor.Tensor {
	row := tensor.New(x.DType(), x.Dim(1))
	tensor.CopyRows(row, 0, x, 0, 1, 2)
	return row
}

// leak is the largest difference between the scores of two examples before place half; 0 where it could be rounding.
func (t *Task) leak(ctx context.Context, p *feed.Plan, feeds map[string]*tensor.Tensor, half int) (float64, error) {
	s, err := p.Model().Session(engine.Query{Fetch: []string{t.Head.Logits}})
	if err != nil {
		return 0, err
	}
	var z *tensor.Tensor
	err = p.RunFeeds(ctx, s, feeds, 2, feed.Rows{}, func(part feed.Part) (err error) {
		z, err = feed.Gather(z, t.Head.Logits, part.Value(t.Head.Logits), part, 2)
		return err
	})
	if err != nil {
		return 0, err
	}
	n, k, position, class := z.Dim(1), z.Dim(2), z.Dim(2), 1
	if t.axis == 1 {
		n, k, position, class = z.Dim(2), z.Dim(1), 1, z.Dim(2)
	}
	v, off, top := z.Float64s(), 0.0, 0.0
	for i := range min(half, n) {
		for c := range k {
			a, b := v[i*position+c*class], v[n*k+i*position+c*class]
			if d := math.Abs(a - b); !math.IsInf(a, 0) {
				off, top = max(off, d), max(top, math.Abs(a))
			}
		}
	}
	if off <= 1e-4*top {
		return 0, nil
	}
	return off, nil
}
