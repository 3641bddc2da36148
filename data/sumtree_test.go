package data

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSumTree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 7, 8, 1000} {
		w := make([]float64, n)
		tree := NewSumTree(w)
		for k := range 4 * n {
			i := r.IntN(n)
			w[i] = r.Float64()
			if k%5 == 0 {
				w[i] = 0
			}
			tree.Set(i, w[i])
		}
		w[n-1] = 0.5
		tree.Set(n-1, w[n-1])
		anew, total := NewSumTree(w), 0.0
		for i, v := range w {
			if total += v; tree.At(i) != v {
				t.Fatalf("n %d: weight %d is %v, want %v", n, i, tree.At(i), v)
			}
		}
		if tree.Total() != anew.Total() || math.Abs(tree.Total()-total) > 1e-9 {
			t.Errorf("n %d: total %v, built anew %v, sum %v", n, tree.Total(), anew.Total(), total)
		}
		const draws = 200000
		got := make([]float64, n)
		for range draws {
			u := r.Float64()
			i := tree.Draw(u)
			if j := anew.Draw(u); j != i {
				t.Fatalf("n %d: %v draws %d, built anew %d", n, u, i, j)
			}
			got[i]++
		}
		for i, v := range w {
			p := v / total
			if d := math.Abs(got[i]/draws - p); v == 0 && got[i] > 0 || d > 6*math.Sqrt(p/draws)+1e-9 {
				t.Errorf("n %d: %d is drawn %v of the times, want %v", n, i, got[i]/draws, p)
			}
		}
		if i := tree.Draw(math.Nextafter(1, 0)); w[i] == 0 {
			t.Errorf("n %d: the last share draws %d, whose weight is 0", n, i)
		}
	}
}
