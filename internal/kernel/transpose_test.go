package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

func count[T Number](n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(i)
	}
	return x
}

func testPermute[T Number](t *testing.T, p *parallel.Pool, shape, perm []int) {
	in, out := count[T](size(shape)), make([]T, size(shape))
	Permute(p, out, in, shape, perm)
	outShape, st := make([]int, len(perm)), Strides(shape)
	for k, a := range perm {
		outShape[k] = shape[a]
	}
	os := Strides(outShape)
	odometer(outShape, func(idx []int) {
		o := 0
		for k, a := range perm {
			o += idx[k] * st[a]
		}
		if out[at(idx, os)] != in[o] {
			t.Fatalf("%T %v by %v at %v: %v, want %v", in, shape, perm, idx, out[at(idx, os)], in[o])
		}
	})
}

func TestPermute(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	ps := pools(t)
	for range 200 {
		shape := make([]int, r.IntN(6))
		for i := range shape {
			shape[i] = 1 + r.IntN(9)
			if r.IntN(6) == 0 {
				shape[i] = 33
			}
		}
		for size(shape) > 100000 {
			shape[0], shape = 1, shape[1:]
		}
		perm := r.Perm(len(shape))
		p := ps[r.IntN(3)]
		testPermute[uint8](t, p, shape, perm)
		testPermute[int16](t, p, shape, perm)
		testPermute[float32](t, p, shape, perm)
		testPermute[float64](t, p, shape, perm)
	}
	for _, p := range ps {
		testPermute[float32](t, p, []int{257, 311}, []int{1, 0})
		testPermute[float32](t, p, []int{3, 64, 50, 7}, []int{0, 2, 3, 1})
		testPermute[float32](t, p, []int{0, 3}, []int{1, 0})
	}
}

func TestSlice(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	ps := pools(t)
	for range 300 {
		rank := r.IntN(5)
		shape, outShape, starts, steps := make([]int, rank), make([]int, rank), make([]int, rank), make([]int, rank)
		for i := range shape {
			shape[i] = 1 + r.IntN(12)
			steps[i] = []int{1, 1, 2, 3, -1, -2}[r.IntN(6)]
			starts[i] = r.IntN(shape[i])
			room := shape[i] - 1 - starts[i]
			if steps[i] < 0 {
				room = starts[i]
			}
			outShape[i] = r.IntN(room/max(steps[i], -steps[i]) + 2)
		}
		p := ps[r.IntN(3)]
		in, out := count[int32](size(shape)), make([]int32, size(outShape))
		Slice(p, out, outShape, in, shape, starts, steps)
		set, sum := make([]int32, len(in)), slices.Clone(in)
		SliceSet(p, set, shape, out, outShape, starts, steps)
		SliceAdd(p, sum, shape, out, outShape, starts, steps)
		hit := make([]bool, len(in))
		is, os := Strides(shape), Strides(outShape)
		odometer(outShape, func(idx []int) {
			o := 0
			for k := range idx {
				o += (starts[k] + idx[k]*steps[k]) * is[k]
			}
			hit[o] = true
			if out[at(idx, os)] != in[o] {
				t.Fatalf("slice of %v from %v by %v at %v", shape, starts, steps, idx)
			}
		})
		for i := range in {
			w := int32(0)
			if hit[i] {
				w = in[i]
			}
			if set[i] != w || sum[i] != in[i]+w {
				t.Fatalf("set or add of %v from %v by %v at %d", shape, starts, steps, i)
			}
		}
	}
}

func TestExpandTileCopyRows(t *testing.T) {
	p := pools(t)[1]
	out := make([]int32, 12)
	Expand(p, out, []int{2, 3, 2}, []int32{1, 2, 3}, []int{3, 1})
	if !slices.Equal(out, []int32{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}) {
		t.Errorf("Expand: %v", out)
	}
	Tile(p, out, []int32{1, 2, 3}, []int{3, 1}, []int{2, 2})
	if !slices.Equal(out, []int32{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}) {
		t.Errorf("Tile: %v", out)
	}
	clear(out)
	CopyRows(p, out, 6, []int32{1, 2, 3, 4}, 2, 2, 2)
	CopyRows(p, out[2:], 6, []int32{5, 6, 7, 8, 9, 10, 11, 12}, 4, 2, 4)
	if !slices.Equal(out, []int32{1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12}) {
		t.Errorf("CopyRows: %v", out)
	}
}

func TestGatherScatter(t *testing.T) {
	ps := pools(t)
	r := rand.New(rand.NewPCG(13, 14))
	for range 100 {
		outer, n, inner, m := r.IntN(4), 1+r.IntN(9), r.IntN(300), r.IntN(20)
		idx := make([]int64, m)
		for j := range idx {
			idx[j] = int64(r.IntN(2*n) - n)
		}
		in, out := count[float32](outer*n*inner), make([]float32, outer*m*inner)
		want, wantGrad := make([]float32, len(out)), make([]float32, len(in))
		for k := range want {
			o, j, c := k/(m*inner), k/inner%m, k%inner
			i := (int(idx[j]) + n) % n
			want[k] = in[(o*n+i)*inner+c]
			wantGrad[(o*n+i)*inner+c] += want[k]
		}
		for _, p := range ps {
			if bad := Gather(p, out, in, idx, outer, n, inner); bad >= 0 || !sameBits(out, want) {
				t.Fatalf("Gather %d %d %d by %v: %d", outer, n, inner, idx, bad)
			}
			grad := make([]float32, len(in))
			if bad := ScatterAdd(p, grad, out, idx, outer, n, inner); bad >= 0 || !sameBits(grad, wantGrad) {
				t.Fatalf("ScatterAdd %d %d %d by %v: %d", outer, n, inner, idx, bad)
			}
			// The same through one index per element.
			each := make([]int64, len(out))
			for k := range each {
				each[k] = idx[k/inner%m]
			}
			clear(out)
			clear(grad)
			if bad := GatherElements(p, out, in, each, outer, n, m, inner); bad >= 0 || !sameBits(out, want) {
				t.Fatalf("GatherElements %d %d %d by %v: %d", outer, n, inner, idx, bad)
			}
			if bad := ScatterElementsAdd(p, grad, out, each, outer, n, m, inner); bad >= 0 || !sameBits(grad, wantGrad) {
				t.Fatalf("ScatterElementsAdd %d %d %d by %v: %d", outer, n, inner, idx, bad)
			}
		}
	}
	x, wrong := make([]float32, 3), []int32{0, 3, -4}
	if Gather(nil, x, x, wrong, 1, 3, 1) != 1 || ScatterAdd(nil, x, x, wrong, 1, 3, 1) != 1 ||
		GatherElements(nil, make([]float32, 3), x, wrong, 1, 3, 3, 1) < 1 || ScatterElementsAdd(nil, x, x, wrong, 1, 3, 3, 1) != 1 {
		t.Error("an index out of range is not reported")
	}
}

func TestPad(t *testing.T) {
	ps := pools(t)
	row := []int32{1, 2, 3}
	for _, c := range []struct {
		mode PadMode
		want []int32
	}{
		{PadConstant, []int32{9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 9, 9}}, {PadReflect, []int32{2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3}},
		{PadEdge, []int32{1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3}}, {PadWrap, []int32{2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1}},
	} {
		out := make([]int32, 12)
		Pad(nil, out, row, []int{3}, []int{5}, []int{4}, c.mode, 9)
		if !slices.Equal(out, c.want) {
			t.Errorf("mode %d: %v, want %v", c.mode, out, c.want)
		}
	}
	r := rand.New(rand.NewPCG(15, 16))
	for range 200 {
		rank := 1 + r.IntN(4)
		shape, before, after, outShape := make([]int, rank), make([]int, rank), make([]int, rank), make([]int, rank)
		for i := range shape {
			shape[i] = 1 + r.IntN(6)
			if r.IntN(2) == 0 {
				before[i], after[i] = r.IntN(5)-1, r.IntN(4)
			}
			outShape[i] = max(shape[i]+before[i]+after[i], 0)
		}
		mode := PadMode(r.IntN(4))
		in, out := count[float32](size(shape)), make([]float32, size(outShape))
		dy, dx, wantDx := randF32(r, len(out)), make([]float32, len(in)), make([]float32, len(in))
		for i := range dy {
			dy[i] = float32(r.IntN(9)) // exact sums in any order
		}
		for _, p := range ps {
			Pad(p, out, in, shape, before, after, mode, -1)
			PadGrad(p, dx, dy, shape, before, after, mode)
			clear(wantDx)
			is, os := Strides(shape), Strides(outShape)
			odometer(outShape, func(idx []int) {
				w, o := float32(-1), 0
				for k := range idx {
					j := padMap(mode, shape[k], before[k], after[k])[idx[k]]
					if j < 0 {
						o = -1
						break
					}
					o += j * is[k]
				}
				if o >= 0 {
					w = in[o]
					wantDx[o] += dy[at(idx, os)]
				}
				if out[at(idx, os)] != w {
					t.Fatalf("pad %v by %v %v mode %d at %v: %g, want %g", shape, before, after, mode, idx, out[at(idx, os)], w)
				}
			})
			if !sameBits(dx, wantDx) {
				t.Fatalf("gradient of pad %v by %v %v mode %d", shape, before, after, mode)
			}
		}
	}
}
