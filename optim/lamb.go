package optim

func init() {
	register(Info{
		Name: "lamb", LR: 1e-3, Decay: 0.01, Decoupled: true,
		Doc:    "LAMB: Adam's direction and weight decay, as long as the weights of each parameter are; for large batches",
		Source: "https://arxiv.org/abs/1904.00962 algorithm 2",
		make:   func() Rule { return &lamb{0.9, 0.999, 1e-6} },
	})
}

// lamb is Adam, then weight decay, then [TrustRatio].
//
// Source: You et al., https://arxiv.org/abs/1904.00962, algorithm 2. All parameters are scaled, those that do not decay too.
type lamb struct {
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
}

func (r *lamb) Name() string { return "lamb" }

func (r *lamb) parts(decay []Rule) []Rule {
	a := &adam{name: "lamb", Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps}
	return append(append([]Rule{a}, decay...), TrustRatio())
}
