package tensor_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// Sequences that grow from one another share memory, and none sees what another has appended.
func TestInsert(t *testing.T) {
	s, err := tensor.NewSequence(tensor.Int64)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s *tensor.Tensor, i int) int64 { return s.Items()[i].I64()[0] }
	all := []*tensor.Tensor{s}
	for i := range 1000 {
		if s, err = tensor.Insert(s, len(s.Items()), tensor.Scalar(int64(i))); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	other, err := tensor.Insert(all[500], 500, tensor.Scalar(int64(-1)))
	if err != nil {
		t.Fatal(err)
	}
	longer, err := tensor.Insert(other, len(other.Items()), tensor.Scalar(int64(-2)))
	if err != nil {
		t.Fatal(err)
	}
	for n, s := range all {
		if len(s.Items()) != n || s.StorageBytes() != n*(tensor.Overhead+8) {
			t.Fatalf("after %d: %v, %d bytes", n, s, s.StorageBytes())
		}
		for i := range n {
			if at(s, i) != int64(i) {
				t.Fatalf("element %d of %v is %d", i, s, at(s, i))
			}
		}
	}
	if at(other, 499) != 499 || at(other, 500) != -1 || len(other.Items()) != 501 || at(longer, 501) != -2 {
		t.Errorf("%v, %v", tensor.Format(other), tensor.Format(longer))
	}
	_ = append(all[10].Items(), tensor.Scalar(int64(7))) // a careless caller
	if at(all[11], 10) != 10 {
		t.Error("an append to Items changed a longer sequence")
	}
	front, err := tensor.Insert(all[3], 0, tensor.Scalar(int64(9)))
	if err != nil {
		t.Fatal(err)
	}
	if front, err = tensor.Insert(front, 2, tensor.Scalar(int64(8))); err != nil {
		t.Fatal(err)
	}
	if front, err = tensor.Insert(front, 5, tensor.Scalar(int64(7))); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{9, 0, 8, 1, 2, 7} {
		if at(front, i) != want || front.StorageBytes() != 6*(tensor.Overhead+8) {
			t.Errorf("element %d of %v is %d, want %d", i, front, at(front, i), want)
		}
	}
	if _, err := tensor.Insert(s, len(s.Items()), tensor.Scalar(float32(1))); err == nil {
		t.Error("a float32 in a sequence of int64")
	}
	if _, err := tensor.Insert(tensor.Scalar(int64(1)), 0, tensor.Scalar(int64(1))); err == nil {
		t.Error("appended to a tensor")
	}
}

// Of goroutines that append to one sequence each has its own.
func TestInsertSideBySide(t *testing.T) {
	base, err := tensor.NewSequence(tensor.Int64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if base, err = tensor.Insert(base, len(base.Items()), tensor.Scalar(int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			s, err := base, error(nil)
			for range 200 {
				if s, err = tensor.Insert(s, len(s.Items()), tensor.Scalar(int64(100+g))); err != nil {
					t.Error(err)
					return
				}
			}
			for i, x := range s.Items() {
				want := int64(i)
				if i >= 5 {
					want = int64(100 + g)
				}
				if x.I64()[0] != want {
					t.Errorf("goroutine %d: element %d is %d", g, i, x.I64()[0])
				}
			}
		})
	}
	wg.Wait()
}

// Elements that come and go anywhere are those of a plain list, and lists made before stay as they were.
func TestInsertAndErase(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s, err := tensor.NewSequence(tensor.Int64)
	if err != nil {
		t.Fatal(err)
	}
	type version struct {
		s    *tensor.Tensor
		want []int64
	}
	var kept []version
	var want []int64
	for i := range 12_000 {
		n := len(want)
		switch grow := i < 6000; {
		case n == 0 || r.IntN(4) > 0 == grow:
			k := []int{0, n, r.IntN(n + 1)}[i%3]
			s, err = tensor.Insert(s, k, tensor.Scalar(int64(i)))
			want = slices.Insert(slices.Clone(want), k, int64(i))
		default:
			k := []int{0, n - 1, r.IntN(n)}[i%3]
			s, err = tensor.Erase(s, k)
			want = slices.Delete(slices.Clone(want), k, k+1)
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 {
			kept = append(kept, version{s, want})
		}
	}
	for _, v := range append(kept, version{s, want}) {
		n := len(v.want)
		if v.s.NumItems() != n || len(v.s.Items()) != n || v.s.StorageBytes() != n*(tensor.Overhead+8) {
			t.Fatalf("%v, %d bytes, want %d elements", v.s, v.s.StorageBytes(), n)
		}
		for k, x := range v.s.Items() {
			if x.I64()[0] != v.want[k] || v.s.Item(k) != x {
				t.Fatalf("element %d of %d is %v, want %d", k, n, x.I64(), v.want[k])
			}
		}
	}
	if _, err := tensor.Erase(tensor.Scalar(int64(1)), 0); err == nil {
		t.Error("erased from a tensor")
	}
}

// BenchmarkInsert is the growth of one sequence, element by element: the time of one does not grow with their number.
func BenchmarkInsert(b *testing.B) {
	x := tensor.Scalar(int64(1))
	for name, place := range map[string]func(n int) int{
		"end": func(n int) int { return n }, "front": func(int) int { return 0 }, "middle": func(n int) int { return n / 2 },
	} {
		for _, n := range []int{1e3, 1e4, 1e5} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				for range b.N {
					s, err := tensor.NewSequence(tensor.Int64)
					if err != nil {
						b.Fatal(err)
					}
					for range n {
						if s, err = tensor.Insert(s, place(s.NumItems()), x); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}
