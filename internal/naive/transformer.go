package naive

import (
	"math"
	"slices"
)

func init() {
	register(map[string]operator{
		"Attention":                     attention,
		"ai.onnx.preview.FlexAttention": flexAttention,
		"RotaryEmbedding":               rotaryEmbedding,
		"LinearAttention":               linearAttention,
		"CausalConvWithState":           causalConv,
		"TensorScatter":                 tensorScatter,
	})
}

// element reads v at idx, broadcasting axes of extent 1 and axes that v lacks in front.
func element(v *value, idx ...int) float64 {
	at := append([]int{}, idx[len(idx)-len(v.shape):]...)
	for i, d := range v.shape {
		if d == 1 {
			at[i] = 0
		}
	}
	return v.at(pos(v.shape, at))
}

// apart is x [N,S,h·D] as [N,h,S,D]; x itself when it has four axes.
func apart(x *value, h int) *value {
	if len(x.shape) == 4 {
		return x
	}
	n, s, d := x.shape[0], x.shape[1], x.shape[2]/h
	y := zeros(x.d, n, h, s, d)
	each(y.shape, func(i []int, p int) { y.f[p] = x.f[(i[0]*s+i[2])*h*d+i[1]*d+i[3]] })
	return y
}

// behind is past with x after it on axis 2.
func behind(past, x *value) *value {
	shape := append([]int{}, x.shape...)
	shape[2] += past.shape[2]
	y := zeros(x.d, shape...)
	each(shape, func(i []int, p int) {
		j := append([]int{}, i...)
		if i[2] < past.shape[2] {
			y.f[p] = past.f[pos(past.shape, j)]
		} else {
			j[2] -= past.shape[2]
			y.f[p] = x.f[pos(x.shape, j)]
		}
	})
	return y
}

func attention(c *call) []*value {
	q := apart(c.in[0], c.int("q_num_heads", 1))
	k, v := apart(c.in[1], c.int("kv_num_heads", 1)), apart(c.in[2], c.int("kv_num_heads", 1))
	past := 0
	if c.has(4) {
		past = c.in[4].shape[2]
		k = behind(c.in[4], k)
	}
	if c.has(5) {
		v = behind(c.in[5], v)
	}
	n, heads, s, d := q.shape[0], q.shape[1], q.shape[2], q.shape[3]
	t, e, share := k.shape[2], v.shape[3], q.shape[1]/k.shape[1]
	scale := c.float("scale", 1/math.Sqrt(float64(d)))
	lengths := c.intsAt(6)
	mode, cap := c.int("qk_matmul_output_mode", 0), c.float("softcap", 0)
	y, qk := zeros(q.d, n, heads, s, e), zeros(q.d, n, heads, s, t)
	each([]int{n, heads, s}, func(i []int, _ int) {
		b, h, r := i[0], i[1], i[2]
		row := make([]float64, t)
		shown := func(m int) {
			if mode == m {
				copy(qk.f[((b*heads+h)*s+r)*t:], row)
			}
		}
		for j := range row {
			for z := range d {
				row[j] += q.f[pos(q.shape, []int{b, h, r, z})] * k.f[pos(k.shape, []int{b, h / share, j, z})]
			}
			row[j] *= scale
		}
		shown(0)
		for j := range row {
			if cap > 0 {
				row[j] = cap * math.Tanh(row[j]/cap)
			}
		}
		shown(1)
		before := past
		if lengths != nil && !c.has(4) {
			before = lengths[b] - s
		}
		for j := range row {
			hidden := c.int("is_causal", 0) != 0 && j > r+before || lengths != nil && j >= lengths[b]
			if c.has(3) {
				m := c.in[3]
				switch last := m.shape[len(m.shape)-1]; {
				case j >= last && (last > 1 || c.opset >= 24):
					hidden = true
				case m.isFloat():
					row[j] += element(m, b, h, r, j)
				default:
					hidden = hidden || element(m, b, h, r, j) == 0
				}
			}
			if hidden {
				row[j] = -inf
			}
		}
		shown(2)
		top, sum := -inf, 0.0
		for _, x := range row {
			top = max(top, x)
		}
		for j, x := range row {
			row[j] = math.Exp(x - top)
			sum += row[j]
		}
		for j := range row {
			row[j] /= sum
			for z := range e {
				y.f[pos(y.shape, []int{b, h, r, z})] += row[j] * v.f[pos(v.shape, []int{b, h / share, j, z})]
			}
		}
		shown(3)
	})
	if len(c.in[0].shape) == 3 {
		joined := zeros(y.d, n, s, heads*e)
		each(y.shape, func(i []int, p int) { joined.f[(i[0]*s+i[2])*heads*e+i[1]*e+i[3]] = y.f[p] })
		y = joined
	}
	return []*value{y, k, v, qk}
}

func flexAttention(c *call) []*value {
	q, k, v := c.in[0], c.in[1], c.in[2]
	n, heads, s, d := q.shape[0], q.shape[1], q.shape[2], q.shape[3]
	t, e, share := k.shape[2], v.shape[3], heads/k.shape[1]
	changed := func(name string, x *value) *value {
		if i := slices.Index(c.bodies, name); i >= 0 {
			return c.body(i, []*value{x})[0]
		}
		return x
	}
	scores := zeros(q.d, n, heads, s, t)
	scale := c.float("scale", 1/math.Sqrt(float64(d)))
	each(scores.shape, func(i []int, p int) {
		for z := range d {
			scores.f[p] += scale * q.f[pos(q.shape, []int{i[0], i[1], i[2], z})] * k.f[pos(k.shape, []int{i[0], i[1] / share, i[3], z})]
		}
	})
	scores = changed("score_mod", scores)
	probs := zeros(q.d, scores.shape...)
	for lo := 0; lo < len(scores.f); lo += t {
		sum := 0.0
		top := slices.Max(scores.f[lo : lo+t])
		for j, x := range scores.f[lo : lo+t] {
			probs.f[lo+j] = math.Exp(x - top)
			sum += probs.f[lo+j]
		}
		for j := range t {
			probs.f[lo+j] /= sum
		}
	}
	probs = changed("prob_mod", probs)
	y := zeros(q.d, n, heads, s, e)
	each(y.shape, func(i []int, p int) {
		for j := range t {
			y.f[p] += probs.f[((i[0]*heads+i[1])*s+i[2])*t+j] * v.f[pos(v.shape, []int{i[0], i[1] / share, j, i[3]})]
		}
	})
	return one(y)
}

func rotaryEmbedding(c *call) []*value {
	x := c.in[0]
	n, heads, s, d := x.shape[0], c.int("num_heads", 0), 0, 0
	flat := len(x.shape) == 3
	if flat {
		s, d = x.shape[1], x.shape[2]/heads
	} else {
		heads, s, d = x.shape[1], x.shape[2], x.shape[3]
	}
	at := func(b, h, t, j int) int {
		if flat {
			return (b*s+t)*heads*d + h*d + j
		}
		return ((b*heads+h)*s+t)*d + j
	}
	r := c.int("rotary_embedding_dim", 0)
	if r == 0 {
		r = d
	}
	ids := c.intsAt(3)
	y := zeros(x.d, x.shape...)
	copy(y.f, x.f)
	each([]int{n, heads, s, r / 2}, func(i []int, _ int) {
		row := i[0]*s + i[2]
		if ids != nil {
			row = ids[row]
		}
		cos, sin := c.in[1].f[row*(r/2)+i[3]], c.in[2].f[row*(r/2)+i[3]]
		a, b := i[3], i[3]+r/2
		if c.int("interleaved", 0) != 0 {
			a, b = 2*i[3], 2*i[3]+1
		}
		pa, pb := at(i[0], i[1], i[2], a), at(i[0], i[1], i[2], b)
		y.f[pa], y.f[pb] = cos*x.f[pa]-sin*x.f[pb], sin*x.f[pa]+cos*x.f[pb]
	})
	return one(y)
}

func linearAttention(c *call) []*value {
	hq, h := c.int("q_num_heads", 1), c.int("kv_num_heads", 1)
	q, k, v := apart(c.in[0], hq), apart(c.in[1], h), apart(c.in[2], h)
	n, steps, d, e := q.shape[0], q.shape[2], q.shape[3], v.shape[3]
	scale := c.float("scale", 0)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(d))
	}
	rule := c.str("update_rule", "gated_delta")
	state := zeros(q.d, n, h, d, e)
	if c.has(3) {
		copy(state.f, c.in[3].f)
	}
	y := zeros(q.d, n, steps, hq*e)
	each([]int{n, h, steps}, func(i []int, _ int) { // the steps of one state come one after another
		b, g, t := i[0], i[1], i[2]
		s := state.f[(b*h+g)*d*e:][:d*e]
		if rule == "gated" || rule == "gated_delta" {
			decay := apart(c.in[4], h)
			for j := range s {
				s[j] *= math.Exp(element(decay, b, g, t, j/e))
			}
		}
		write := make([]float64, e)
		for z := range write {
			write[z] = v.f[pos(v.shape, []int{b, g, t, z})]
		}
		if rule == "delta" || rule == "gated_delta" {
			rate := element(c.in[5], b, t, g)
			for z := range write {
				for j := range d {
					write[z] -= s[j*e+z] * k.f[pos(k.shape, []int{b, g, t, j})]
				}
				write[z] *= rate
			}
		}
		for j := range s {
			s[j] += k.f[pos(k.shape, []int{b, g, t, j / e})] * write[j%e]
		}
		for m := range hq / h {
			head := g*(hq/h) + m
			for j := range s {
				y.f[(b*steps+t)*hq*e+head*e+j%e] += scale * q.f[pos(q.shape, []int{b, head, t, j / e})] * s[j]
			}
		}
	})
	return []*value{y, state}
}

func causalConv(c *call) []*value {
	x, w := c.in[0], c.in[1]
	n, ch, steps, k := x.shape[0], x.shape[1], x.shape[2], w.shape[2]
	past := zeros(x.d, n, ch, k-1)
	if c.has(3) {
		past = c.in[3]
	}
	all := behind(past, x)
	y := zeros(x.d, x.shape...)
	each(x.shape, func(i []int, p int) {
		if c.has(2) {
			y.f[p] = c.in[2].f[i[1]]
		}
		for j := range k {
			y.f[p] += w.f[i[1]*k+j] * all.f[pos(all.shape, []int{i[0], i[1], i[2] + j})]
		}
		if a := c.str("activation", "none"); a == "silu" || a == "swish" {
			y.f[p] /= 1 + math.Exp(-y.f[p])
		}
	})
	state := zeros(x.d, n, ch, k-1)
	each(state.shape, func(i []int, p int) { state.f[p] = all.f[pos(all.shape, []int{i[0], i[1], steps + i[2]})] })
	return []*value{y, state}
}

func tensorScatter(c *call) []*value {
	past, update := c.in[0], c.in[1]
	a := axisOf(c.int("axis", -2), len(past.shape))
	begin := c.intsAt(2)
	y := zeros(past.d, past.shape...)
	for p := range y.len() {
		y.copy(p, past, p)
	}
	each(update.shape, func(i []int, p int) {
		to := append([]int{}, i...)
		if begin != nil {
			to[a] += begin[i[0]]
		}
		if c.str("mode", "linear") == "circular" {
			to[a] %= past.shape[a]
		}
		y.copy(pos(y.shape, to), update, p)
	})
	return one(y)
}
