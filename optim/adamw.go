package optim

func init() {
	register(Info{
		Name: "adamw", LR: 1e-3, Decoupled: true, Decay: 0.01,
		Doc:    "Adam with decoupled weight decay, 0.01 unless given",
		Source: "https://arxiv.org/abs/1711.05101 Algorithm 2",
		make:   func() Rule { return newAdam("adamw") },
	})
}
