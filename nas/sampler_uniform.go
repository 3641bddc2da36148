package nas

func init() {
	samplers.Register("uniform", Sampler{paths: one}, "every path alike, each example once in an epoch (SPOS)",
		"https://arxiv.org/abs/1904.00420")
}
