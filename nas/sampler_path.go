package nas

func init() {
	samplers.Register("path", Sampler{Path: true, paths: one}, "operators by the gradients of their weights, each example once in an epoch",
		"https://arxiv.org/abs/2302.14772")
}
