package ops

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// counting is a tensor of type d whose elements tell where they are as far as the type can.
func counting(t *testing.T, d tensor.DType, shape ...int) *tensor.Tensor {
	t.Helper()
	x := tensor.New(tensor.Int64, shape...)
	for i := range x.I64() {
		x.I64()[i] = int64(i)
	}
	if d == tensor.String {
		s := tensor.New(d, shape...)
		for i := range s.Strings() {
			s.Strings()[i] = fmt.Sprint(i)
		}
		return s
	}
	c, err := x.Convert(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// element is element i of t in text.
func element(t *tensor.Tensor, i int) string {
	return fmt.Sprint(t.Reshape(t.Len()).At(i))
}

// Random walks, with reversed, repeated and exchanged axes, move every type as one loop nest does.
func TestCopyStrided(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(1, 2))
	types := []tensor.DType{tensor.Float32, tensor.Float64, tensor.Bool, tensor.Float16, tensor.Uint8, tensor.String, tensor.Complex128,
		tensor.Int4, tensor.Uint2}
	for trial := range 300 {
		d := types[trial%len(types)]
		rank := r.IntN(5)
		w := walk{ext: make([]int, rank), ds: make([]int, rank), ss: make([]int, rank)}
		most := 6
		if trial%10 == 0 && rank < 3 {
			most = 90
		}
		n := 1
		for _, i := range r.Perm(rank) { // the destination in any order of axes
			w.ext[i] = r.IntN(most)
			w.ds[i] = n
			n *= max(w.ext[i], 1)
		}
		size := 1
		for _, i := range r.Perm(rank) {
			switch r.IntN(4) {
			case 0: // repeated
			case 1: // reversed
				w.ss[i] = -size
				w.so += size * max(w.ext[i]-1, 0)
				size *= max(w.ext[i], 1)
			default:
				w.ss[i] = size
				size *= max(w.ext[i], 1)
			}
		}
		src, got, want := counting(t, d, size), tensor.New(d, n), tensor.New(d, n)
		copyStrided(pool, got, src, w)
		expect := map[int]string{}
		if product(w.ext) > 0 {
			o := newOdometer(w, w.ext, 0)
			for range product(w.ext) {
				expect[o.d] = element(src, o.s)
				o.next()
			}
		}
		for i := range n {
			e, ok := expect[i]
			if !ok {
				e = element(want, i)
			}
			if element(got, i) != e {
				t.Fatalf("%v %+v: element %d is %s, want %s", d, w, i, element(got, i), e)
			}
		}
	}
}

func TestPack(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2, tensor.Float4E2M1} {
		x := tensor.New(d, 7)
		for i := range x.Bytes() {
			x.Bytes()[i] = byte(0x1b + 77*i)
		}
		y := tensor.New(d, 7)
		pack(y, unpack(x))
		if !tensor.Equal(x, y) {
			t.Errorf("%v: % x, want % x", d, y.Bytes(), x.Bytes())
		}
	}
}
