package explain

func init() {
	register(Method{
		Name: "gradcam++", Title: "Grad-CAM++", Doc: "class activation map, channels weighed by positive gradients and their powers",
		Source: "https://arxiv.org/abs/1710.11063",
		Place:  AtLayer,
		Params: []Param{{Name: "variant", Default: "paper", Says: "%s variant", Choices: []string{"paper", "sumAg3"},
			Doc: "paper: (sum A) g^3 in the denominator; sumAg3: sum (A g^3)"}},
		New: func(o Options) (Func, error) {
			variant := o["variant"]
			return perLayer(func(x, g Volume) planeMap { return gradCAMpp(x, g, variant) }), nil
		},
	})
}

// gradCAMpp is Grad-CAM++ of one image: L = relu(sum_k w_k A_k), w_k = sum_ij alpha_kij relu(g_kij),
// alpha = g² / (2 g² + (sum_ab A_kab) g³), and 0 where the denominator is 0.
//
// It assumes the score exp(S) of a piecewise-linear net, for which higher derivatives are powers of the first; the factor exp(S)
// of w, a scale of the whole map that overflows for large S, is left out.
//
// Source: https://arxiv.org/abs/1710.11063, equations 10 to 19.
func gradCAMpp(x, g Volume, variant string) planeMap {
	w := make([]float64, x.C)
	for k := range w {
		a, gk := x.Channel(k), g.Channel(k)
		var sum float64
		for i, v := range a {
			if variant == "sumAg3" {
				d := float64(gk[i])
				sum += float64(v) * d * d * d
			} else {
				sum += float64(v)
			}
		}
		for _, gi := range gk {
			d := float64(gi)
			d3 := sum
			if variant != "sumAg3" {
				d3 = sum * d * d * d
			}
			w[k] += plusplusAlpha(d*d, d*d, d3) * max(d, 0)
		}
	}
	return planeMap{X: weighted(x, w, true), Weights: float32s(w)}
}

// plusplusAlpha is num / (2 d2 + ad3), 0 where that is 0/0 or the denominator vanishes.
func plusplusAlpha(num, d2, ad3 float64) float64 {
	den := 2*d2 + ad3
	if den == 0 || num == 0 {
		return 0
	}
	return num / den
}

// weighted is the map sum_k w_k A_k, negative values set to 0 when relu.
func weighted(a Volume, w []float64, relu bool) []float32 {
	acc := make([]float64, a.Plane())
	for k, wk := range w {
		if wk == 0 {
			continue
		}
		for i, v := range a.Channel(k) {
			acc[i] += wk * float64(v)
		}
	}
	if relu {
		for i, v := range acc {
			acc[i] = max(v, 0)
		}
	}
	return float32s(acc)
}

func float32s(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
