package straggler

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// cyclic is the cyclic code of Tandon et al.: worker i sends a weighted sum of the s+1 partitions from i on. Any s may be late, for every
// s, but decoding is ill-conditioned: the sum is right to rounding only.
type cyclic struct {
	n, s int
	b    [][]float64 // made when it is first asked for
}

// MaxCyclic is the most workers whose cyclic code is decoded: with more of them the coefficients get as large as 1e5 and more.
const MaxCyclic = 32

func (c *cyclic) of(w int) int         { return w }
func (c *cyclic) weight() int          { return c.n }
func (c *cyclic) share() (of, all int) { return c.s + 1, c.n }

func (c *cyclic) decodes(have []bool) bool { return count(have) >= c.n-c.s }

func (c *cyclic) mayLeave(late []bool, s int) bool { return count(late) <= s }

// matrix is the code.
func (c *cyclic) matrix() [][]float64 {
	if c.b == nil {
		r := rand.New(rand.NewPCG(uint64(c.n), uint64(c.s))) // one code for all runs
		h := make([][]float64, c.s)
		for i := range h {
			h[i] = make([]float64, c.n)
			for j := range c.n - 1 {
				h[i][j] = r.NormFloat64()
				h[i][c.n-1] -= h[i][j]
			}
		}
		c.b = CyclicCode(h, c.n)
	}
	return c.b
}

func (c *cyclic) blocks(at int) []Block {
	out := make([]Block, c.n)
	for i, row := range c.matrix() {
		for k := range c.s + 1 {
			j := (i + k) % c.n
			out[i].Terms = append(out[i].Terms, Term{at + j, at + j + 1, row[j]})
		}
	}
	return out
}

func (c *cyclic) decode(have []bool) []Part {
	if !c.decodes(have) {
		return nil
	}
	var alive []int
	for w, is := range have {
		if is {
			alive = append(alive, w)
		}
	}
	alive = alive[:c.n-c.s]
	a := DecodeCode(c.matrix(), alive)
	parts := make([]Part, len(alive))
	for k, w := range alive {
		parts[k] = Part{w, a[k]}
	}
	return parts
}

// CyclicCode is the matrix B [n,n] of the cyclic code that h [s,n] makes, whose rows sum to zero: row i has the columns i to i+s (modulo
// n), the first of them 1, and h·Bᵀ = 0. Source: Tandon et al. 2017, algorithm 2.
func CyclicCode(h [][]float64, n int) [][]float64 {
	s := len(h)
	b := make([][]float64, n)
	for i := range b {
		b[i] = make([]float64, n)
		m := make([][]float64, s) // s rows: the columns i+1 … i+s, and minus column i
		for r := range m {
			m[r] = make([]float64, s+1)
			for k := range s {
				m[r][k] = h[r][(i+1+k)%n]
			}
			m[r][s] = -h[r][i]
		}
		b[i][i] = 1
		for k, x := range solve(m) {
			b[i][(i+1+k)%n] = x
		}
	}
	return b
}

// solve is the solution of the square system [A|y] by Gaussian elimination with pivots; m is changed.
func solve(m [][]float64) []float64 {
	n := len(m)
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if math.Abs(m[i][k]) > math.Abs(m[p][k]) {
				p = i
			}
		}
		m[k], m[p] = m[p], m[k]
		for i := k + 1; i < n; i++ {
			f := m[i][k] / m[k][k]
			for j := k; j <= n; j++ {
				m[i][j] -= f * m[k][j]
			}
		}
	}
	x := make([]float64, n)
	for k := n - 1; k >= 0; k-- {
		x[k] = m[k][n]
		for j := k + 1; j < n; j++ {
			x[k] -= m[k][j] * x[j]
		}
		x[k] /= m[k][k]
	}
	return x
}

// DecodeCode are the coefficients a, one for each worker that is alive, with which the rows of b sum to ones: the least squares solution
// by Householder reflections.
func DecodeCode(b [][]float64, alive []int) []float64 {
	rows, cols := len(b), len(alive)
	m := make([][]float64, rows) // Bᵀ of the alive, and ones
	for j := range m {
		m[j] = make([]float64, cols+1)
		for k, w := range alive {
			m[j][k] = b[w][j]
		}
		m[j][cols] = 1
	}
	for k := range cols {
		norm := 0.0
		for i := k; i < rows; i++ {
			norm = math.Hypot(norm, m[i][k])
		}
		if norm == 0 {
			continue
		}
		if m[k][k] > 0 {
			norm = -norm
		}
		v := make([]float64, rows)
		for i := k; i < rows; i++ {
			v[i] = m[i][k]
		}
		v[k] -= norm
		vv := 0.0
		for i := k; i < rows; i++ {
			vv += v[i] * v[i]
		}
		for j := k; j <= cols; j++ {
			dot := 0.0
			for i := k; i < rows; i++ {
				dot += v[i] * m[i][j]
			}
			for i := k; i < rows; i++ {
				m[i][j] -= 2 * dot / vv * v[i]
			}
		}
	}
	a := make([]float64, cols)
	for k := cols - 1; k >= 0; k-- {
		a[k] = m[k][cols]
		for j := k + 1; j < cols; j++ {
			a[k] -= m[k][j] * a[j]
		}
		a[k] /= m[k][k]
	}
	return a
}

// Exact reports whether the gradients of p are sums without coefficients, so that they can be exact. A cyclic code of more than MaxCyclic
// workers is an error: it is for Simulate alone.
func Exact(p Plan) (bool, error) {
	c, ok := p.(interface{ coded() code })
	if !ok {
		return true, nil
	}
	y, ok := c.coded().(*cyclic)
	if !ok || y.s == 0 {
		return true, nil
	}
	if y.n > MaxCyclic {
		return false, fmt.Errorf("straggler: the cyclic code of %d workers cannot be decoded well, %d is the limit: take code=repetition", y.n,
			MaxCyclic)
	}
	return false, nil
}
