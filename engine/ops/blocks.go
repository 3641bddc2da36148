package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// takeBlocks sets block i of dst, of k elements, to the block of src that starts at element at[i].
func takeBlocks(p *parallel.Pool, dst, src *tensor.Tensor, at []int, k int) {
	if packed(dst.DType()) {
		u := unpack(dst)
		takeBlocks(p, u, unpack(src), at, k)
		pack(dst, u)
		return
	}
	switch dst.DType().Bits() {
	case 8:
		take(p, cells[uint8](dst), cells[uint8](src), at, k)
	case 16:
		take(p, cells[uint16](dst), cells[uint16](src), at, k)
	case 32:
		take(p, cells[uint32](dst), cells[uint32](src), at, k)
	case 64:
		take(p, cells[uint64](dst), cells[uint64](src), at, k)
	case 128:
		take(p, cells[complex128](dst), cells[complex128](src), at, k)
	default:
		take(p, cells[string](dst), cells[string](src), at, k)
	}
}

func take[T cell](p *parallel.Pool, dst, src []T, at []int, k int) {
	if k == 0 {
		return
	}
	p.For(len(at), max(1, 1<<14/k), func(lo, hi int) {
		if k == 1 {
			for i, j := range at[lo:hi] {
				dst[lo+i] = src[j]
			}
			return
		}
		for i, j := range at[lo:hi] {
			copy(dst[(lo+i)*k:(lo+i+1)*k], src[j:j+k])
		}
	})
}

// putBlocks sets the block of dst that starts at element at[i] to block i of src, of k elements, in order of i.
func putBlocks(dst, src *tensor.Tensor, at []int, k int) {
	if packed(dst.DType()) {
		u := unpack(dst)
		putBlocks(u, unpack(src), at, k)
		pack(dst, u)
		return
	}
	switch dst.DType().Bits() {
	case 8:
		put(cells[uint8](dst), cells[uint8](src), at, k)
	case 16:
		put(cells[uint16](dst), cells[uint16](src), at, k)
	case 32:
		put(cells[uint32](dst), cells[uint32](src), at, k)
	case 64:
		put(cells[uint64](dst), cells[uint64](src), at, k)
	case 128:
		put(cells[complex128](dst), cells[complex128](src), at, k)
	default:
		put(cells[string](dst), cells[string](src), at, k)
	}
}

func put[T cell](dst, src []T, at []int, k int) {
	for i, j := range at {
		copy(dst[j:j+k], src[i*k:(i+1)*k])
	}
}

// reduceBlocks is putBlocks with the elements combined with those that are there, by how: add, mul, max or min.
func reduceBlocks(p *parallel.Pool, dst, src *tensor.Tensor, at []int, k int, how string) error {
	switch dst.DType() {
	case tensor.Float32:
		combine[float32](p, dst, src, at, k, how)
	case tensor.Float64:
		combine[float64](p, dst, src, at, k, how)
	case tensor.Int8:
		combine[int8](p, dst, src, at, k, how)
	case tensor.Int16:
		combine[int16](p, dst, src, at, k, how)
	case tensor.Int32:
		combine[int32](p, dst, src, at, k, how)
	case tensor.Int64:
		combine[int64](p, dst, src, at, k, how)
	case tensor.Uint8:
		combine[uint8](p, dst, src, at, k, how)
	case tensor.Uint16:
		combine[uint16](p, dst, src, at, k, how)
	case tensor.Uint32:
		combine[uint32](p, dst, src, at, k, how)
	case tensor.Uint64:
		combine[uint64](p, dst, src, at, k, how)
	default:
		return fmt.Errorf("reduction %s of %v is not supported", how, dst.DType())
	}
	return nil
}

type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// combine splits the columns of the blocks between threads, so that the order of additions is always that of the blocks.
func combine[T number](p *parallel.Pool, dt, st *tensor.Tensor, at []int, k int, how string) {
	dst, src := tensor.Data[T](dt), tensor.Data[T](st)
	p.For(k, max(64, 1<<16/max(len(at), 1)), func(lo, hi int) {
		for i, j := range at {
			d, s := dst[j+lo:j+hi], src[i*k+lo:i*k+hi]
			switch how {
			case "add":
				for x := range d {
					d[x] += s[x]
				}
			case "mul":
				for x := range d {
					d[x] *= s[x]
				}
			case "max":
				for x := range d {
					d[x] = max(d[x], s[x])
				}
			case "min":
				for x := range d {
					d[x] = min(d[x], s[x])
				}
			}
		}
	})
}

// indicesIn is the content of an index tensor for an axis of extent n, negative ones counted from the end.
func indicesIn(t *tensor.Tensor, n int) ([]int, error) {
	idx, err := graph.IntsOf(t)
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	for i, x := range idx {
		if x < -n || x >= n {
			return nil, fmt.Errorf("index %d, at position %d, is outside an axis of extent %d", x, i, n)
		}
		if x < 0 {
			idx[i] = x + n
		}
	}
	return idx, nil
}
