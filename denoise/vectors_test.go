package denoise

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// vectors are numbers of testdata/noise2score.json: closed forms of conjugate priors, and one linear score.
type vectors struct {
	Gaussian struct {
		Y, Score, Xhat []float64
		Sigma2         float64
		PosteriorMean  []float64 `json:"posterior_mean"`
	}
	Poisson struct {
		Eta    float64
		Counts []float64
		Y      []float64
		Score  []float64 `json:"score_wrt_counts"`
		Xhat   []float64
	}
	Gamma struct {
		K              float64
		Y, Score, Xhat []float64
		Inverse        []float64 `json:"one_over_posterior_mean_of_inverse"`
	}
	Ardae struct {
		X, Mu  [][][][]float64
		SigmaA float64                `json:"sigma_a"`
		Model  struct{ W, B float64 } `json:"linear_model"`
		Loss   float64
		DW     float64 `json:"dL_dw"`
		DB     float64 `json:"dL_db"`
		Anneal []struct {
			Seen  int `json:"iter_seen"`
			Sigma float64
		}
	}
	Blind struct {
		Y, Score [][]float64
		First    float64 `json:"tv_first"`
		Last     float64 `json:"tv_last"`
		Best     float64 `json:"best_sigma255"`
		BestTV   float64 `json:"best_tv"`
	} `json:"blind_gaussian"`
	PSNR struct {
		A, B [][]float64
		PSNR float64
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/noise2score.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within*max(1, math.Abs(want))) {
		t.Errorf("%s: %.17g, want %.17g", what, got, want)
	}
}

func TestTweedie(t *testing.T) {
	v := readVectors(t)
	sigma := 255 * math.Sqrt(v.Gaussian.Sigma2)
	for i, y := range v.Gaussian.Y {
		x := gaussian{}.Denoised(y, v.Gaussian.Score[i], sigma)
		near(t, "gaussian", x, v.Gaussian.Xhat[i], 1e-12)
		near(t, "gaussian posterior mean", x, v.Gaussian.PosteriorMean[i], 1e-12)
	}
	for i, y := range v.Poisson.Y {
		near(t, "counts", y*poisson{}.Scale(v.Poisson.Eta), v.Poisson.Counts[i], 1e-12)
		near(t, "poisson", poisson{}.Denoised(y, v.Poisson.Score[i], v.Poisson.Eta), v.Poisson.Xhat[i], 1e-12)
	}
	for i, y := range v.Gamma.Y {
		x := gammaNoise{}.Denoised(y, v.Gamma.Score[i], v.Gamma.K)
		near(t, "gamma", x, v.Gamma.Xhat[i], 1e-12)
		near(t, "gamma 1/E[1/x]", x, v.Gamma.Inverse[i], 1e-12)
	}
	if x := (gammaNoise{}).Denoised(0.5, 1e6, 50); x != 0.5/gammaLeast {
		t.Errorf("a denominator below zero gives %g", x)
	}
}

func TestAnneal(t *testing.T) {
	a := gaussian{}.Anneal()
	for _, x := range readVectors(t).Ardae.Anneal {
		near(t, "sigma_a", a.At(x.Seen), x.Sigma, 1e-12)
	}
}

// TestARDAE has Fill draw the noise of the vectors, and compares the loss and its gradients by a linear score s = w·z + b.
func TestARDAE(t *testing.T) {
	v := readVectors(t).Ardae
	w, b := v.Model.W, v.Model.B
	loss, dw, db, n := 0.0, 0.0, 0.0, 0.0
	for k := range v.X {
		for i := range v.X[k][0] {
			for j, x := range v.X[k][0][i] {
				u := v.Mu[k][0][i][j]
				r := ardae(x, u, v.SigmaA)
				e := r.weight*(w*r.z+b) - r.target
				loss, dw, db, n = loss+e*e, dw+2*e*r.weight*r.z, db+2*e*r.weight, n+1
			}
		}
	}
	near(t, "loss", loss/n, v.Loss, 1e-9)
	near(t, "dL/dw", dw/n, v.DW, 1e-9)
	near(t, "dL/db", db/n, v.DB, 1e-9)
}

func plane(x [][]float64) Plane {
	p := Plane{H: len(x), W: len(x[0])}
	for _, row := range x {
		p.X = append(p.X, row...)
	}
	return p
}

func TestBlind(t *testing.T) {
	v := readVectors(t).Blind
	y, s := plane(v.Y), plane(v.Score)
	f := gaussian{}
	restored := func(level float64) ([]Plane, error) {
		x := Plane{X: make([]float64, len(y.X)), H: y.H, W: y.W}
		for i := range x.X {
			x.X[i] = f.Denoised(y.X[i], s.X[i], level)
		}
		return []Plane{x}, nil
	}
	grid := f.Grid()
	if len(grid) != 50 || grid[0] != 6 || grid[49] != 55 {
		t.Fatalf("grid %v", grid)
	}
	for level, want := range map[float64]float64{grid[0]: v.First, grid[49]: v.Last} {
		x, _ := restored(level)
		near(t, "total variation", f.Penalty(x[0], y), want, 1e-9)
	}
	level, tv, err := BestLevel(f, grid, []Plane{y}, restored)
	if err != nil || level != v.Best {
		t.Errorf("level %g, %v, want %g", level, err, v.Best)
	}
	near(t, "least total variation", tv, v.BestTV, 1e-9)
	if g := (poisson{}).Grid(); len(g) != 100 || math.Abs(g[0]-0.09905) > 1e-12 || math.Abs(g[99]-0.005) > 1e-12 {
		t.Errorf("grid of poisson: %g to %g, %d", g[0], g[len(g)-1], len(g))
	}
	if g := (gammaNoise{}).Grid(); len(g) != 80 || g[0] != 41 || g[79] != 120 {
		t.Errorf("grid of gamma: %g to %g, %d", g[0], g[len(g)-1], len(g))
	}
}

func TestPSNR(t *testing.T) {
	v := readVectors(t).PSNR
	f32 := func(p Plane) (out []float32) {
		for _, x := range p.X {
			out = append(out, float32(x))
		}
		return out
	}
	got, err := PSNR(f32(plane(v.B)), f32(plane(v.A)))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "PSNR", got, v.PSNR, 1e-6) // pictures are float32
	if got, _ = PSNR([]float32{2}, []float32{1}); !math.IsInf(got, 1) {
		t.Errorf("what is above 1 is not cut: %g", got)
	}
}
