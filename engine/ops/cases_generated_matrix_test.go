package ops_test

func init() {
	generate("MatMul", 14, func(g *source) opCase {
		m, k, n := g.upto(4), g.upto(4), g.upto(4)
		switch g.i {
		case 4:
			m = 0
		case 5:
			k = 0
		case 6:
			n = 0
		}
		lead := g.extents(g.i % 3)
		if g.i == 10 {
			lead = []int{0, 2}
		}
		a, b := append(g.parted(lead), m, k), append(g.parted(lead), k, n)
		switch {
		case g.i%7 == 3:
			a = a[len(a)-1:]
		case g.i == 8:
			b = b[len(b)-2 : len(b)-1]
		case g.i == 9:
			a, b = []int{k}, []int{k}
		}
		return opCase{in: []arg{g.input(normal, a...), g.input(normal, b...)}, whole: true}
	})
	generate("Gemm", 14, func(g *source) opCase {
		m, k, n := g.upto(4), g.upto(4), g.upto(4)
		switch g.i {
		case 4:
			m = 0
		case 5:
			k = 0
		case 6:
			n = 0
		}
		ta, tb := g.bit(), g.bit()
		a, b := []int{m, k}, []int{k, n}
		if ta == 1 {
			a = []int{k, m}
		}
		if tb == 1 {
			b = []int{n, k}
		}
		c := arg{}
		if g.i%4 > 0 {
			c = g.input(normal, g.parted([]int{m, n})...)
		}
		return opCase{attrs: is("transA", ta, "transB", tb, "alpha", g.Float64()+0.5, "beta", g.Float64()+0.5), whole: true,
			in: trimmed(g.input(normal, a...), g.input(normal, b...), c)}
	})
	generate("Einsum", 12, func(g *source) opCase {
		s := [...]struct {
			equation string
			letters  []string
		}{{"ij,jk->ik", []string{"ij", "jk"}}, {"bij,bkj->bik", []string{"bij", "bkj"}}, {"...i,...i->...", []string{"abi", "bi"}},
			{"ii->i", []string{"ii"}}, {"ij,jk->ki", []string{"ij", "jk"}}, {"bhqd,bhkd->bhqk", []string{"bhqd", "bhkd"}},
			{"i,ij,j->", []string{"i", "ij", "j"}}, {"aij->ji", []string{"aij"}}, {"...ij->...ji", []string{"abij"}},
			{"ij,kj", []string{"ij", "kj"}}, {"a,b->ab", []string{"a", "b"}}, {"abc,cd,b->ad", []string{"abc", "cd", "b"}}}[g.i]
		extent := map[rune]int{}
		var in []arg
		for _, l := range s.letters {
			var shape []int
			for _, r := range l {
				if extent[r] == 0 {
					extent[r] = g.upto(3)
				}
				shape = append(shape, extent[r])
			}
			in = append(in, g.input(normal, shape...))
		}
		if g.i == 4 { // a sum over nothing
			in[0].shape[1], in[1].shape[0] = 0, 0
		}
		return opCase{attrs: is("equation", s.equation), in: in, whole: true}
	})
	generate("Det", 10, func(g *source) opCase {
		n := pick(g, 1, 2, 3, 4, 2, 3, 0)
		return opCase{in: []arg{g.input(normal, append(g.extents(g.i%3), n, n)...)}, whole: true, tol: 1e-3}
	})
	generate("Attention", 12, func(g *source) opCase {
		n, h, group, s, t, d, e := g.upto(2), g.upto(2), g.upto(2), g.upto(3), g.upto(4), g.upto(3), g.upto(3)
		if g.i == 4 {
			n = 0
		}
		kv := []any{"is_causal", g.bit()}
		if g.flip() {
			kv = append(kv, "scale", 0.3+g.Float64())
		}
		if g.flip() {
			kv = append(kv, "softcap", 1+g.Float64())
		}
		in := []arg{w(n, h*group, s, d), w(n, h, t, d), w(n, h, t, e)}
		if g.i%3 == 1 {
			in = []arg{w(n, s, h*group*d), w(n, t, h*d), w(n, t, h*e)}
			kv = append(kv, "q_num_heads", h*group, "kv_num_heads", h)
		}
		p := 0
		past := []arg{{}, {}}
		outs := 1
		if g.i%4 == 2 {
			p = g.upto(2)
			past, outs = []arg{w(n, h, p, d), w(n, h, p, e)}, 3
		}
		mask := arg{}
		if g.flip() {
			mask = w(g.parted([]int{n, h * group, s})...)
			mask.shape = append(mask.shape, t+p)
			if len(mask.shape) < 2 {
				mask.shape = []int{s, t + p}
			}
		}
		return opCase{attrs: is(kv...), in: trimmed(append(append(in, mask), past...)...), outs: outs, whole: true, tol: 1e-3}
	})
	generate("LinearAttention", 12, func(g *source) opCase {
		n, h, group, s, d, e := g.upto(2), g.upto(2), g.upto(2), g.upto(3), g.upto(3), g.upto(3)
		rule := pick(g, "linear", "gated", "delta", "gated_delta")
		in := []arg{w(n, s, h*group*d), w(n, s, h*d), w(n, s, h*e), g.maybe(w(n, h, d, e)), {}, {}}
		if rule == "gated" || rule == "gated_delta" {
			in[4] = anyOf(g, wg(inside, n, s, h*d), wg(inside, n, s, h))
		}
		if rule == "delta" || rule == "gated_delta" {
			in[5] = anyOf(g, wg(inside, n, s, h), wg(inside, n, s, 1))
		}
		return opCase{attrs: is("q_num_heads", h*group, "kv_num_heads", h, "update_rule", rule), in: trimmed(in...), outs: 2, whole: true,
			tol: 1e-3}
	})
	generate("RotaryEmbedding", 12, func(g *source) opCase {
		n, h, s, d := g.upto(2), g.upto(2), g.upto(3), 2*g.upto(3)
		if g.i == 4 {
			s = 0
		}
		part := 0
		if g.i%3 == 1 {
			part = 2 * g.upto(d/2)
		}
		half := d / 2
		kv := []any{"interleaved", g.bit()}
		if part > 0 {
			half = part / 2
			kv = append(kv, "rotary_embedding_dim", part)
		}
		in := []arg{w(n, h, s, d)}
		if g.i%4 == 3 || part > 0 { // a part needs the number of heads
			kv = append(kv, "num_heads", h)
			if g.i%4 == 3 {
				in = []arg{w(n, s, h*d)}
			}
		}
		if g.flip() {
			in = append(in, w(n, s, half), w(n, s, half))
		} else {
			in = append(in, w(5, half), w(5, half), idsIn([]int{n, s}, g.list(n*s, 0, 4)...))
		}
		return opCase{attrs: is(kv...), in: in, whole: true}
	})
	generate("CausalConvWithState", 12, func(g *source) opCase {
		n, c, s, k := g.upto(2), g.upto(3), g.upto(4), g.upto(4)
		in := []arg{x(n, c, s), w(c, 1, k), g.maybe(w(c)), {}}
		if k > 1 {
			in[3] = g.maybe(x(n, c, k-1))
		}
		return opCase{attrs: is("activation", pick(g, "none", "silu", "swish")), in: trimmed(in...), outs: g.upto(2)}
	})
	generate("TensorScatter", 10, func(g *source) opCase {
		n, h, room, d := g.upto(3), g.upto(2), 1+g.upto(4), g.upto(3)
		s := g.upto(room)
		mode := pick(g, "linear", "circular")
		from := g.list(n, 0, room-s)
		if mode == "circular" {
			from = g.list(n, 0, room-1)
		}
		in := []arg{w(n, h, room, d), w(n, h, s, d), ids(from...)}
		if g.i%5 == 4 {
			in = in[:2]
		}
		kv := []any{"mode", mode}
		if g.i%3 == 2 {
			in[0].shape, in[1].shape, kv = []int{n, room, d}, []int{n, s, d}, append(kv, "axis", -2)
		}
		return opCase{attrs: is(kv...), in: in, whole: true}
	})
	generate("DFT", 10, func(g *source) opCase {
		// [N, signal, real or complex], along an axis from the start or from the end.
		n, complexes := g.upto(6), 1+g.bit()
		kv := []any{"inverse", 0}
		if complexes == 2 {
			kv[1] = g.bit()
		}
		if complexes == 1 && g.flip() {
			kv = append(kv, "onesided", 1)
		}
		length := arg{}
		if g.i%3 == 2 {
			length = scalarID(int64(g.upto(8)))
		}
		return opCase{attrs: is(kv...), in: trimmed(g.input(normal, g.upto(2), n, g.upto(2), complexes), length, scalarID(pick(g, int64(1), -3))),
			whole: true}
	})
	generate("STFT", 10, func(g *source) opCase {
		width, complexes := 1+g.upto(5), 1+g.bit()
		n := width + g.IntN(8)
		in := []arg{g.input(normal, g.upto(2), n, complexes), scalarID(int64(g.upto(3))), {}, scalarID(int64(width))}
		switch g.i % 3 {
		case 0:
			in[2] = w(width)
		case 1:
			in[2], in = w(width), in[:3]
			in[2] = w(width)
		}
		onesided := 0
		if complexes == 1 {
			onesided = g.bit()
		}
		return opCase{attrs: is("onesided", onesided), in: in, whole: true}
	})
}
