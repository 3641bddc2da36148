package nas

func init() {
	samplers.Register("panda", Sampler{Data: true, Path: true, paths: one}, "PA&DA: operators and examples by their gradients",
		"https://arxiv.org/abs/2302.14772")
}
