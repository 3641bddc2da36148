package nas

import "math/rand/v2"

func init() {
	samplers.Register("fair", Sampler{paths: fair},
		"FairNAS: each step adds up the gradients of as many paths as there are operators, in which each comes once at each choice",
		"https://arxiv.org/abs/1907.01845")
}

// fair draws a permutation of the operators at each choice; path k has the k-th of each. Where fewer operators can stand than elsewhere,
// they come as evenly as that goes.
func fair(l Layout, _ []float64, r *rand.Rand) [][]int {
	most := 0
	for _, c := range l.Choices {
		most = max(most, len(c.Ops))
	}
	archs := make([][]int, most)
	for k := range archs {
		archs[k] = make([]int, len(l.Choices))
	}
	for i, c := range l.Choices {
		var order []int
		for len(order) < most {
			for _, k := range r.Perm(len(c.Ops)) {
				order = append(order, c.Ops[k])
			}
		}
		for k := range archs {
			archs[k][i] = order[k]
		}
	}
	return archs
}
