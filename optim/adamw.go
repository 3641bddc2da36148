package optim

func init() {
	register(Info{
		Name: "adamw", LR: 1e-3, Decoupled: true, Decay: 0.01,
		Doc:     "Adam with decoupled weight decay, 0.01 unless given",
		Source:  "https://arxiv.org/abs/1711.05101 Algorithm 2",
		Options: []string{"beta1", "beta2", "eps"},
		build:   func(c Config) (Rule, error) { return newAdam("adamw", c), nil },
	})
}
