package denoise

import (
	"encoding/json"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/testkit"
)

func TestParseNoise(t *testing.T) {
	for s, want := range map[string]string{"gaussian:25": "gaussian:25", "poisson:.01": "poisson:0.01", "gamma:100": "gamma:100",
		"blind": "gaussian:blind", "blind:gamma": "gamma:blind", "poisson": "poisson:blind", "gamma:auto": "gamma:blind"} {
		if n, err := ParseNoise(s); err != nil || n.String() != want {
			t.Errorf("%s: %v, %v, want %s", s, n, err, want)
		}
	}
	for s, want := range map[string]string{"salt:1": "unknown noise", "gaussian:x": "no level", "gaussian:-1": "positive",
		"gaussian:300": "of 255",
		"poisson:2":    "one photon", "gamma:1": "above 1", "gaussian:NaN": "no level", "gaussian:0": "positive"} {
		if n, err := ParseNoise(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want an error with %q", s, n, err, want)
		}
	}
}

// TestNoise looks at mean and deviation of each kind of noise, at values on both sides of where the sampler of counts changes.
func TestNoise(t *testing.T) {
	const n = 40000
	for _, c := range []struct {
		noise     string
		x         float64
		deviation func(x, level float64) float64
	}{
		{"gaussian:25", 0.5, func(_, l float64) float64 { return l / 255 }},
		{"poisson:0.01", 0.05, func(x, l float64) float64 { return math.Sqrt(l * x) }},
		{"poisson:0.01", 0.7, func(x, l float64) float64 { return math.Sqrt(l * x) }},
		{"gamma:50", 0.6, func(x, l float64) float64 { return x / math.Sqrt(l) }},
	} {
		noise, err := ParseNoise(c.noise)
		if err != nil {
			t.Fatal(err)
		}
		r := NewRandom(1, 2)
		var sum, squares float64
		for range n {
			y := noise.Family.Noisy(r, c.x, noise.Level)
			sum, squares = sum+y, squares+y*y
		}
		mean := sum / n
		d := math.Sqrt(squares/n - mean*mean)
		want := c.deviation(c.x, noise.Level)
		if math.Abs(mean-c.x) > 5*want/math.Sqrt(n) || math.Abs(d/want-1) > 0.02 {
			t.Errorf("%s of %g: mean %g, deviation %g, want %g and %g", c.noise, c.x, mean, d, c.x, want)
		}
		if got := noise.Family.Deviation(c.x*noise.Family.Scale(noise.Level),
			noise.Level) / noise.Family.Scale(noise.Level); math.Abs(got/want-1) > 0.01 {
			t.Errorf("%s of %g: Deviation says %g, want %g", c.noise, c.x, got, want)
		}
		// A picture with that noise, and what it says.
		p := Picture{C: 1, H: 128, W: 128, Noisy: make([]float32, 128*128)}
		for i := range p.Noisy {
			p.Noisy[i] = float32(noise.Family.Noisy(r, 0.4+0.3*math.Sin(float64(i%128)/20), noise.Level))
		}
		if got := p.Estimate(noise.Family); math.Abs(got/noise.Level-1) > 0.05 {
			t.Errorf("%s: the picture says %g", c.noise, got)
		}
	}
}

// TestSSIM compares with numbers that testdata/gen/ssim.py made by plain loops in float64.
func TestSSIM(t *testing.T) {
	var v struct {
		C, H, W  int
		X, Clean []float32
		SSIM     float64
	}
	b, err := os.ReadFile("testdata/ssim.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := SSIM(v.X, v.Clean, v.C, v.H, v.W)
	if err != nil || math.Abs(got-v.SSIM) > 1e-9 {
		t.Errorf("%.15g, %v, want %.15g", got, err, v.SSIM)
	}
	if got, err = SSIM(v.Clean, v.Clean, v.C, v.H, v.W); err != nil || math.Abs(got-1) > 1e-12 {
		t.Errorf("of the same picture %g, %v", got, err)
	}
	if _, err := SSIM(v.X[:100], v.Clean[:100], 1, 10, 10); err == nil {
		t.Error("a picture smaller than the window is taken")
	}
}

// TestTiles restores by what changes nothing: the picture must come back, whatever the tiles.
func TestTiles(t *testing.T) {
	r := NewRandom(3)
	for _, c := range []struct {
		h, w  int
		tiles Tiles
	}{
		{20, 30, Tiles{Side: 64, Multiple: 1}},
		{20, 30, Tiles{Side: 64, Multiple: 16}},
		{100, 77, Tiles{Side: 32, Overlap: 8, Multiple: 8}},
		{100, 77, Tiles{Side: 32, Overlap: 0, Multiple: 1}},
		{33, 65, Tiles{Side: 32, Overlap: 15, Multiple: 1}},
		{9, 70, Tiles{Side: 32, Overlap: 4, Fixed: true}},
		{1, 3, Tiles{Side: 16, Overlap: 4, Multiple: 16}},
	} {
		x := make([]float32, 2*c.h*c.w)
		for i := range x {
			x[i] = float32(r.Float())
		}
		count := 0
		y, err := c.tiles.Run(x, 2, c.h, c.w, func(in []float32, h, w int) ([]float32, error) {
			count++
			if m := max(1, c.tiles.Multiple); h%m != 0 || w%m != 0 || c.tiles.Fixed && (h != c.tiles.Side || w != h) {
				t.Errorf("%+v: a tile of %d×%d", c, h, w)
			}
			return slices.Clone(in), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if count != c.tiles.Count(c.h, c.w) {
			t.Errorf("%+v: %d tiles, Count says %d", c, count, c.tiles.Count(c.h, c.w))
		}
		for i := range x {
			if math.Abs(float64(x[i]-y[i])) > 1e-6 {
				t.Fatalf("%+v: %d: %g became %g", c, i, x[i], y[i])
			}
		}
	}
	if err := (Tiles{Side: 32, Overlap: 16}).Check(); err == nil {
		t.Error("tiles that overlap by half are taken")
	}
}

// bankOf is a bank of one picture.
func bankOf(noise string, add bool) *Bank {
	n, _ := ParseNoise(noise)
	r := NewRandom(9)
	p := Picture{ID: "a", C: 1, H: 40, W: 50, Level: n.Level}
	for i := range p.H * p.W {
		x := float32(0.5 + 0.3*math.Sin(float64(i%p.W)/5))
		p.Clean = append(p.Clean, x)
		p.Noisy = append(p.Noisy, float32(n.Family.Noisy(r, float64(x), n.Level)))
		p.Second = append(p.Second, float32(n.Family.Noisy(r, float64(x), n.Level)))
	}
	return &Bank{Pictures: []Picture{p}, Channels: 1, Noise: n, Added: add, Typical: n.Level, Mean: 0.5}
}

// TestPatches: what a patch is depends on seed, epoch and number alone; pairs have opposite noise; targets are what the objectives say.
func TestPatches(t *testing.T) {
	for _, noise := range []string{"gaussian:25", "poisson:0.01", "gamma:100"} {
		for _, spec := range []string{"noise2score", "noise2score:pairs=false", "supervised", "noise2noise", "noise2void"} {
			name, o, err := NewObjective(spec)
			if err != nil {
				t.Fatal(err)
			}
			b := bankOf(noise, true)
			p := &Patches{Bank: b, Objective: o, Params: ParametersFor(o, name, b.Noise, b.Typical, b.Mean), Side: 16, Each: 6, Seed: 4,
				Redraw: o.Redraws()}
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			anneal := p.Schedule(100)
			var all, two data.Batch
			p.Fill(&all, []int{0, 1, 2, 3, 4, 5}, 1, 0, anneal)
			p.Fill(&two, []int{4, 2}, 1, 4*o.Rows(), anneal)
			size, rows := 16*16, o.Rows()
			for r := range rows {
				if !slices.Equal(two.Y.F32()[(0*rows+r)*2*size+size:][:size], all.Y.F32()[(4*rows+r)*2*size+size:][:size]) {
					t.Errorf("%s %s: patch 4 has another target in another batch", noise, spec)
				}
			}
			p.Fill(&two, []int{4, 2}, 2, 0, anneal)
			if slices.Equal(two.X.F32()[:size], all.X.F32()[4*rows*size:][:size]) {
				t.Errorf("%s %s: patch 4 is the same in another epoch", noise, spec)
			}
			for i, v := range all.Y.F32() {
				if v-v != 0 {
					t.Fatalf("%s %s: weight or target %d is %g", noise, spec, i, v)
				}
			}
			if spec == "noise2score" {
				for i := range size {
					if a, b := all.Y.F32()[size+i], all.Y.F32()[3*size+i]; a*b >= 0 || noise == "gaussian:25" && a != -b {
						t.Fatalf("%s: a pair is not opposite", noise)
					}
				}
			}
			if spec == "noise2void" {
				masked := 0
				for i := range size {
					if all.Y.F32()[i] != 0 {
						masked++
					}
				}
				if masked != 9 { // of 16×16 in blocks of 6×6
					t.Errorf("%d pixels are masked", masked)
				}
			}
		}
	}
}

// TestEstimate tells the level of known noise of a picture half of which is texture.
func TestEstimate(t *testing.T) { estimates(t, map[string]Picture{"texture": texture(256, 256)}) }

// TestEstimateOfPhotos does it on Set12.
func TestEstimateOfPhotos(t *testing.T) {
	dir := testkit.SharedFile(t, "data", "datasets", "denoise", "set12")
	list, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil || len(list) != 12 {
		t.Fatalf("%d pictures in %s, %v", len(list), dir, err)
	}
	pictures := map[string]Picture{}
	for _, path := range list {
		pictures[filepath.Base(path)] = grey(t, path)
	}
	estimates(t, pictures)
}

// estimates wants the level of each picture within 10.5 %, and within 5 % on average over many.
func estimates(t *testing.T, pictures map[string]Picture) {
	for name, levels := range map[string][]float64{
		"gaussian": {10, 15, 20, 25, 35, 50}, "poisson": {0.005, 0.01, 0.02, 0.03, 0.05, 0.1}, "gamma": {40, 50, 70, 100, 120},
	} {
		f := mustFamily(t, name)
		for _, level := range levels {
			sum := 0.0
			for picture, p := range pictures {
				p.Noisy = AddNoise(p.Clean, Noise{Name: name, Family: f, Level: level}, 1, uint64(level*1000))
				off := math.Abs(p.Estimate(f)/level - 1)
				if sum += off; off > 0.105 {
					t.Errorf("%s %s:%g: the picture says %.4g", picture, name, level, p.Estimate(f))
				}
			}
			if mean := sum / float64(len(pictures)); mean > 0.05 && len(pictures) > 1 {
				t.Errorf("%s:%g: off by %.1f %% on average", name, level, 100*mean)
			} else {
				t.Logf("%s:%g: off by %.1f %% on average", name, level, 100*mean)
			}
		}
	}
}

// A sky that is cut off at white says nothing of the noise, and black nothing of noise that grows with brightness.
func TestEstimateOfCutNoise(t *testing.T) {
	gaussian, poisson := mustFamily(t, "gaussian"), mustFamily(t, "poisson")
	p := texture(128, 128)
	for i := range len(p.Clean) / 2 {
		p.Clean[i] = 1.2
	}
	p.Noisy = AddNoise(p.Clean, Noise{Name: "gaussian", Family: gaussian, Level: 20}, 3, 4)
	for i, v := range p.Noisy {
		p.Noisy[i] = float32(math.Round(255*math.Min(math.Max(float64(v), 0), 1)) / 255)
	}
	if got := p.Estimate(gaussian); math.Abs(got/20-1) > 0.1 {
		t.Errorf("with a white sky %g, want 20", got)
	}
	clear(p.Noisy)
	if got := p.Estimate(poisson); poisson.Check(got) != nil {
		t.Errorf("of a black picture %g", got)
	}
	if got := p.Estimate(gaussian); gaussian.Check(got) != nil {
		t.Errorf("without noise %g", got)
	}
}

func mustFamily(t *testing.T, name string) Family {
	t.Helper()
	f, err := Families().Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// texture is a picture of which the upper half is slow waves, the lower one stripes and checks of one to three pixels.
func texture(h, w int) Picture {
	p := Picture{C: 1, H: h, W: w, Clean: make([]float32, h*w)}
	for i := range h {
		for j := range w {
			v := 0.5 + 0.3*math.Sin(float64(i)/17)*math.Cos(float64(j)/23)
			if i > h/2 {
				v = 0.45 + 0.2*float64((i/(1+j*3/w)+j/(1+j*3/w))%2)
			}
			p.Clean[i*w+j] = float32(v)
		}
	}
	return p
}

// grey reads a PNG.
func grey(t *testing.T, path string) Picture {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	p := Picture{C: 1, H: b.Dy(), W: b.Dx()}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p.Clean = append(p.Clean, float32(color.Gray16Model.Convert(m.At(x, y)).(color.Gray16).Y)/0xffff)
		}
	}
	return p
}

// TestEstimateOfLargePictures: parts of them say it, and no more are held than of small ones.
func TestEstimateOfLargePictures(t *testing.T) {
	f := mustFamily(t, "gaussian")
	for _, size := range [][2]int{{1500, 2100}, {4, 700_000}, {700_000, 3}} {
		h, w := size[0], size[1]
		p := texture(h, w)
		p.Noisy = AddNoise(p.Clean, Noise{Name: "gaussian", Family: f, Level: 25}, 5, 6)
		if got := p.Estimate(f); h > 4 && w > 4 && math.Abs(got/25-1) > 0.05 || f.Check(got) != nil {
			t.Errorf("%dx%d: the picture says %g, want 25", h, w, got)
		}
		pixels := 0
		for b := range blocks(h, w) {
			if pixels += b.h * b.w; b.top < 0 || b.left < 0 || b.top+b.h > h || b.left+b.w > w {
				t.Fatalf("%dx%d: block %v is not inside", h, w, b)
			}
		}
		if pixels > wholePicture || pixels < wholePicture/2 {
			t.Errorf("%dx%d: %d pixels are looked at", h, w, pixels)
		}
	}
}
