package ops_test

import "strings"

// Clip, which stops gradients, and every activation function.
func init() {
	weights := func(gates, d int) []arg {
		return []arg{w(3, 2, 2), w(d, gates*2, 2), w(d, gates*2, 2), w(d, 4*gates)}
	}
	for op, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		register(opCase{op: op, name: "clip", attrs: is("hidden_size", 2, "clip", 0.7), in: weights(gates, 1), outs: 2, whole: true,
			tol: 1e-3})
	}
	for _, name := range strings.Fields("Relu Tanh Sigmoid Affine LeakyRelu ThresholdedRelu ScaledTanh HardSigmoid Elu Softsign " +
		"Softplus") {
		attrs := is("hidden_size", 2, "activations", []string{name, name}, "direction", "bidirectional")
		switch name {
		case "Affine", "ScaledTanh", "HardSigmoid":
			attrs["activation_alpha"], attrs["activation_beta"] = []float32{0.4, 0.6}, []float32{0.3, 0.8}
		case "LeakyRelu", "ThresholdedRelu", "Elu":
			attrs["activation_alpha"] = []float32{0.3, 0.5}
		}
		register(opCase{op: "RNN", name: name, attrs: attrs, in: weights(1, 2), outs: 2, whole: true, tol: 1e-3})
	}
}
