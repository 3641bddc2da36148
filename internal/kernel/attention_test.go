package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// attentionCase is the operands of an attention: heads side by side in rows of tokens, or one after the other.
type attentionCase[T Float] struct {
	q, k, v, o  Heads[T]
	mask        *Heads[T]
	t, s, d, e  int
	alpha       T
	guard, same bool // same: all heads share k and v
}

func numbers[T Float](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return x
}

// interleaved are matrices of so many heads [rows,cols], side by side in each row, with turned as columns.
func interleaved[T Float](x []T, heads, rows, cols int, turned bool) Heads[T] {
	h := Heads[T]{X: x, Rows: rows, Cols: cols, Row: heads * cols, Col: 1}
	if turned {
		h.Rows, h.Cols, h.Row, h.Col = cols, rows, 1, heads*cols
	}
	for i := range heads {
		h.At = append(h.At, i*cols)
	}
	return h
}

func makeAttention[T Float](r *rand.Rand, heads, t, s, d, e int, masked, guard, same bool) *attentionCase[T] {
	c := &attentionCase[T]{t: t, s: s, d: d, e: e, alpha: 0.3, guard: guard, same: same}
	c.q = interleaved(numbers[T](r, heads*t*d), heads, t, d, false)
	c.k = interleaved(numbers[T](r, heads*s*d), heads, s, d, true)
	c.v = interleaved(numbers[T](r, heads*s*e), heads, s, e, false)
	c.o = interleaved(make([]T, heads*t*e), heads, t, e, false)
	if same {
		for i := range heads {
			c.k.At[i], c.v.At[i] = 0, 0
		}
	}
	if masked {
		m := Heads[T]{X: numbers[T](r, t*s), At: make([]int, heads), Rows: t, Cols: s, Row: s, Col: 1}
		if guard {
			for j := range s {
				m.X[j] = T(math.Inf(-1))
			}
		}
		c.mask = &m
	}
	return c
}

func (h *Heads[T]) get(i, r, c int) float64 { return float64(h.X[h.At[i]+r*h.Row+c*h.Col]) }

// plain is o, P and the gradients by q, k and v for do, in double precision and plain loops.
func (c *attentionCase[T]) plain(do Heads[T]) (o, p, dq, dk, dv []float64) {
	n := len(c.o.At)
	o, p = make([]float64, len(c.o.X)), make([]float64, n*c.t*c.s)
	dq, dk, dv = make([]float64, len(c.q.X)), make([]float64, len(c.k.X)), make([]float64, len(c.v.X))
	for i := range n {
		for r := range c.t {
			row := p[(i*c.t+r)*c.s:][:c.s]
			top := math.Inf(-1)
			for j := range row {
				for l := range c.d {
					row[j] += float64(c.alpha) * c.q.get(i, r, l) * c.k.get(i, l, j)
				}
				if c.mask != nil {
					row[j] += c.mask.get(i, r, j)
				}
				top = max(top, row[j])
			}
			sum := 0.0
			for j := range row {
				row[j] = math.Exp(row[j] - top)
				sum += row[j]
			}
			dp, dot := make([]float64, c.s), 0.0
			for j := range row {
				if row[j] /= sum; c.guard && math.IsNaN(row[j]) {
					row[j] = 0
				}
				for l := range c.e {
					o[c.o.At[i]+r*c.o.Row+l*c.o.Col] += row[j] * c.v.get(i, j, l)
					dv[c.v.At[i]+j*c.v.Row+l*c.v.Col] += row[j] * do.get(i, r, l)
					dp[j] += do.get(i, r, l) * c.v.get(i, j, l)
				}
				dot += row[j] * dp[j]
			}
			for j := range row {
				ds := row[j] * (dp[j] - dot) * float64(c.alpha)
				for l := range c.d {
					dq[c.q.At[i]+r*c.q.Row+l*c.q.Col] += ds * c.k.get(i, l, j)
					dk[c.k.At[i]+l*c.k.Row+j*c.k.Col] += ds * c.q.get(i, r, l)
				}
			}
		}
	}
	return o, p, dq, dk, dv
}

func testAttention[T Float](t *testing.T, tol float64) {
	for _, e := range []struct {
		heads, t, s, d, e   int
		masked, guard, same bool
	}{
		{1, 5, 7, 3, 2, false, false, false}, {4, 17, 33, 16, 8, false, false, false}, {3, 40, 5000, 4, 4, false, false, false},
		{3, 9, 8, 5, 6, true, false, false}, {2, 9, 8, 5, 6, true, true, false}, {3, 70, 2000, 3, 4, true, false, true},
		{2, 1, 1, 1, 1, false, false, false}, {2, 0, 4, 3, 2, false, false, false}, {2, 4, 0, 3, 2, false, false, false},
	} {
		t.Run(fmt.Sprint(e), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(e.s)))
			c := makeAttention[T](r, e.heads, e.t, e.s, e.d, e.e, e.masked, e.guard, e.same)
			do := c.o
			do.X = numbers[T](r, len(c.o.X))
			var want [5][]float64
			want[0], want[1], want[2], want[3], want[4] = c.plain(do)
			var first [][]T
			for _, threads := range []int{1, 4} {
				pool := parallel.New(threads)
				alone := slices.Repeat([]T{7}, len(c.o.X))
				o := c.o
				o.X = alone
				Attention(pool, o, c.q, c.k, c.v, c.mask, nil, c.alpha, c.guard)
				o.X = slices.Repeat([]T{7}, len(c.o.X))
				probs := slices.Repeat([]T{7}, e.heads*e.t*e.s)
				Attention(pool, o, c.q, c.k, c.v, c.mask, probs, c.alpha, c.guard)
				dq, dk, dv := c.q, c.k, c.v
				dq.X, dk.X, dv.X = slices.Repeat([]T{7}, len(dq.X)), slices.Repeat([]T{7}, len(dk.X)), slices.Repeat([]T{7}, len(dv.X))
				AttentionGrad(pool, &dq, &dk, &dv, c.q, c.k, c.v, do, probs, c.alpha, c.same)
				pool.Close()
				got := [][]T{o.X, probs, dq.X, dk.X, dv.X}
				if !slices.Equal(alone, o.X) {
					t.Error("the result is another where the probabilities are kept")
				}
				for i, w := range want {
					for j, x := range w {
						if d := math.Abs(float64(got[i][j]) - x); !(d <= tol*(1+math.Abs(x))) {
							t.Fatalf("%d threads: result %d at %d is %v, want %v", threads, i, j, got[i][j], x)
						}
					}
				}
				if first == nil {
					first = got
				}
				for i := range got {
					if !slices.Equal(got[i], first[i]) {
						t.Errorf("result %d differs between 1 thread and %d", i, threads)
					}
				}
			}
		})
	}
}

// TestAttention compares attention and its gradients with plain loops, in one block and several.
func TestAttention(t *testing.T) {
	eachISA(t, func(t *testing.T) { testAttention[float32](t, 3e-5) })
	t.Run("float64", func(t *testing.T) { testAttention[float64](t, 1e-12) })
}
