package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
)

// FusedMatMul is alpha·A'·B', the matrix product of NumPy. A' is A with its last two axes exchanged where transA says so; with
// transBatchA the first axis of A is its rows, and those between it and the last are the batch. A vector is not transposed.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FusedMatMul
var FusedMatMul = new(graph.Spec)

type fusedMatMulAttrs struct {
	Alpha       float32 `onnx:"alpha,default=1"`
	TransA      bool    `onnx:"transA,default=0"`
	TransB      bool    `onnx:"transB,default=0"`
	TransBatchA bool    `onnx:"transBatchA,default=0"`
	TransBatchB bool    `onnx:"transBatchB,default=0"`
}

func (a *fusedMatMulAttrs) product(b *graph.Builder, n *graph.Node) graph.Value {
	x := arranged(b, n.In[0], a.TransA, a.TransBatchA)
	y := arranged(b, n.In[1], a.TransB, a.TransBatchB)
	return scaled(b, matmul(b, x, y), float64(a.Alpha))
}

func init() {
	define(FusedMatMul, graph.Def[fusedMatMulAttrs]{
		Name: "FusedMatMul", Since: []int{1}, Doc: contrib + "FusedMatMul",
		In: []graph.Formal{real("A"), weight("B")}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(a *fusedMatMulAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{a.product(b, n)}, nil
		},
	})
}

// arranged is x with its first axis moved behind the others but the last, where batch says so, and then its last two exchanged, where
// matrix does. Where the rank is not known, the axes that stay together are one meanwhile.
func arranged(b *graph.Builder, x graph.Value, matrix, batch bool) graph.Value {
	r := rankOf(b, x)
	if !matrix && !batch || r == 0 || r == 1 {
		return x
	}
	if r > 0 {
		var perm []int
		for i := range r {
			perm = append(perm, i)
		}
		if batch {
			perm = append(append(perm[1:r-1:r-1], 0), r-1)
		}
		if matrix {
			perm[r-2], perm[r-1] = perm[r-1], perm[r-2]
		}
		return transpose(b, x, perm...)
	}
	last := extent(b, x, -1)
	if batch {
		first, batches := extents(b, x, 0, 1), extents(b, x, 1, -1)
		x = reshape(b, x, first, product(b, batches), last)
		if matrix {
			return reshape(b, transpose(b, x, 1, 2, 0), batches, last, first)
		}
		return reshape(b, transpose(b, x, 1, 0, 2), batches, first, last)
	}
	batches, rows := extents(b, x, 0, -2), extents(b, x, -2, -1) // no rows: x is a vector, and stays one
	x = reshape(b, x, product(b, batches), product(b, rows), last)
	return reshape(b, transpose(b, x, 0, 2, 1), batches, last, rows)
}
