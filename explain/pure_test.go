package explain

import (
	"math"
	"slices"
	"strings"
	"testing"
)

var nets = []string{"netA", "netB"}

// layersOf are the layers that the vectors have activations and gradients of.
func layersOf(vs map[string]vector) []string {
	var out []string
	for k := range vs {
		if l, ok := strings.CutSuffix(k, "/act"); ok {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return out
}

func TestGradCAMVectors(t *testing.T) {
	for _, net := range nets {
		vs := vectors(t, net)
		for _, l := range layersOf(vs) {
			x, g := need(t, vs, l+"/act").volume(), need(t, vs, l+"/grad").volume()
			cam := gradCAM(x, g, true)
			near(t, net+"/"+l+"/gradcam", cam.X, need(t, vs, l+"/gradcam"))
			near(t, net+"/"+l+"/gradcam_weights", cam.Weights, need(t, vs, l+"/gradcam_weights"))
			near(t, net+"/"+l+"/gradcam_prerelu", gradCAM(x, g, false).X, need(t, vs, l+"/gradcam_prerelu"))
		}
	}
}

func TestGradCAMppVectors(t *testing.T) {
	for _, net := range nets {
		vs := vectors(t, net)
		for _, l := range layersOf(vs) {
			x, g := need(t, vs, l+"/act").volume(), need(t, vs, l+"/grad").volume()
			for _, variant := range []string{"paper", "sumAg3"} {
				key := l + "/gradcampp_" + variant
				got := gradCAMpp(x, g, variant)
				near(t, net+"/"+key, got.X, need(t, vs, key))
				near(t, net+"/"+key+"_weights", got.Weights, need(t, vs, key+"_weights"))
			}
		}
	}
}

func TestNormGradVectors(t *testing.T) {
	n := 0
	for _, net := range nets {
		vs := vectors(t, net)
		for _, l := range layersOf(vs) {
			for _, p1 := range Phase1s {
				for _, p2 := range Phase2s {
					key := l + "/normgrad/" + p1 + "/" + p2
					want, ok := vs[key]
					if !ok {
						continue
					}
					n++
					x, g := need(t, vs, l+"/act").volume(), need(t, vs, l+"/grad").volume()
					near(t, net+"/"+key, normGrad(x, g, p1, p2), want)
				}
			}
		}
	}
	if n != 120 {
		t.Errorf("%d cells of the grid compared, want 120", n)
	}
}

func TestSmoothGradCAMppVectors(t *testing.T) {
	f64 := func(v vector) []float64 { return v.Data }
	cases := map[string]Options{
		"gtk": {}, "paper": {"variant": "paper"}, "gtk_channels_0_2": {"channels": "0,2"},
		"gtk_neurons_rows1-2_cols0-1": {"neurons": "1:3,0:2"},
		"gtk_neurons_outmask":         {"neurons": "1:3,0:2", "neurons-mode": "mask"},
	}
	for _, net := range nets {
		vs := vectors(t, net)
		for _, l := range []string{"relu1", "relu2", "relu3"} {
			p := l + "/smoothgradcampp/"
			m := moments{f64(need(t, vs, p+"D1")), f64(need(t, vs, p+"D2")), f64(need(t, vs, p+"D3"))}
			for name, o := range cases {
				s := sgcpp{paper: o["variant"] == "paper", mask: o["neurons-mode"] == "mask"}
				var err error
				if s.channels, err = parseChannels(o["channels"]); err != nil {
					t.Fatal(err)
				}
				if s.region, err = parseRegion(o["neurons"]); err != nil {
					t.Fatal(err)
				}
				got, err := s.combine(need(t, vs, l+"/act").volume(), m)
				if err != nil {
					t.Fatal(err)
				}
				near(t, net+"/"+p+name, got.X, need(t, vs, p+name))
				if w, ok := vs[p+name+"_weights"]; ok {
					near(t, net+"/"+p+name+"_weights", got.Weights, w)
				}
			}
		}
	}
}

func TestReduceVectors(t *testing.T) {
	keys := map[string]string{"none": "", "abs-max": "_absmax", "sum": "_sum", "abs-sum": "_abs_sum"}
	for _, net := range nets {
		vs := vectors(t, net)
		g := need(t, vs, "input/gradient")
		for how, key := range keys {
			near(t, net+"/input/gradient"+key, Reduce(g.tensor(4), how).F32(), need(t, vs, "input/gradient"+key))
		}
		l2 := Reduce(g.tensor(4), "l2").F32()
		for u, got := range l2 {
			var s float64
			for c := range g.Shape[0] {
				s += g.Data[c*len(l2)+u] * g.Data[c*len(l2)+u]
			}
			if math.Abs(float64(got)-math.Sqrt(s)) > 1e-6*(1+math.Sqrt(s)) {
				t.Fatalf("%s: l2[%d] = %g, want %g", net, u, got, math.Sqrt(s))
			}
		}
	}
}

func TestBilinearVectors(t *testing.T) {
	vs := vectors(t, "common")
	in := need(t, vs, "interp/in_4x3")
	for _, key := range []string{"interp/bilinear_acF_16x12", "interp/bilinear_acF_7x5"} {
		want := need(t, vs, key)
		near(t, key, Bilinear(in.f32(), 4, 3, want.Shape[0], want.Shape[1]), want)
	}
}

func TestUpsampleAndScaleVectors(t *testing.T) {
	for _, net := range nets {
		vs := vectors(t, net)
		for _, l := range []string{"relu1", "relu2", "relu3"} {
			cam := need(t, vs, l+"/gradcam")
			h, w := cam.Shape[0], cam.Shape[1]
			up, ok := MinMax(Bilinear(cam.f32(), h, w, 16, 12))
			if !ok {
				t.Errorf("%s/%s: constant", net, l)
			}
			near(t, net+"/"+l+"/gradcam_up_norm", up, need(t, vs, l+"/gradcam_up_norm"))
			small, _ := MinMax(cam.f32())
			near(t, net+"/"+l+"/gradcam_norm_up", Bilinear(small, h, w, 16, 12), need(t, vs, l+"/gradcam_norm_up"))
			ng := need(t, vs, l+"/normgrad/conv1x1/norm")
			up, _ = MinMax(Bilinear(ng.f32(), h, w, 16, 12))
			near(t, net+"/"+l+"/normgrad/conv1x1/norm_up", up, need(t, vs, l+"/normgrad/conv1x1/norm_up"))
		}
	}
}

func TestIdentities(t *testing.T) {
	for _, net := range nets {
		vs := vectors(t, net)
		for _, l := range []string{"relu1", "relu2", "relu3"} {
			x, g := need(t, vs, l+"/act").volume(), need(t, vs, l+"/grad").volume()
			// conv1x1/norm is |x_u| |g_u|
			want := make([]float64, x.Plane())
			for u := range want {
				var a, b float64
				for c := range x.C {
					a += math.Pow(float64(x.Channel(c)[u]), 2)
					b += math.Pow(float64(g.Channel(c)[u]), 2)
				}
				want[u] = math.Sqrt(a) * math.Sqrt(b)
			}
			near(t, net+"/"+l+" norm", normGrad(x, g, "conv1x1", "norm"), vector{Data: want})
			// the closed forms equal the vectors o_u built in full
			for _, p1 := range Phase1s {
				for _, p2 := range Phase2s {
					near(t, net+"/"+l+" "+p1+"/"+p2, normGrad(x, g, p1, p2), vector{Data: bruteForce(x, g, p1, p2)})
				}
			}
			// one sample without noise is Grad-CAM++
			m := newMoments(x)
			m.add(g)
			m.divide(1)
			got, err := sgcpp{}.combine(x, m)
			if err != nil {
				t.Fatal(err)
			}
			near(t, net+"/"+l+" smooth-gradcam++", got.X, need(t, vs, l+"/gradcampp_paper"))
		}
	}
	// Grad-CAM is relu(scaling/sum) / (h w) times h w where the gradient is constant in space, as before global average pooling
	vs := vectors(t, "netA")
	x, g := need(t, vs, "relu3/act").volume(), need(t, vs, "relu3/grad").volume()
	want := vector{}
	for _, v := range normGrad(x, g, "scaling", "sum") {
		want.Data = append(want.Data, max(float64(v), 0))
	}
	near(t, "gradcam = relu(scaling/sum)", gradCAM(x, g, true).X, want)
}

// bruteForce is the NormGrad map from the vectors o_u themselves.
func bruteForce(x, g Volume, p1, p2 string) []float64 {
	at := func(v Volume, c, i, j int) float64 {
		if i < 0 || j < 0 || i >= v.H || j >= v.W {
			return 0
		}
		return float64(v.X[(c*v.H+i)*v.W+j])
	}
	var out []float64
	for i := range x.H {
		for j := range x.W {
			var o []float64
			var patch [][]float64 // by channel, the 3x3 neighbourhood
			for c := range x.C {
				var p []float64
				for di := -1; di <= 1; di++ {
					for dj := -1; dj <= 1; dj++ {
						p = append(p, at(x, c, i+di, j+dj))
					}
				}
				patch = append(patch, p)
			}
			for c := range g.C {
				gc := at(g, c, i, j)
				switch p1 {
				case "bias":
					o = append(o, gc)
				case "scaling":
					o = append(o, gc*at(x, c, i, j))
				case "conv1x1":
					for k := range x.C {
						o = append(o, gc*at(x, k, i, j))
					}
				case "conv3x3":
					for k := range x.C {
						for _, v := range patch[k] {
							o = append(o, gc*v)
						}
					}
				case "conv3x3_depthwise":
					for _, v := range patch[c] {
						o = append(o, gc*v)
					}
				}
			}
			var r float64
			for k, v := range o {
				switch p2 {
				case "sum":
					r += v
				case "norm":
					r += v * v
				case "filter_norm":
					r += max(v, 0) * max(v, 0)
				case "max":
					if k == 0 {
						r = v
					}
					r = max(r, v)
				}
			}
			if strings.HasSuffix(p2, "norm") {
				r = math.Sqrt(r)
			}
			out = append(out, r)
		}
	}
	return out
}

func TestConstantMap(t *testing.T) {
	vs := vectors(t, "netA")
	bias := need(t, vs, "relu3/normgrad/bias/norm") // the gradient before global average pooling is constant
	out, ok := MinMax(bias.f32())
	if ok {
		t.Error("a constant map was not noticed")
	}
	for _, m := range [][]float32{out, must(MinMax([]float32{1, float32(math.NaN())}))} {
		for _, v := range m {
			if v != 0 {
				t.Fatalf("a constant map became %g, want 0", v)
			}
		}
	}
	for _, m := range [][]float32{{0, 0}, {3, 3}, {1, float32(math.NaN())}, {1, float32(math.Inf(-1))}, {}} {
		if s, ok := Symmetric(m); ok || slices.ContainsFunc(s, func(v float32) bool { return v != 0.5 }) {
			t.Errorf("Symmetric of %v: %v, %v", m, s, ok)
		}
	}
	if s, ok := Symmetric([]float32{-2, 1, 0}); !ok || !slices.Equal(s, []float32{0, 0.75, 0.5}) {
		t.Errorf("Symmetric: %v, %v", s, ok)
	}
}

func must(m []float32, _ bool) []float32 { return m }
