package data

import (
	"context"
	"fmt"
	"iter"

	"github.com/gtk-onnx/gtk/tensor"
)

// Views iterates like Batches over several views of each example, one for each of the augmentations, which draw apart: a batch of size n
// has len(views)·n rows, view 0 of all n examples, then view 1. The augmentation of o is not looked at; what mixes examples is an error.
func Views(ctx context.Context, ds Dataset, s Sampler, size int, o BatchOptions, views []Augment) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		var next []func() (*Batch, error, bool)
		for k, a := range views {
			if mixes, _ := a.Mixes(); mixes {
				yield(nil, fmt.Errorf("data: views: %s mixes examples, and a view is of one", a))
				return
			}
			own := o
			own.Augment, own.Seed = a, newRandom(o.Seed, keyView, uint64(k)).pcg.Uint64()
			pull, stop := iter.Pull2(Batches(ctx, ds, s, size, own))
			defer stop()
			next = append(next, pull)
		}
		joined := &Batch{}
		for {
			var parts []*Batch
			for _, pull := range next {
				b, err, ok := pull()
				if err != nil {
					yield(nil, err)
					return
				}
				if !ok {
					return
				}
				parts = append(parts, b)
			}
			if err := joined.join(parts); err != nil {
				yield(nil, err)
				return
			}
			if !yield(joined, nil) {
				return
			}
		}
	}
}

// join makes b the rows of the parts one after another. Its tensors are those of before where they have the right shape.
func (b *Batch) join(parts []*Batch) error {
	b.Index, b.IDs, b.Labels = b.Index[:0], b.IDs[:0], b.Labels[:0]
	for _, p := range parts {
		b.Index, b.IDs, b.Labels = append(b.Index, p.Index...), append(b.IDs, p.IDs...), append(b.Labels, p.Labels...)
	}
	var err error
	stack := func(old *tensor.Tensor, of func(*Batch) *tensor.Tensor) *tensor.Tensor {
		first := of(parts[0])
		if first == nil || err != nil {
			return nil
		}
		shape := append(tensor.Shape{len(b.IDs)}, first.Shape()[1:]...)
		if old == nil || old.DType() != first.DType() || !old.Shape().Equal(shape) {
			if old, err = tensor.Make("a batch of views", first.DType(), shape...); err != nil {
				return nil
			}
		}
		at := 0
		for _, p := range parts {
			n := p.Len()
			tensor.CopyRows(old, at, of(p), 0, n, n)
			at += n
		}
		return old
	}
	b.X = stack(b.X, func(p *Batch) *tensor.Tensor { return p.X })
	b.Y = stack(b.Y, func(p *Batch) *tensor.Tensor { return p.Y })
	if parts[0].Fields != nil && b.Fields == nil {
		b.Fields = map[string]*tensor.Tensor{}
	}
	for name := range parts[0].Fields {
		b.Fields[name] = stack(b.Fields[name], func(p *Batch) *tensor.Tensor { return p.Fields[name] })
	}
	return err
}
