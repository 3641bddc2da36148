package explain

import (
	"fmt"
	"math"
)

func init() {
	register(Method{
		Name: "normgrad", Title: "NormGrad",
		Doc:    "norm of the gradient of a virtual identity layer at each position; phase1 x phase2 is the whole family",
		Source: "https://arxiv.org/abs/2004.02866",
		Place:  AtLayer,
		Params: []Param{
			{Name: "phase1", Default: "conv1x1", Choices: Phase1s, Doc: "identity layer whose parameter gradients are taken"},
			{Name: "phase2", Default: "norm", Choices: Phase2s, Doc: "how the gradient vector of a position becomes a number"},
		},
		New: func(o Options) (Func, error) {
			p1, p2 := o["phase1"], o["phase2"]
			return perLayer(func(x, g Volume) planeMap {
				return planeMap{X: normGrad(x, g, p1, p2), Signed: p2 == "sum"}
			}), nil
		},
	})
}

// Phase1s are the virtual identity layers of NormGrad, for x_u and g_u the activation and gradient at position u:
// bias: o_u = g_u; scaling: x_u∘g_u; conv1x1: x_u g_uᵀ; conv3x3: unfold3(x)_u g_uᵀ; conv3x3_depthwise: x_c[N(u)] g_cu for each c.
var Phase1s = []string{"bias", "scaling", "conv1x1", "conv3x3", "conv3x3_depthwise"}

// Phase2s are the aggregations of o_u: sum of its elements; norm ‖o_u‖; filter_norm ‖max(o_u, 0)‖; max of its elements.
var Phase2s = []string{"sum", "norm", "filter_norm", "max"}

// normGrad is the map [h,w] of one image for one cell of the phase1 x phase2 grid, positive where the class score grows.
// The vector o_u, up to 9C² numbers, is never built: only the statistics of it that phase 2 needs.
//
// Source: https://arxiv.org/abs/2004.02866, sections 3 and 4; the closed forms follow from |a bᵀ| = |a||b| and its like
// for the positive part.
func normGrad(x, g Volume, phase1, phase2 string) []float32 {
	var o stats
	switch phase1 {
	case "bias":
		o = channelStats(g)
	case "scaling":
		o = channelStats(hadamard(x, g))
	case "conv1x1":
		o = channelStats(x).outer(channelStats(g))
	case "conv3x3":
		o = channelStats(x).box3(x.H, x.W).outer(channelStats(g))
	case "conv3x3_depthwise":
		for c := range x.C {
			xc, gc := Volume{1, x.H, x.W, x.Channel(c)}, Volume{1, x.H, x.W, g.Channel(c)}
			oc := channelStats(xc).box3(x.H, x.W).outer(channelStats(gc))
			if c == 0 {
				o = oc
			} else {
				o.join(oc)
			}
		}
	}
	m := make([]float32, x.Plane())
	for u := range m {
		m[u] = float32(o.aggregate(u, phase2))
	}
	return m
}

// stats are, for each position u, statistics of a vector v_u: sum, sums of squares of the positive and of the negative elements,
// largest and smallest element.
type stats struct{ sum, pos2, neg2, max, min []float64 }

func newStats(n int) stats {
	b := make([]float64, 5*n)
	return stats{b[:n], b[n : 2*n], b[2*n : 3*n], b[3*n : 4*n], b[4*n:]}
}

// channelStats are the statistics over the channels of v.
func channelStats(v Volume) stats {
	s := newStats(v.Plane())
	for c := range v.C {
		for u, a := range v.Channel(c) {
			x := float64(a)
			s.sum[u] += x
			if x > 0 {
				s.pos2[u] += x * x
			} else {
				s.neg2[u] += x * x
			}
			if c == 0 {
				s.max[u], s.min[u] = x, x
			} else {
				s.max[u], s.min[u] = max(s.max[u], x), min(s.min[u], x)
			}
		}
	}
	return s
}

// outer are the statistics of the outer product a_u b_uᵀ.
func (a stats) outer(b stats) stats {
	s := newStats(len(a.sum))
	for u := range s.sum {
		s.sum[u] = a.sum[u] * b.sum[u]
		s.pos2[u] = a.pos2[u]*b.pos2[u] + a.neg2[u]*b.neg2[u]
		s.neg2[u] = a.pos2[u]*b.neg2[u] + a.neg2[u]*b.pos2[u]
		p, q, r, t := a.max[u]*b.max[u], a.max[u]*b.min[u], a.min[u]*b.max[u], a.min[u]*b.min[u]
		s.max[u], s.min[u] = max(p, q, r, t), min(p, q, r, t)
	}
	return s
}

// box3 are the statistics of the concatenation of the vectors of the 3x3 neighbourhood, zeros outside the plane.
func (a stats) box3(h, w int) stats {
	n := len(a.sum)
	s := newStats(n)
	for i := range h {
		for j := range w {
			u := i*w + j
			first := true
			for y := i - 1; y <= i+1; y++ {
				for x := j - 1; x <= j+1; x++ {
					var hi, lo float64
					if y >= 0 && y < h && x >= 0 && x < w {
						v := y*w + x
						s.sum[u] += a.sum[v]
						s.pos2[u] += a.pos2[v]
						s.neg2[u] += a.neg2[v]
						hi, lo = a.max[v], a.min[v]
					}
					if first {
						s.max[u], s.min[u], first = hi, lo, false
					} else {
						s.max[u], s.min[u] = max(s.max[u], hi), min(s.min[u], lo)
					}
				}
			}
		}
	}
	return s
}

// join makes a the statistics of the concatenation of its vectors and those of b.
func (a stats) join(b stats) {
	for u := range a.sum {
		a.sum[u] += b.sum[u]
		a.pos2[u] += b.pos2[u]
		a.neg2[u] += b.neg2[u]
		a.max[u], a.min[u] = max(a.max[u], b.max[u]), min(a.min[u], b.min[u])
	}
}

// aggregate is phase 2 at position u.
func (a stats) aggregate(u int, phase2 string) float64 {
	switch phase2 {
	case "sum":
		return a.sum[u]
	case "norm":
		return math.Sqrt(a.pos2[u] + a.neg2[u])
	case "filter_norm":
		return math.Sqrt(a.pos2[u])
	case "max":
		return a.max[u]
	}
	panic(fmt.Sprintf("explain: normgrad phase2 %q", phase2))
}

func hadamard(x, g Volume) Volume {
	p := Volume{x.C, x.H, x.W, make([]float32, len(x.X))}
	for i, v := range x.X {
		p.X[i] = v * g.X[i]
	}
	return p
}
