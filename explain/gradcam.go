package explain

func init() {
	register(Method{
		Name: "gradcam", Title: "Grad-CAM", Doc: "class activation map, channels weighed by their mean gradient",
		Source: "https://arxiv.org/abs/1610.02391",
		Place:  AtLayer,
		Params: []Param{{Name: "relu", Default: "true", Choices: []string{"true", "false"}, Doc: "keep only what speaks for the class"}},
		New: func(o Options) (Func, error) {
			relu := o["relu"] == "true"
			return perLayer(func(x, g Volume) planeMap { return gradCAM(x, g, relu) }), nil
		},
	})
}

// gradCAM is Grad-CAM of one image: relu(sum_k w_k A_k), w_k the mean of the gradient g_k over positions.
//
// Source: https://arxiv.org/abs/1610.02391, equations 1 and 2.
func gradCAM(x, g Volume, relu bool) planeMap {
	w := make([]float64, x.C)
	for k := range w {
		for _, v := range g.Channel(k) {
			w[k] += float64(v)
		}
		w[k] /= float64(g.Plane())
	}
	return planeMap{X: weighted(x, w, relu), Weights: float32s(w), Signed: !relu}
}
