package naive

import (
	"math"
)

func init() {
	register(map[string]operator{"RNN": recurrent(rnnStep, 1, 1), "GRU": recurrent(gruStep, 3, 2), "LSTM": recurrent(lstmStep, 4, 3)})
}

// cell is one direction of a recurrent operator.
type cell struct {
	hidden      int
	w, r        []float64 // [gates*hidden, input], [gates*hidden, hidden]
	wb, rb      []float64 // [gates*hidden]
	p           []float64 // peepholes of LSTM, order i, o, f
	act         []func(float64) float64
	clip        float64
	lbr, couple bool
}

// step advances one example by one time step and returns the new state.
type stepFunc func(k *cell, x, h, c []float64) (nh, nc []float64)

func (k *cell) activate(i int, x float64) float64 {
	if k.clip > 0 {
		x = max(-k.clip, min(k.clip, x))
	}
	return k.act[i](x)
}

// dot is row j of a matrix with len(x) columns, times x.
func dot(m []float64, j int, x []float64) float64 {
	s := 0.0
	for i, v := range x {
		s += m[j*len(x)+i] * v
	}
	return s
}

// gate is unit u of gate g without its activation.
func (k *cell) gate(g, u int, x, h []float64) float64 {
	j := g*k.hidden + u
	return dot(k.w, j, x) + dot(k.r, j, h) + k.wb[j] + k.rb[j]
}

func rnnStep(k *cell, x, h, _ []float64) (nh, nc []float64) {
	for u := range k.hidden {
		nh = append(nh, k.activate(0, k.gate(0, u, x, h)))
	}
	return nh, nil
}

// gruStep has the gates in the order z, r, h.
func gruStep(k *cell, x, h, _ []float64) (nh, nc []float64) {
	n := k.hidden
	z, r, rh := make([]float64, n), make([]float64, n), make([]float64, n)
	for u := range n {
		z[u] = k.activate(0, k.gate(0, u, x, h))
		r[u] = k.activate(0, k.gate(1, u, x, h))
		rh[u] = r[u] * h[u]
	}
	for u := range n {
		j := 2*n + u
		pre := dot(k.w, j, x) + k.wb[j]
		if k.lbr {
			pre += r[u] * (dot(k.r, j, h) + k.rb[j])
		} else {
			pre += dot(k.r, j, rh) + k.rb[j]
		}
		nh = append(nh, (1-z[u])*k.activate(1, pre)+z[u]*h[u])
	}
	return nh, nil
}

// lstmStep has the gates in the order i, o, f, c.
func lstmStep(k *cell, x, h, c []float64) (nh, nc []float64) {
	n := k.hidden
	for u := range n {
		i := k.activate(0, k.gate(0, u, x, h)+k.p[u]*c[u])
		f := k.activate(0, k.gate(2, u, x, h)+k.p[2*n+u]*c[u])
		if k.couple {
			f = 1 - i
		}
		g := k.activate(1, k.gate(3, u, x, h))
		s := f*c[u] + i*g
		o := k.activate(0, k.gate(1, u, x, h)+k.p[n+u]*s)
		nc = append(nc, s)
		nh = append(nh, o*k.act[2](s))
	}
	return nh, nc
}

// recurrent runs a step over time. Inputs X [T,B,I], W [D,gates*H,I], R [D,gates*H,H], B [D,2*gates*H], sequence_lens [B],
// initial_h [D,B,H], initial_c, P [D,3*H]; outputs Y [T,D,B,H], Y_h [D,B,H], Y_c. With layout 1 the batch comes first.
func recurrent(step stepFunc, gates, acts int) operator {
	return func(c *call) []*value {
		in := append([]*value{}, c.in...)
		for len(in) < 8 {
			in = append(in, nil)
		}
		x := in[0]
		batchFirst := c.int("layout", 0) != 0
		if batchFirst {
			x = transpose(x, []int{1, 0, 2})
			for i := 5; i <= 6; i++ {
				if in[i] != nil {
					in[i] = transpose(in[i], []int{1, 0, 2})
				}
			}
		}
		steps, batch, width := x.shape[0], x.shape[1], x.shape[2]
		dirs, hidden := in[1].shape[0], in[2].shape[2]
		gh := gates * hidden
		y, yh, yc := zeros(x.d, steps, dirs, batch, hidden), zeros(x.d, dirs, batch, hidden), zeros(x.d, dirs, batch, hidden)
		all := activations(c, dirs, acts)
		for d := range dirs {
			k := &cell{hidden: hidden, clip: c.float("clip", 0), lbr: c.int("linear_before_reset", 0) != 0,
				couple: c.int("input_forget", 0) != 0,
				w:      in[1].f[d*gh*width : (d+1)*gh*width], r: in[2].f[d*gh*hidden : (d+1)*gh*hidden],
				wb: make([]float64, gh), rb: make([]float64, gh), p: make([]float64, 3*hidden), act: all[d*acts : (d+1)*acts]}
			if in[3] != nil {
				b := in[3].f[d*2*gh : (d+1)*2*gh]
				k.wb, k.rb = b[:gh], b[gh:]
			}
			if in[7] != nil {
				k.p = in[7].f[d*3*hidden : (d+1)*3*hidden]
			}
			backward := d == 1 || c.str("direction", "forward") == "reverse"
			for b := range batch {
				n := steps
				if in[4] != nil {
					n = int(in[4].i[b])
				}
				at := (d*batch + b) * hidden
				h, s := make([]float64, hidden), make([]float64, hidden)
				if in[5] != nil {
					copy(h, in[5].f[at:])
				}
				if in[6] != nil {
					copy(s, in[6].f[at:])
				}
				for i := range n {
					t := i
					if backward {
						t = n - 1 - i
					}
					h, s = step(k, x.f[(t*batch+b)*width:(t*batch+b+1)*width], h, s)
					copy(y.f[((t*dirs+d)*batch+b)*hidden:], h)
				}
				copy(yh.f[at:at+hidden], h)
				copy(yc.f[at:at+hidden], s)
			}
		}
		if batchFirst {
			y = transpose(y, []int{2, 0, 1, 3})
			yh, yc = transpose(yh, []int{1, 0, 2}), transpose(yc, []int{1, 0, 2})
		}
		return []*value{y, yh, yc}
	}
}

// activations lists the activation functions of every direction; alphas and betas go to those that take them, in order.
func activations(c *call, dirs, n int) []func(float64) float64 {
	names := c.strs("activations")
	if names == nil {
		def := []string{"Sigmoid", "Tanh", "Tanh"}[:n]
		if n == 1 {
			def = []string{"Tanh"}
		}
		for range dirs {
			names = append(names, def...)
		}
	}
	alphas, betas := c.floats("activation_alpha"), c.floats("activation_beta")
	take := func(list *[]float64, def float64) float64 {
		if len(*list) == 0 {
			return def
		}
		x := (*list)[0]
		*list = (*list)[1:]
		return x
	}
	var out []func(float64) float64
	for _, name := range names {
		var f func(float64) float64
		switch name {
		case "Relu":
			f = relu
		case "Tanh":
			f = math.Tanh
		case "Sigmoid":
			f = sigmoid
		case "Softplus":
			f = softplus
		case "Softsign":
			f = func(x float64) float64 { return x / (1 + math.Abs(x)) }
		case "LeakyRelu":
			a := take(&alphas, f32(0.01))
			f = func(x float64) float64 { return leaky(x, a) }
		case "Elu":
			a := take(&alphas, 1)
			f = func(x float64) float64 { return elu(x, a) }
		case "ThresholdedRelu":
			a := take(&alphas, 1)
			f = func(x float64) float64 {
				if x >= a {
					return x
				}
				return 0
			}
		case "HardSigmoid":
			a, b := take(&alphas, f32(0.2)), take(&betas, 0.5)
			f = func(x float64) float64 { return hardSigmoid(x, a, b) }
		case "ScaledTanh":
			a, b := take(&alphas, 1), take(&betas, 1)
			f = func(x float64) float64 { return a * math.Tanh(b*x) }
		case "Affine":
			a, b := take(&alphas, 1), take(&betas, 0)
			f = func(x float64) float64 { return a*x + b }
		default:
			fail("activation %s", name)
		}
		out = append(out, f)
	}
	return out
}
