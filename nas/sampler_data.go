package nas

func init() {
	samplers.Register("data", Sampler{Data: true, paths: one}, "every path alike, examples by the gradients of their losses",
		"https://arxiv.org/abs/2302.14772")
}
