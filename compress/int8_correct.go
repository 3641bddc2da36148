package compress

import (
	"context"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
)

// means finds the mean of what each Conv and Gemm reads, by channel, over the examples.
func (q *int8Net) means(ctx context.Context) error {
	if !q.m.Correct || q.s.Data == nil || q.m.Mode == "dynamic" {
		return nil
	}
	of := map[string][]*int8Layer{}
	var names []string
	for _, l := range q.layers {
		if v := in(l.x, 0); is(l.x, "Conv", "Gemm") && q.constant(v) == nil {
			if of[v] == nil {
				names = append(names, v)
			}
			of[v] = append(of[v], l)
		}
	}
	if len(names) == 0 {
		return nil
	}
	m, err := engine.Load(q.net.m.Clone(), engine.WithPool(q.s.Model.Pool()))
	if err != nil {
		return err
	}
	s, err := m.Session(engine.Query{Fetch: names})
	if err != nil {
		return err
	}
	sub := *q.s
	if sub.Feed, err = q.s.Feed.With(m); err != nil {
		return err
	}
	sum, count := map[string][]float64{}, map[string]float64{}
	err = sub.Run(ctx, "means", s, q.m.Samples, func(_ *data.Batch, part feed.Part) error {
		for _, v := range names {
			t := part.Value(v)
			rows := t.Dim(0)
			if k := part.Hi - part.Lo; part.Size == rows {
				rows = k // the others fill the batch up
			}
			c := t.Dim(1)
			each := t.Len() / (t.Dim(0) * c)
			if sum[v] == nil {
				sum[v] = make([]float64, c)
			}
			x := t.Float64s()
			for i := range rows * c {
				for _, f := range x[i*each : (i+1)*each] {
					sum[v][i%c] += f
				}
			}
			count[v] += float64(rows * each)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for v, ls := range of {
		for i := range sum[v] {
			sum[v][i] /= count[v]
		}
		for _, l := range ls {
			l.means = sum[v]
		}
	}
	return nil
}

// correct takes back, in the bias of l, what w instead of its weights changes on average, and reports whether there was something to do. At
// the edges of a picture, where padding is read, it is not quite that.
//
// Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", https://arxiv.org/abs/1906.04721,
// section 4.2, with means of examples.
func (l *int8Layer) correct(w quantised) bool {
	if l.means == nil {
		return false
	}
	at := 0 // axis of the outputs
	if l.x.GetOpType() == "Gemm" && number(l.x, "transB", 0) == 0 {
		at = 1
	}
	n := l.w.Dim(at)
	shape, x, q := l.w.Shape(), l.w.F32(), w.q.Float64s()
	inner := 1
	if w.axis >= 0 {
		for _, d := range shape[w.axis+1:] {
			inner *= d
		}
	}
	scale := func(i int) float64 {
		if w.axis < 0 {
			return float64(w.scale[0])
		}
		return float64(w.scale[i/inner%shape[w.axis]])
	}
	change := make([]float64, n)
	if at == 1 { // [K,N]
		for i, v := range x {
			change[i%n] += (q[i]*scale(i) - float64(v)) * l.means[i/n]
		}
	} else { // [N,K] or [M,C/g,…]
		k := shape[1]
		group := max(1, len(l.means)/max(1, k))
		each := 1
		for _, d := range shape[2:] {
			each *= d
		}
		for i, v := range x {
			o, c := i/(k*each), i/each%k
			change[o] += (q[i]*scale(i) - float64(v)) * l.means[o/(n/group)*k+c]
		}
	}
	if l.bias == nil {
		l.bias = make([]float32, n)
	} else {
		l.bias = slices.Clone(l.bias)
	}
	for i, d := range change {
		l.bias[i] -= float32(d)
	}
	return true
}
