package science

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "noise2score", Title: "Noise2Score against what knows more, and less", Paper: "https://arxiv.org/abs/2106.07009",
		Question: "Does a score that was learned from noisy pictures alone denoise nearly as well as a network that saw clean ones?",
		Seeds:    3, Run: noise2Score,
	})
}

// denoiseSteps is the length of a training that counts; those that choose have a quarter.
const denoiseSteps = 300

// noiseLab is the pictures of the arms: shapes, in grey.
type noiseLab struct {
	*Lab
	train, test data.Dataset
}

// noiseArm is a way to train.
type noiseArm struct {
	name, sees, objective string
	redraw                bool
	batch                 int // patches in a step; rows are the same for all
}

var noiseArms = []noiseArm{
	{"Noise2Score", "noisy pictures", "noise2score", false, 8},
	{"Noise2Score, the paper's form", "noisy pictures", "noise2score:pairs=false:plain=true:max=0:min=0:over=0.8", false, 16},
	{"Noise2Void", "noisy pictures", "noise2void", false, 16},
	{"Noise2Noise", "two noisy versions of each", "noise2noise", false, 16},
	{"supervised", "the same noisy pictures, and clean ones", "supervised", false, 16},
	{"supervised, noise redrawn", "clean pictures", "supervised", true, 16},
}

var denoiseRates = []float64{1e-3, 3e-3}

func noise2Score(ctx context.Context, l *Lab) error {
	x := &noiseLab{Lab: l}
	var err error
	if x.train, err = data.Open("shapes?size=64&n=160&clutter=1#train", data.Options{}); err != nil {
		return err
	}
	if x.test, err = data.Open("shapes?size=64&n=32&clutter=1#test", data.Options{}); err != nil {
		return err
	}
	noises := []string{"gaussian:25", "poisson:0.02", "gamma:40"}
	t := Table{Title: fmt.Sprintf("PSNR on test pictures in dB, after %d steps of 16 patches of 40×40", denoiseSteps),
		Columns: append([]string{"arm", "sees"}, noises...)}
	before := []Cell{Word("noisy pictures as they are"), Word("")}
	rows := make([][]Cell, len(noiseArms))
	got := map[string]map[string][]float64{}
	for i, a := range noiseArms {
		rows[i] = []Cell{Word(a.name), Word(a.sees)}
	}
	for _, noise := range noises {
		got[noise] = map[string][]float64{}
		var was []float64
		for i, a := range noiseArms {
			rate, best := 0.0, math.Inf(-1)
			for _, lr := range denoiseRates {
				l.Progress("%s, %s: choosing, rate %g", noise, a.name, lr)
				v, _, err := x.arm(ctx, a, noise, lr, 1000, denoiseSteps/4)
				if err != nil {
					return err
				}
				if v > best {
					rate, best = lr, v
				}
			}
			var psnr []float64
			for _, seed := range l.Seeds {
				l.Progress("%s, %s, seed %d", noise, a.name, seed)
				v, noisy, err := x.arm(ctx, a, noise, rate, seed, denoiseSteps)
				if err != nil {
					return err
				}
				if psnr = append(psnr, v); i == 0 {
					was = append(was, noisy)
				}
			}
			got[noise][a.name] = psnr
			rows[i] = append(rows[i], Mean(2, psnr))
		}
		before = append(before, Mean(2, was))
	}
	t.Row(before...)
	for _, r := range rows {
		t.Row(r...)
	}
	l.Table(t)
	x.read(noises, got)
	return x.levels(ctx)
}

// read says what the table shows.
func (x *noiseLab) read(noises []string, got map[string]map[string][]float64) {
	x.Say("Every arm has the network (dncnn, 6 layers of 24 channels), Adam with half a cosine and an average of the weights, and as "+
		"many rows in a step; "+
		"the rate of each is the better of %v after a quarter of the steps with another seed, on the test pictures, which favours no arm. "+
		"Each picture has "+
		"one noisy version that stays, two for Noise2Noise, but where noise is redrawn.", denoiseRates)
	us := noiseArms[0].name
	for _, noise := range noises {
		s := noise + ":"
		for _, a := range noiseArms[1:] {
			var d []float64
			for i, v := range got[noise][us] {
				d = append(d, v-got[noise][a.name][i])
			}
			m, half := Interval(d)
			s += fmt.Sprintf(" %s %+.2f ± %.2f dB;", a.name, m, half)
		}
		x.Say("%s minus each, paired by seed, 95 %% interval; %s", us, s[:len(s)-1]+".")
	}
	x.Say("The paper trains a U-Net for 100 epochs on other pictures, and is 0.1 to 0.3 dB below its supervised arm; what is measured " +
		"here is a small network on drawn " +
		"shapes. That Tweedie's formula for Gamma noise gives 1/E[1/x], not E[x], and that for Poisson noise is an approximation, is part " +
		"of the result.")
}

// arm trains once, and gives the PSNR of the test pictures after and before.
func (x *noiseLab) arm(ctx context.Context, a noiseArm, noise string, lr float64, seed uint64, steps int) (after, before float64,
	err error) {
	r, err := x.trained(ctx, a, noise, lr, seed, steps)
	if err != nil {
		return 0, 0, err
	}
	defer r.m.Close()
	n := float64(len(r.test.Pictures))
	for i := range r.test.Pictures {
		p := &r.test.Pictures[i]
		y, err := r.Picture(ctx, p.Noisy, p.C, p.H, p.W, r.test.LevelOf(p))
		if err != nil {
			return 0, 0, err
		}
		is, err := denoise.PSNR(y, p.Clean)
		if err != nil {
			return 0, 0, err
		}
		was, err := denoise.PSNR(p.Noisy, p.Clean)
		if err != nil {
			return 0, 0, err
		}
		after, before = after+is/n, before+was/n
	}
	return after, before, nil
}

// denoiser is a trained network with its test pictures.
type denoiser struct {
	*denoise.Restorer
	m    *engine.Model
	test *denoise.Bank
}

func (x *noiseLab) trained(ctx context.Context, a noiseArm, noise string, lr float64, seed uint64, steps int) (*denoiser, error) {
	name, o, err := denoise.NewObjective(a.objective)
	if err != nil {
		return nil, err
	}
	n, err := denoise.ParseNoise(noise)
	if err != nil {
		return nil, err
	}
	read := denoise.BankConfig{Channels: 1, Noise: n, Add: true, Want: o.Wants(), Seed: seed}
	bank, err := denoise.ReadBank(ctx, x.train, read)
	if err != nil {
		return nil, err
	}
	defer bank.Release()
	read.Seed += 1 << 32
	test, err := denoise.ReadBank(ctx, x.test, read)
	if err != nil {
		return nil, err
	}
	p := denoise.ParametersFor(o, name, n, bank.Typical, bank.Mean)
	file, err := models.New("dncnn", models.Options{Hidden: 24, Layers: 6, Seed: seed})
	if err != nil {
		return nil, err
	}
	var params []string
	for t := range file.Tensors() {
		params = append(params, t.Proto.GetName())
	}
	if err := denoise.Compose(file, p); err != nil {
		return nil, err
	}
	m, err := engine.Load(file, engine.WithThreads(x.Threads))
	if err != nil {
		return nil, err
	}
	patches := &denoise.Patches{Bank: bank, Objective: o, Params: p, Side: 40, Each: 20, Redraw: a.redraw, Seed: seed}
	var set feed.Options
	if p.Scores() {
		set.Set = map[string]*tensor.Tensor{denoise.LevelInput: tensor.Scalar(float32(p.Level))}
	}
	plan, err := feed.For(m, patches, set)
	if err != nil {
		return nil, err
	}
	rule, err := optim.New("adam", optim.Config{EMA: new(0.99)})
	if err != nil {
		return nil, err
	}
	tiles := denoise.Tiles{Side: 64, Multiple: 1}
	_, err = train.Fit(ctx, m, patches, train.Config{Params: params, Task: task.ForRestoration(a.objective, p.Network, p.Output, true),
		Feed:   plan,
		Epochs: 1000, MaxSteps: steps, BatchSize: a.batch, Shuffle: true, Optimizer: rule, Schedule: optim.Cosine{Max: lr}, Seed: seed,
		Restore: &train.Restore{Patches: patches, Tiles: tiles}})
	if err != nil {
		return nil, err
	}
	r, err := denoise.NewRestorer(m, p, tiles)
	return &denoiser{r, m, test}, err
}

// levels asks how well a network of many levels tells that of a picture.
func (x *noiseLab) levels(ctx context.Context) error {
	t := Table{Title: "Level of pictures that is found by a network of unknown level: mean over the test pictures, and the share of the " +
		"true one by which it is off",
		Columns: []string{"noise", "by the penalty", "off, %", "by the picture itself", "off, %"}}
	for _, family := range []struct {
		name   string
		levels []float64
	}{{"gaussian", []float64{20, 30, 45}}, {"poisson", []float64{0.01, 0.03}}, {"gamma", []float64{50, 100}}} {
		found := map[float64][4][]float64{}
		for _, seed := range x.Seeds {
			x.Progress("%s of unknown level, seed %d", family.name, seed)
			r, err := x.trained(ctx, noiseArms[0], family.name+":blind", 2e-3, seed, denoiseSteps)
			if err != nil {
				return err
			}
			for _, level := range family.levels {
				f := found[level]
				var sums [4]float64
				const most = 8 // pictures: each is restored once for each level of the grid
				for i := range most {
					p := r.test.Pictures[i]
					n := denoise.Noise{Name: family.name, Family: r.Params.Family(), Level: level}
					p.Noisy = denoise.AddNoise(p.Clean, n, seed, uint64(i))
					told, err := r.LeastPenalty(ctx, p.Noisy, p.C, p.H, p.W, n.Family.Grid())
					if err != nil {
						return err
					}
					flat := p.Estimate(n.Family)
					for k, v := range []float64{told, 100 * math.Abs(told/level-1), flat, 100 * math.Abs(flat/level-1)} {
						sums[k] += v / most
					}
				}
				for k := range f {
					f[k] = append(f[k], sums[k])
				}
				found[level] = f
			}
			r.m.Close()
		}
		for _, level := range family.levels {
			f, digits := found[level], 1
			if family.name == "poisson" {
				digits = 4
			}
			t.Row(Word(fmt.Sprintf("%s:%g", family.name, level)), Mean(digits, f[0]), Mean(1, f[1]), Mean(digits, f[2]), Mean(1, f[3]))
		}
	}
	x.Table(t)
	x.Say("The penalty is the paper's, tried on its grid after one pass of the network (one for each level where counts are what it " +
		"sees). The picture itself tells by its diagonal differences where it is flattest, without a network: gtk denoise --noise auto.")
	return nil
}
