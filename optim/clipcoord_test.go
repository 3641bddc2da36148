package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// sharpVectors are clipped gradients, and traces of a small network trained with clipping, in float64.
type sharpVectors struct {
	Clip struct {
		Grads    []json.RawMessage
		Fraction map[string]struct {
			Threshold float64
			Clipped   []json.RawMessage
		} `json:"by_fraction"`
	} `json:"clip"`
	Net struct {
		X      [][]float64
		Y      []int `json:"y"`
		W1, W2 [][]float64
		B1     []float64 `json:"b1"`
		B2     []float64 `json:"b2"`
		Loss   float64
		Grad   []float64
	} `json:"directional_sharpness"`
	Traces map[string][]struct {
		Loss float64
		W    []float64
	}
}

// numbersIn flattens nested lists.
func numbersIn(t *testing.T, raw json.RawMessage) (x []float64) {
	t.Helper()
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, r := range list {
			x = append(x, numbersIn(t, r)...)
		}
		return x
	}
	var v float64
	unmarshal(t, raw, &v)
	return []float64{v}
}

func TestClipCoordVectors(t *testing.T) {
	v := readJSON[sharpVectors](t, "directional_sharpness.json")
	for share, want := range v.Clip.Fraction {
		var c float64
		if _, err := fmt.Sscan(share, &c); err != nil {
			t.Fatal(err)
		}
		o := mustNew(t, "sgd", Config{ClipCoord: &c})
		var ps []*Param
		for i, raw := range v.Clip.Grads {
			g := numbersIn(t, raw)
			p := param(fmt.Sprint(i), make([]float64, len(g)))
			copy(tensor.Data[float64](p.G), g)
			ps = append(ps, p)
		}
		mustStep(t, o, nil, Step{1, -1}, ps...)
		for i, raw := range want.Clipped {
			near(t, share, tensor.Data[float64](ps[i].W), numbersIn(t, raw), 0)
		}
		near(t, "threshold", []float64{report(o)["clip-coord.threshold"]}, []float64{want.Threshold}, 0)
	}
}

// gradient of the mean cross-entropy of tanh(X·W1ᵀ+b1)·W2ᵀ+b2, of all weights in a row, and the loss.
func (v *sharpVectors) gradient(w []float64) (loss float64, g []float64) {
	g = make([]float64, 17)
	w1, b1, w2, b2 := w[:6], w[6:9], w[9:15], w[15:]
	n := float64(len(v.Net.X))
	for e, x := range v.Net.X {
		var h [3]float64
		for i := range h {
			h[i] = math.Tanh(b1[i] + w1[2*i]*x[0] + w1[2*i+1]*x[1])
		}
		var p [2]float64
		sum := 0.0
		for i := range p {
			p[i] = math.Exp(b2[i] + w2[3*i]*h[0] + w2[3*i+1]*h[1] + w2[3*i+2]*h[2])
			sum += p[i]
		}
		loss -= math.Log(p[v.Net.Y[e]]/sum) / n
		for i := range p {
			q := p[i] / sum
			if i == v.Net.Y[e] {
				q--
			}
			q /= n
			g[15+i] += q
			for j := range h {
				g[9+3*i+j] += q * h[j]
				d := q * w2[3*i+j] * (1 - h[j]*h[j])
				g[6+j] += d
				g[2*j] += d * x[0]
				g[2*j+1] += d * x[1]
			}
		}
	}
	return loss, g
}

func TestClippedTraces(t *testing.T) {
	v := readJSON[sharpVectors](t, "directional_sharpness.json")
	start := slices.Concat(flat(v.Net.W1), v.Net.B1, flat(v.Net.W2), v.Net.B2)
	loss, g := v.gradient(start)
	near(t, "loss", []float64{loss}, []float64{v.Net.Loss}, 1e-12)
	near(t, "gradient", g, v.Net.Grad, 1e-12)
	momentum := Values{"momentum": 0.9}
	for name, c := range map[string]struct {
		rule string
		c    Config
		lr   float64
	}{
		"sgd_mom0.9_lr0.5_clip0.1": {"sgd", Config{ClipCoord: new(0.1), Options: momentum}, 0.5},
		"sgd_mom0.9_lr0.5_noclip":  {"sgd", Config{Options: momentum}, 0.5},
		"adam_lr0.05_clip0.5":      {"adam", Config{ClipCoord: new(0.5)}, 0.05},
	} {
		t.Run(name, func(t *testing.T) {
			o := mustNew(t, c.rule, c.c)
			var ps []*Param // as four parameters: the threshold is of all together
			for i, n := range []int{0, 6, 9, 15} {
				ps = append(ps, param(fmt.Sprint(i), start[n:append([]int{6, 9, 15, 17}[i:], 0)[0]]))
			}
			if len(v.Traces[name]) < 4 {
				t.Fatal("no trace")
			}
			for k, s := range v.Traces[name] {
				var w []float64
				for _, p := range ps {
					w = append(w, tensor.Data[float64](p.W)...)
				}
				_, g := v.gradient(w)
				for _, p := range ps {
					g = g[copy(tensor.Data[float64](p.G), g):]
				}
				mustStep(t, o, nil, Step{k + 1, c.lr}, ps...)
				w = w[:0]
				for _, p := range ps {
					w = append(w, tensor.Data[float64](p.W)...)
				}
				near(t, fmt.Sprint("weights after step ", k+1), w, s.W, 1e-12)
				loss, _ := v.gradient(w)
				near(t, fmt.Sprint("loss after step ", k+1), []float64{loss}, []float64{s.Loss}, 1e-12)
			}
		})
	}
}

// TestClipCoordThreshold compares the selection with sorting, on gradients with ties, zeros, subnormal numbers and both types.
func TestClipCoordThreshold(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	pool := parallel.New(2)
	defer pool.Close()
	for round := range 40 {
		a, b := param("a", make([]float32, 1+r.IntN(20000))), param("b", make([]float64, r.IntN(9000)))
		var all []float64
		draw := func() float64 {
			switch x := r.NormFloat64(); r.IntN(4) {
			case 0:
				return 0
			case 1:
				return math.Round(x * 4)
			case 2:
				return x * math.Pow(2, -140)
			default:
				return x
			}
		}
		for i := range a.G.F32() {
			a.G.F32()[i] = float32(draw())
			all = append(all, math.Abs(float64(a.G.F32()[i])))
		}
		for i := range tensor.Data[float64](b.G) {
			tensor.Data[float64](b.G)[i] = draw()
			all = append(all, math.Abs(tensor.Data[float64](b.G)[i]))
		}
		slices.Sort(all)
		slices.Reverse(all)
		share := r.Float64()
		o := mustNew(t, "sgd", Config{ClipCoord: &share})
		mustStep(t, o, pool, Step{1, 0.1}, a, b)
		if got, want := report(o)["clip-coord.threshold"], all[int(float64(len(all))*share)]; got != want {
			t.Errorf("round %d: share %v of %d: %v, want %v", round, share, len(all), got, want)
		}
	}
}

// Where most of the gradient is zero nothing is clipped.
func TestClipCoordOfZeros(t *testing.T) {
	p := param("w", make([]float64, 8))
	tensor.Data[float64](p.G)[3] = 5
	o := mustNew(t, "sgd", Config{ClipCoord: new(0.5)})
	mustStep(t, o, nil, Step{1, -1}, p)
	near(t, "step", tensor.Data[float64](p.W), []float64{0, 0, 0, 5, 0, 0, 0, 0}, 0)
}

// The norm and the decay after coordinate-wise clipping apply to the gradient that second moments are of as to the other.
func TestSecondMomentAfterClipping(t *testing.T) {
	p := param("w", []float64{2, 4})
	copy(tensor.Data[float64](p.G), []float64{3, 100})
	o := mustNew(t, "adam", Config{ClipValue: new(4.0), ClipNorm: new(2.5), WeightDecay: new(0.1)})
	mustStep(t, o, nil, Step{1, 0}, p)
	scale := 2.5 / (5 + 1e-6)
	m := []float64{3*scale + 0.2, 4*scale + 0.4}
	raw := []float64{3*scale + 0.2, 100*scale + 0.4}
	st := o.state["w"].slots
	for i := range m {
		near(t, "m", tensor.Data[float64](st[0])[i:i+1], []float64{0.1 * m[i]}, 1e-12)
		near(t, "v", tensor.Data[float64](st[1])[i:i+1], []float64{0.001 * raw[i] * raw[i]}, 1e-12)
	}
}
