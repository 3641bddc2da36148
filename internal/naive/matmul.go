package naive

import (
	"slices"
	"strings"
)

func init() {
	register(map[string]operator{
		"MatMul": func(c *call) []*value { return one(matMul(c.in[0], c.in[1])) },
		"Gemm":   gemm,
		"Einsum": einsum,
	})
}

func matMul(a, b *value) *value {
	as, bs := a.shape, b.shape
	if len(as) == 1 {
		a = a.with(1, as[0])
	}
	if len(bs) == 1 {
		b = b.with(bs[0], 1)
	}
	r, s := len(a.shape), len(b.shape)
	m, k, n := a.shape[r-2], a.shape[r-1], b.shape[s-1]
	if b.shape[s-2] != k {
		fail("MatMul of %v and %v", as, bs)
	}
	batch := broadcastShape(a.shape[:r-2], b.shape[:s-2])
	out := zeros(a.d, slices.Concat(batch, []int{m, n})...)
	each(batch, func(idx []int, p int) {
		x, y := from(a.shape[:r-2], idx)*m*k, from(b.shape[:s-2], idx)*k*n
		for i := range m {
			for j := range n {
				sum := 0.0
				for l := range k {
					sum += a.at(x+i*k+l) * b.at(y+l*n+j)
				}
				out.set(p*m*n+i*n+j, sum)
			}
		}
	})
	shape := batch
	if len(as) > 1 {
		shape = append(slices.Clone(shape), m)
	}
	if len(bs) > 1 {
		shape = append(slices.Clone(shape), n)
	}
	return out.with(shape...)
}

func gemm(c *call) []*value {
	a, b := c.in[0], c.in[1]
	if c.int("transA", 0) != 0 {
		a = transpose(a, []int{1, 0})
	}
	if c.int("transB", 0) != 0 {
		b = transpose(b, []int{1, 0})
	}
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	y := mapAll(matMul(a, b), func(x float64) float64 { return alpha * x })
	if !c.has(2) {
		return one(y)
	}
	return one(zip(y.d, y, c.in[2], func(x, z float64) float64 { return x + beta*z }))
}

// einsum sums over every index that the output does not name, one product at a time.
func einsum(c *call) []*value {
	eq := strings.ReplaceAll(c.str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(eq, "->")
	terms := strings.Split(left, ",")
	// An ellipsis becomes capital letters that stand for the broadcast axes, aligned at the end.
	most := 0
	for i, t := range terms {
		if strings.Contains(t, "...") {
			most = max(most, len(c.in[i].shape)-(len(t)-3))
		}
	}
	const dots = "ABCDEFGHIJ"
	for i, t := range terms {
		if strings.Contains(t, "...") {
			n := len(c.in[i].shape) - (len(t) - 3)
			terms[i] = strings.Replace(t, "...", dots[most-n:most], 1)
		}
	}
	extent := map[rune]int{}
	count := map[rune]int{}
	for i, t := range terms {
		for k, r := range t {
			extent[r] = max(extent[r], c.in[i].shape[k])
			count[r]++
		}
	}
	if !explicit {
		right = dots[:most]
		for r := 'a'; r <= 'z'; r++ {
			if count[r] == 1 {
				right += string(r)
			}
		}
	}
	right = strings.Replace(right, "...", dots[:most], 1)
	all := right
	for _, t := range terms {
		for _, r := range t {
			if !strings.ContainsRune(all, r) {
				all += string(r)
			}
		}
	}
	var shape []int
	for _, r := range all {
		shape = append(shape, extent[r])
	}
	out := zeros(c.in[0].d, shape[:len(right)]...)
	each(shape, func(idx []int, _ int) {
		prod := 1.0
		for i, t := range terms {
			p := 0
			for k, r := range t {
				j := idx[strings.IndexRune(all, r)]
				if c.in[i].shape[k] == 1 {
					j = 0
				}
				p = p*c.in[i].shape[k] + j
			}
			prod *= c.in[i].at(p)
		}
		o := pos(out.shape, idx[:len(right)])
		out.set(o, out.at(o)+prod)
	})
	return one(out)
}
