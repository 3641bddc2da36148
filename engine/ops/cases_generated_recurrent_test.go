package ops_test

import "github.com/gtk-onnx/gtk/tensor"

func init() {
	smooth := []string{"Sigmoid", "Tanh", "Softsign", "Softplus", "ScaledTanh", "Affine", "Elu", "HardSigmoid"}
	for _, k := range []struct {
		op           string
		gates, funcs int
	}{{"RNN", 1, 1}, {"GRU", 3, 2}, {"LSTM", 4, 3}} {
		generate(k.op, 16, func(g *source) opCase {
			steps, batch, width, hidden := g.upto(4), g.upto(3), g.upto(3), g.upto(3)
			switch g.i {
			case 4:
				batch = 0
			case 5:
				steps = 1
			}
			direction := pick(g, "forward", "reverse", "bidirectional")
			d := 1
			if direction == "bidirectional" {
				d = 2
			}
			layout := g.bit()
			kv := []any{"hidden_size", hidden, "direction", direction, "layout", layout}
			swap := func(a, b int, rest ...int) []int {
				if layout == 1 {
					a, b = b, a
				}
				return append([]int{a, b}, rest...)
			}
			if g.i%4 >= 2 {
				var names []string
				alpha, beta := make([]float32, 0, 6), make([]float32, 0, 6)
				for range d * k.funcs {
					names = append(names, anyOf(g, smooth...))
					// One for each function that has some, in its order.
					switch names[len(names)-1] {
					case "ScaledTanh", "Affine", "HardSigmoid":
						alpha, beta = append(alpha, 0.1+0.1*g.Float32()), append(beta, 0.4+0.2*g.Float32())
					case "Elu":
						alpha = append(alpha, 0.5+g.Float32())
					}
				}
				kv = append(kv, "activations", names)
				if len(alpha) > 0 {
					kv = append(kv, "activation_alpha", alpha)
				}
				if len(beta) > 0 {
					kv = append(kv, "activation_beta", beta)
				}
			}
			lens := arg{}
			if g.i%3 != 1 {
				v := make([]int32, batch)
				for i := range v {
					v[i] = int32(g.IntN(steps + 1))
				}
				lens = given(tensor.From(v, batch))
			}
			in := []arg{g.input(inside, swap(steps, batch, width)...), wg(inside, d, k.gates*hidden, width), wg(inside, d, k.gates*hidden, hidden),
				g.maybe(wg(inside, d, 2*k.gates*hidden)), lens, g.maybe(wg(inside, swap(d, batch, hidden)...))}
			outs := g.upto(2)
			switch k.op {
			case "GRU":
				kv = append(kv, "linear_before_reset", g.bit())
			case "LSTM":
				outs = g.upto(3)
				in = append(in, g.maybe(wg(inside, swap(d, batch, hidden)...)), g.maybe(wg(inside, d, 3*hidden)))
				if g.i%5 == 3 {
					kv = append(kv, "input_forget", 1)
				}
			}
			return opCase{attrs: is(kv...), in: trimmed(in...), outs: outs, whole: true, tol: 1e-3}
		})
	}
}
