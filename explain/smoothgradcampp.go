package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
)

func init() {
	register(Method{
		Name: "smooth-gradcam++", Title: "Smooth Grad-CAM++",
		Doc:    "Grad-CAM++ with gradients and their powers averaged over noisy copies of the input",
		Source: "https://arxiv.org/abs/1908.01224",
		Place:  AtLayer,
		Random: true,
		Params: append([]Param{
			{Name: "variant", Default: "gtk", Choices: []string{"gtk", "paper"}, Doc: "numerator of alpha: gtk mean(g^2), paper mean(g) as printed",
				Says: "%s variant"},
			{Name: "channels", Doc: "feature maps to add up, for example 0,2,5-9; all when empty"},
			{Name: "top-channels", Default: "0", Doc: "add up only the K feature maps of largest |weight|; 0 means all", Says: "top %s channels"},
			{Name: "neurons", Doc: "positions y0:y1,x0:x1 of the layer, half-open, whose derivatives count; all when empty"},
			{Name: "neurons-mode", Default: "gradient", Choices: []string{"gradient", "mask"},
				Doc: "gradient: other derivatives are 0 before weighing; mask: the map is 0 elsewhere"},
		}, noiseParams...),
		New: newSmoothGradCAMpp,
	})
}

// sgcpp are the settings of Smooth Grad-CAM++.
type sgcpp struct {
	paper    bool
	channels []int
	top      int
	region   *region
	mask     bool
	noise    noise
}

func newSmoothGradCAMpp(o Options) (Func, error) {
	s := sgcpp{paper: o["variant"] == "paper", mask: o["neurons-mode"] == "mask"}
	var err error
	if s.channels, err = parseChannels(o["channels"]); err != nil {
		return nil, err
	}
	if s.top, err = o.nonNegative("top-channels"); err != nil {
		return nil, err
	}
	if s.region, err = parseRegion(o["neurons"]); err != nil {
		return nil, err
	}
	if s.noise, err = parseNoise(o); err != nil {
		return nil, err
	}
	return s.explain, nil
}

func (s sgcpp) explain(ctx context.Context, p *Probe) ([]Output, error) {
	clean, err := p.Clean(ctx)
	if err != nil {
		return nil, err
	}
	rows, layers := p.Rows(), len(p.Layers())
	acc := make([][]moments, layers)
	for l := range acc {
		for r := range rows {
			acc[l] = append(acc[l], newMoments(volumeAt(clean.Act[l], r)))
		}
	}
	n, err := s.noise.each(ctx, p, func(pass *Pass, from []int) {
		for l := range layers {
			for i, r := range from {
				acc[l][r].add(volumeAt(pass.Grad[l], i))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	outs := make([]Output, layers)
	for l := range layers {
		maps := make([]planeMap, rows)
		for r := range rows {
			acc[l][r].divide(n)
			if maps[r], err = s.combine(volumeAt(clean.Act[l], r), acc[l][r]); err != nil {
				return nil, fmt.Errorf("explain: smooth-gradcam++: layer %q: %w", p.Layers()[l], err)
			}
		}
		act := clean.Act[l]
		outs[l] = stack(maps, act.Dim(2), act.Dim(3))
	}
	return outs, nil
}

// moments are D1, D2, D3 of one image at one layer: means over noisy samples of g, g², g³, each [C,h,w].
type moments struct{ d1, d2, d3 []float64 }

func newMoments(like Volume) moments {
	n := len(like.X)
	return moments{make([]float64, n), make([]float64, n), make([]float64, n)}
}

func (m moments) add(g Volume) {
	for i, v := range g.X {
		d := float64(v)
		m.d1[i] += d
		m.d2[i] += d * d
		m.d3[i] += d * d * d
	}
}

func (m moments) divide(n int) {
	for _, d := range [][]float64{m.d1, m.d2, m.d3} {
		for i := range d {
			d[i] /= float64(n)
		}
	}
}

// combine is Smooth Grad-CAM++ of one image from the clean activations a and the moments m:
// alpha = D2/(2 D2 + (sum_ab A_kab) D3), numerator D1 in the variant as printed; w_k = sum_ij alpha relu(D1); L = relu(sum_k w_k A_k).
// With one sample without noise it is Grad-CAM++.
//
// Source: https://arxiv.org/abs/1908.01224, section 3. Which feature maps and neurons are selected is the user's; their meaning here is
// in the parameters' documentation.
func (s sgcpp) combine(a Volume, m moments) (planeMap, error) {
	if s.region != nil {
		if err := s.region.check(a.H, a.W); err != nil {
			return planeMap{}, err
		}
	}
	w := make([]float64, a.C)
	for k := range w {
		var sum float64
		for _, v := range a.Channel(k) {
			sum += float64(v)
		}
		off := k * a.Plane()
		for u := range a.Plane() {
			if s.region != nil && !s.mask && !s.region.has(u, a.W) {
				continue
			}
			d1, d2, d3 := m.d1[off+u], m.d2[off+u], m.d3[off+u]
			num := d2
			if s.paper {
				num = d1
			}
			w[k] += plusplusAlpha(num, d2, sum*d3) * max(d1, 0)
		}
	}
	used, err := s.selectChannels(w)
	if err != nil {
		return planeMap{}, err
	}
	out := planeMap{X: weighted(a, used, true), Weights: float32s(used)}
	if s.region != nil && s.mask {
		for u := range out.X {
			if !s.region.has(u, a.W) {
				out.X[u] = 0
			}
		}
	}
	return out, nil
}

// selectChannels is w with the weights of channels that were not chosen set to 0.
func (s sgcpp) selectChannels(w []float64) ([]float64, error) {
	keep := make([]bool, len(w))
	if len(s.channels) == 0 {
		for k := range keep {
			keep[k] = true
		}
	}
	for _, k := range s.channels {
		if k >= len(w) {
			return nil, fmt.Errorf("channel %d: the layer has channels 0 to %d", k, len(w)-1)
		}
		keep[k] = true
	}
	if s.top > 0 {
		order := make([]int, 0, len(w))
		for k := range w {
			if keep[k] {
				order = append(order, k)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch x, y := math.Abs(w[a]), math.Abs(w[b]); {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		})
		for _, k := range order[min(s.top, len(order)):] {
			keep[k] = false
		}
	}
	out := make([]float64, len(w))
	for k, ok := range keep {
		if ok {
			out[k] = w[k]
		}
	}
	return out, nil
}
