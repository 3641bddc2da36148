package denoise_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// pictureOf is a smooth picture with a few edges.
func pictureOf(c, h, w int) []float32 {
	r := denoise.NewRandom(5)
	x := make([]float32, c*h*w)
	for i := range x {
		x[i] = float32(0.5 + 0.3*math.Sin(float64(i%w)/5) + 0.1*r.Float())
	}
	return x
}

// composed is a denoiser made of a fresh network.
func composed(t *testing.T, network string, p *denoise.Parameters) *engine.Model {
	t.Helper()
	file, err := models.New(network, models.Options{Hidden: 8, Seed: 3})
	if err == nil {
		err = denoise.Compose(file, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := denoise.ParametersOf(file)
	if err != nil || *again != *p {
		t.Fatalf("metadata: %+v, %v, want %+v", again, err, p)
	}
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCompose compares the graph with the formulas, at the level of the training and another, for pictures of sides that the network takes
// and others.
func TestCompose(t *testing.T) {
	ctx := context.Background()
	for _, noise := range []string{"gaussian:25", "poisson:0.02", "gamma:60"} {
		for _, spec := range []string{"noise2score", "noise2score:plain=true", "supervised", "noise2void"} {
			for _, network := range []string{"dncnn", "n2s_unet"} {
				for _, optional := range []bool{false, true} {
					name, o, err := denoise.NewObjective(spec)
					if err != nil {
						t.Fatal(err)
					}
					n, err := denoise.ParseNoise(noise)
					if err != nil {
						t.Fatal(err)
					}
					p := denoise.ParametersFor(o, name, n, n.Level, 0.4)
					p.Multiple, p.Optional = 1, optional && p.Scores()
					if network == "n2s_unet" {
						p.Multiple = 32
					}
					m := composed(t, network, p)
					r, err := denoise.NewRestorer(m, p, denoise.Tiles{Side: 64, Overlap: 8, Multiple: p.Multiple})
					if err != nil {
						t.Fatal(err)
					}
					const h, w = 45, 50
					y := pictureOf(1, h, w)
					for _, level := range []float64{n.Level, 1.3 * n.Level} {
						got, err := r.Picture(ctx, y, 1, h, w, level)
						if err != nil {
							t.Fatalf("%s %s %s: %v", noise, spec, network, err)
						}
						f, err := r.Network(ctx, y, 1, h, w, level)
						if err != nil {
							t.Fatal(err)
						}
						for i := range y {
							want := p.Restored(float64(y[i]), float64(f[i]), level)
							if d := math.Abs(float64(got[i]) - want); !(d <= 1e-4*max(1, math.Abs(want))) {
								t.Fatalf("%s %s %s level %g: pixel %d is %g, want %g", noise, spec, network, level, i, got[i], want)
							}
						}
					}
					if p.Scores() {
						if level, err := r.LeastPenalty(ctx, y, 1, h, w, n.Family.Grid()); err != nil || n.Family.Check(level) != nil {
							t.Errorf("%s %s %s: the level is %g, %v", noise, spec, network, level, err)
						}
					} else if _, err := r.LeastPenalty(ctx, y, 1, h, w, n.Family.Grid()); err == nil {
						t.Errorf("%s %s: a level without scores", noise, spec)
					}
					m.Close()
				}
			}
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	p := func() *denoise.Parameters {
		name, o, _ := denoise.NewObjective("noise2score")
		n, _ := denoise.ParseNoise("gaussian:25")
		return denoise.ParametersFor(o, name, n, 25, 0.4)
	}
	for _, c := range []struct {
		name string
		make func() (*onnx.Model, error)
		want string
	}{
		{"twice", func() (*onnx.Model, error) {
			m, err := models.New("dncnn", models.Options{})
			if err == nil {
				err = denoise.Compose(m, p())
			}
			return m, err
		}, "inputs"},
		{"table", func() (*onnx.Model, error) { return models.New("lstm", models.Options{}) }, "4 axes|axes"},
		{"two outputs", func() (*onnx.Model, error) {
			m, err := models.New("dncnn", models.Options{})
			if err == nil {
				g := m.Proto.GetGraph()
				g.Output = append(g.Output, g.Output[0])
			}
			return m, err
		}, "2 outputs"},
	} {
		m, err := c.make()
		if err != nil {
			t.Fatal(err)
		}
		err = denoise.Compose(m, p())
		ok := false
		for _, w := range strings.Split(c.want, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), w)
		}
		if !ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
