package ops

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// lowerResizeGrad is, for the nearest element, dY added up at the indices that Resize takes. Interpolation is a matrix for each axis, which
// Resize makes of the unit matrix: dX is dY times the transpose of each. Without attribute axes, batch and channels keep their extents;
// that others are resized, of a value whose rank the graph does not know, shows when it runs.
func lowerResizeGrad(a *resizeAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	dy, like, scales, sizes := n.In[0], n.In[1], input(n, 3), input(n, 4)
	switch {
	case a.Transform == "tf_crop_and_resize":
		return nil, fmt.Errorf("gradient of Resize with tf_crop_and_resize: %w", errors.ErrUnsupported)
	case a.Mode == "nearest":
		return []graph.Value{addBack(b, dy, like, func(index graph.Value) graph.Value {
			return resized(b, a, index, input(n, 2), scales, sizes)
		})}, nil
	case a.Policy != "stretch" && a.Policy != "":
		return nil, fmt.Errorf("gradient of Resize with keep_aspect_ratio_policy %s: %w", a.Policy, errors.ErrUnsupported)
	}
	rank := rankOf(b, like)
	for _, v := range []graph.Value{scales, sizes} {
		if v != 0 && len(a.Axes) == 0 && b.G.Info(v).Data != nil && b.G.Info(v).Data.Len() > 0 {
			rank = b.G.Info(v).Data.Len()
		}
	}
	if rank < 0 {
		rank = 4
	}
	axes, at := a.Axes, []int(nil) // at: their place in scales and sizes
	for i, k := range axes {
		at = append(at, i)
		if k < 0 && rankOf(b, like) < 0 {
			return nil, fmt.Errorf("gradient of Resize along axis %d of a value of unknown rank: %w", k, errors.ErrUnsupported)
		}
	}
	if len(axes) == 0 {
		var known *tensor.Tensor
		if scales != 0 {
			known = b.G.Info(scales).Data
		}
		for k := range rank {
			if known != nil && known.Len() == rank && known.F32()[k] == 1 || known == nil && k < 2 && rank > 2 {
				continue
			}
			axes, at = append(axes, k), append(at, k)
		}
	}
	one := *a
	one.Axes = nil
	d := b.DType(dy)
	zero := tensor.New(d, 1)
	x := dy
	for i, k := range axes {
		if k < 0 {
			k += rank
		}
		extent := b.Add(Slice, nil, b.Add(Shape, nil, like), b.Ints(k), b.Ints(k+1))
		square := joined(b, extent, extent)
		eye := b.Add(EyeLike, nil, b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: zero}, square))
		part := func(v graph.Value) graph.Value { return b.Add(Slice, nil, v, b.Ints(at[i]), b.Ints(at[i]+1)) }
		var m graph.Value // [out,in]
		if sizes != 0 {
			m = b.Add(Resize, &one, eye, 0, 0, joined(b, part(sizes), extent))
		} else {
			m = b.Add(Resize, &one, eye, 0, joined(b, part(scales), b.Const(tensor.From([]float32{1}, 1))))
		}
		switch k {
		case rank - 1:
			x = b.Add(MatMul, nil, x, m)
		case rank - 2:
			x = b.Add(MatMul, nil, b.Add(Transpose, Perm(1, 0), m), x)
		default:
			perm := make([]int, rank)
			for j := range perm {
				perm[j] = j
			}
			perm[k], perm[rank-1] = rank-1, k
			x = b.Add(Transpose, Perm(perm...), b.Add(MatMul, nil, b.Add(Transpose, Perm(perm...), x), m))
		}
	}
	return []graph.Value{inShape(b, x, b.Add(Shape, nil, like))}, nil
}
