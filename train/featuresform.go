package train

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// Form is the shape of the features for two examples of ds, or one, and their type as the file has it. plan feeds the model that x was
// found in.
func (x *Features) Form(ctx context.Context, plan *feed.Plan, ds data.Dataset, pre *data.Preprocess, opts ...engine.Option) (s tensor.Shape,
	d tensor.DType, err error) {
	m, err := engine.Load(x.file, opts...)
	if err != nil {
		return nil, 0, err
	}
	defer m.Close()
	if plan, err = plan.With(m); err != nil {
		return nil, 0, err
	}
	session, err := m.Session(engine.Query{Fetch: []string{x.Value}})
	if err != nil {
		return nil, 0, fmt.Errorf("train: features: %w", err)
	}
	n := min(2, ds.Len())
	for b, err := range data.Batches(ctx, ds, data.Sequential(n), n, data.BatchOptions{Preprocess: pre}) {
		if err != nil {
			return nil, 0, err
		}
		var all *tensor.Tensor
		err = plan.Run(ctx, session, b, feed.Rows{}, func(p feed.Part) (err error) {
			all, err = feed.Gather(all, x.Value, p.Value(x.Value), p, n)
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("train: features: %w; name others with --features", err)
		}
		s, d = all.Shape(), all.DType()
	}
	if types, err := engine.Types(x.file, opts...); err == nil && types[x.Value].GetTensorType() != nil {
		d = tensor.DType(types[x.Value].GetTensorType().GetElemType())
	}
	return s, d, nil
}
