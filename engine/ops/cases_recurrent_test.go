package ops_test

import "github.com/gtk-onnx/gtk/tensor"

func init() {
	const steps, batch, width, hidden = 4, 3, 2, 3
	lens := given(tensor.From([]int32{4, 2, 3}, 3))
	for _, k := range []struct {
		op    string
		gates int
	}{{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}} {
		weights := func(d int) []arg {
			return []arg{w(steps, batch, width), w(d, k.gates*hidden, width), w(d, k.gates*hidden, hidden)}
		}
		bias := func(d int) arg { return w(d, 2*k.gates*hidden) }
		state := func(d int) arg { return w(d, batch, hidden) }
		outs := 2
		if k.op == "LSTM" {
			outs = 3
		}
		add := func(name string, in []arg, kv ...any) {
			register(opCase{op: k.op, name: name, attrs: is(append(kv, "hidden_size", hidden)...), in: in, outs: outs, whole: true,
				tol: 1e-3})
		}
		add("", weights(1))
		add("bias", append(weights(1), bias(1)))
		add("state", append(weights(1), bias(1), arg{}, state(1)))
		add("reverse", append(weights(1), bias(1)), "direction", "reverse")
		add("bidirectional", append(weights(2), bias(2), arg{}, state(2)), "direction", "bidirectional")
		add("lengths", append(weights(2), bias(2), lens, state(2)), "direction", "bidirectional")
		add("layout", []arg{w(batch, steps, width), w(1, k.gates*hidden, width), w(1, k.gates*hidden, hidden), bias(1), {},
			w(batch, 1, hidden)}, "layout", 1)
		// One sequence after another, for the gradient of each.
		rows := func(d int) []arg {
			return []arg{x(batch, steps, width), w(d, k.gates*hidden, width), w(d, k.gates*hidden, hidden), bias(d)}
		}
		each := func(name string, in []arg, kv ...any) {
			register(opCase{op: k.op, name: name, attrs: is(append(kv, "hidden_size", hidden, "layout", 1)...), in: in, outs: outs, tol: 1e-3})
		}
		each("each", rows(1))
		each("each, bidirectional, lengths, state", append(rows(2), ids(4, 2, 3).perRow(), x(batch, 2, hidden)), "direction", "bidirectional")
		each("each, reverse", rows(1)[:3], "direction", "reverse")
		register(opCase{op: k.op, name: "sequence only", attrs: is("hidden_size", hidden), in: append(weights(1), bias(1)), whole: true,
			tol: 1e-3},
			opCase{op: k.op, opset: 7, attrs: is("hidden_size", hidden), in: append(weights(1), bias(1)), whole: true, tol: 1e-3})
		add("layout, bidirectional, lengths", []arg{w(batch, steps, width), w(2, k.gates*hidden, width), w(2, k.gates*hidden, hidden), bias(2),
			lens, w(batch, 2, hidden)}, "layout", 1, "direction", "bidirectional")
		switch k.op {
		case "GRU":
			add("linear before reset", append(weights(1), bias(1), arg{}, state(1)), "linear_before_reset", 1)
			add("linear before reset, bidirectional", append(weights(2), bias(2), lens, state(2)), "linear_before_reset", 1, "direction",
				"bidirectional")
			add("activations", append(weights(1), bias(1)), "activations", []string{"HardSigmoid", "Softsign"})
			each("each, linear before reset", append(rows(2), ids(4, 2, 3).perRow(), x(batch, 2, hidden)), "linear_before_reset", 1, "direction",
				"bidirectional")
		case "LSTM":
			add("all", append(weights(1), bias(1), arg{}, state(1), state(1)))
			add("peepholes", append(weights(2), bias(2), lens, state(2), state(2), w(2, 3*hidden)), "direction", "bidirectional")
			each("each, peepholes", append(rows(2), ids(4, 2, 3).perRow(), x(batch, 2, hidden), x(batch, 2, hidden), w(2, 3*hidden)), "direction",
				"bidirectional")
			each("each, long", []arg{x(2, 9, 2), w(1, 4*hidden, 2), w(1, 4*hidden, hidden), bias(1)})
			add("peepholes, coupled, clip, layout", []arg{w(batch, steps, width), w(1, 4*hidden, width), w(1, 4*hidden, hidden), bias(1), lens,
				w(batch, 1, hidden), w(batch, 1, hidden), w(1, 3*hidden)}, "layout", 1, "direction", "reverse",
				"input_forget", 1, "clip", float32(0.9))
			add("coupled", append(weights(1), bias(1)), "input_forget", 1)
			add("activations", append(weights(1), bias(1)), "activations", []string{"Sigmoid", "Softsign", "Tanh"})
		case "RNN":
			add("relu", append(weights(1), bias(1)), "activations", []string{"Relu"})
			add("affine", append(weights(1), bias(1)), "activations", []string{"Affine"}, "activation_alpha", []float32{0.5},
				"activation_beta", []float32{0.1})
		}
	}
}
