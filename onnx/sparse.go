package onnx

import (
	"fmt"
	"math"
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// maxDense is how large the dense forms of a model's sparse tensors may become together, next to 1000 times what it stores of them.
const maxDense = 64 << 20

// densified are the dense forms that were made, one for each content.
type densified struct {
	mu    sync.Mutex
	forms map[sparseContent]*tensor.Tensor
	bytes int64 // of all forms
	most  int64 // that they may have
}

type sparseContent struct {
	values, indices content
	dims            string
}

// SparseTensor is the dense form of a sparse tensor, which is made once: do not write into it. All that are made of a model may take a
// multiple of what it stores, more only where the memory of the process was set (--max-memory).
func (m *Model) SparseTensor(s *onnxpb.SparseTensorProto) (*tensor.Tensor, error) {
	m.sparse.mu.Lock()
	defer m.sparse.mu.Unlock()
	key := sparseContent{contentOf(s.GetValues()), contentOf(s.GetIndices()), fmt.Sprint(s.GetDims())}
	if isExternal(s.GetValues()) || isExternal(s.GetIndices()) {
		key.values.at, key.indices.at = unsafe.Pointer(s.GetValues()), unsafe.Pointer(s.GetIndices())
	}
	if t := m.sparse.forms[key]; t != nil {
		return t, nil
	}
	where := fmt.Sprintf("sparse tensor %q", s.GetValues().GetName())
	out, err := m.dense(s, where)
	if err != nil {
		return nil, at(err, where)
	}
	if m.sparse.forms == nil {
		m.sparse.forms = map[sparseContent]*tensor.Tensor{}
	}
	m.sparse.forms[key] = out
	return out, nil
}

// dense makes the dense form of s. The lock is held.
func (m *Model) dense(s *onnxpb.SparseTensorProto, where string) (*tensor.Tensor, error) {
	shape, vals, at, err := m.sparseParts(s)
	if err != nil {
		return nil, err
	}
	d := vals.DType()
	size := int64(d.Size(shape.Len()))
	m.sparse.most += 1000 * int64(len(vals.Bytes()))
	if _, chosen := memory.Budget(); !chosen && size > maxDense+m.sparse.most-m.sparse.bytes {
		m.sparse.most -= 1000 * int64(len(vals.Bytes()))
		return nil, &UnsupportedError{Feature: fmt.Sprintf("a sparse tensor %v with %d values: making it dense takes %s, and for what this "+
			"model stores sparsely %s are left: raise the limit with --max-memory", shape, vals.Len(), memory.Size(size),
			memory.Size(max(0, maxDense+m.sparse.most-m.sparse.bytes)))}
	}
	out, err := tensor.Make("the dense form of the "+where, d, shape...)
	if err != nil {
		return nil, err
	}
	m.sparse.bytes += size
	w := d.Bits() / 8
	dst, src := out.Bytes(), vals.Bytes()
	for i, k := range at {
		copy(dst[k*w:(k+1)*w], src[i*w:])
	}
	return out, nil
}

// sparseParts are the shape, the values and their linear positions, all checked.
func (m *Model) sparseParts(s *onnxpb.SparseTensorProto) (shape tensor.Shape, vals *tensor.Tensor, at []int, err error) {
	if s.GetValues() == nil {
		return nil, nil, nil, &FormatError{Msg: "has no values"}
	}
	if vals, err = m.Tensor(s.GetValues()); err != nil {
		return nil, nil, nil, err
	}
	d := vals.DType()
	shape, n, err := shapeOf(&onnxpb.TensorProto{Dims: s.GetDims(), DataType: s.GetValues().DataType})
	if err != nil {
		return nil, nil, nil, err
	}
	if d == tensor.String || d.Bits() < 8 {
		return nil, nil, nil, &UnsupportedError{Feature: fmt.Sprintf("sparse tensors of %v", d)}
	}
	if vals.Rank() != 1 {
		return nil, nil, nil, &FormatError{Msg: fmt.Sprintf("values have the shape %v, want one axis", vals.Shape())}
	}
	at, err = m.indices(s.GetIndices(), shape, n, vals.Len())
	return shape, vals, at, err
}

// indices are the linear positions of the values: ascending and inside the shape of n elements.
func (m *Model) indices(p *onnxpb.TensorProto, shape tensor.Shape, n, nnz int) ([]int, error) {
	if p == nil {
		if nnz == 0 {
			return nil, nil
		}
		return nil, &FormatError{Msg: "has no indices"}
	}
	idx, err := m.Tensor(p)
	if err != nil {
		return nil, err
	}
	if idx.DType() != tensor.Int64 {
		return nil, &FormatError{Msg: fmt.Sprintf("indices are %v, want int64", idx.DType())}
	}
	linear := idx.Shape().Equal(tensor.Shape{nnz})
	if !linear && !idx.Shape().Equal(tensor.Shape{nnz, len(shape)}) {
		return nil, &FormatError{Msg: fmt.Sprintf("indices of %d values have the shape %v, want [%d] or [%d,%d]", nnz, idx.Shape(), nnz,
			nnz, len(shape))}
	}
	out, last, v := make([]int, nnz), -1, idx.I64()
	for i := range out {
		k := 0
		if linear {
			if v[i] < 0 || v[i] > math.MaxInt {
				return nil, &FormatError{Msg: fmt.Sprintf("index %d is outside the shape %v", v[i], shape)}
			}
			k = int(v[i])
		} else {
			for a, e := range shape {
				x := v[i*len(shape)+a]
				if x < 0 || x >= int64(e) {
					return nil, &FormatError{Msg: fmt.Sprintf("index %v is outside the shape %v", v[i*len(shape):(i+1)*len(shape)], shape)}
				}
				k = k*e + int(x)
			}
		}
		if k >= n {
			return nil, &FormatError{Msg: fmt.Sprintf("index %d is outside the shape %v", k, shape)}
		}
		if k <= last {
			return nil, &FormatError{Msg: fmt.Sprintf("indices are not ascending at value %d", i)}
		}
		out[i], last = k, k
	}
	return out, nil
}
