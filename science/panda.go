package science

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/nas"
)

func init() {
	register(Recipe{
		Name: "panda", Title: "PA&DA against uniform sampling: rank correlation and gradient variance",
		Paper:    "https://arxiv.org/abs/2302.14772",
		Question: "Does a supernet whose paths and data are drawn by their gradients rank networks better, and do its gradients vary less?",
		Seeds:    8, Run: panda,
	})
}

const (
	pandaEpochs = 60  // of a supernet
	pandaAlone  = 40  // of a network by itself
	pandaNets   = 36  // that are ranked
	pandaDraws  = 384 // steps that a variance is estimated from
)

// pandaSpace is cells of three edges, so that all networks that are ranked can be trained by themselves, and one stage, so that these
// differ.
var pandaSpace = nas.Space{Name: "nas201", Nodes: 3, Cells: 1, Stages: 1, Channels: 8}

// pandaMoments are the parts of a training, in %, after which the variance of gradients is measured.
var pandaMoments = []int{20, 50, 90}

// pandaArms are ways to train a supernet.
var pandaArms = []pandaArm{
	{name: uniformArm, epochs: pandaEpochs, sampler: "uniform", looks: true},
	{name: "fair (FairNAS), as many paths", epochs: pandaEpochs / 5, sampler: "fair"},
	{name: "path only", epochs: pandaEpochs, sampler: "path"},
	{name: "data only", epochs: pandaEpochs, sampler: "data"},
	{name: pandaName, epochs: pandaEpochs, sampler: "panda", looks: true},
	{name: "PA&DA, floor .05, scores kept", epochs: pandaEpochs, sampler: "panda",
		change: func(c *nas.Config) { c.Floor, c.Keep = 0.05, true }},
	{name: "PA&DA, unbiased", epochs: pandaEpochs, sampler: "panda", change: func(c *nas.Config) { c.Unbiased = true }},
}

const (
	uniformArm = "uniform (SPOS)"
	pandaName  = "PA&DA"
)

// pandaArm is a way to train a supernet.
type pandaArm struct {
	name    string
	epochs  int
	sampler string
	change  func(c *nas.Config)
	looks   bool // the variance of gradients is measured
}

// pandaDraw are the laws whose gradients are compared.
var pandaDraw = []struct {
	name       string
	data, path bool
}{{"uniform", false, false}, {"path", false, true}, {"data", true, false}, {"joint", true, true}}

// pandaLab is the data of the arms.
type pandaLab struct {
	*Lab
	mu          sync.Mutex // of Lab
	train, test data.Dataset
	pre         data.Preprocess
	archs       [][]int
	alone       [][]float64 // by seed, by network
	truth       []float64   // their means
	size        []float64   // MACs by network
}

// pandaRun is what a supernet gave.
type pandaRun struct {
	tau, mean float64
	spreads   map[string]nas.Spread // by pandaKey
}

// pandaKey names a variance: after a part of the training, of a law.
func pandaKey(part int, law string, weighted bool) string { return fmt.Sprint(part, law, weighted) }

func panda(ctx context.Context, l *Lab) error {
	x := &pandaLab{Lab: l}
	var err error
	if x.train, err = data.Open("digits#train", data.Options{}); err != nil {
		return err
	}
	if x.test, err = data.Open("digits#test", data.Options{}); err != nil {
		return err
	}
	x.pre = data.Suggested(x.train)
	if err := x.trainAlone(ctx); err != nil {
		return err
	}
	runs := map[string][]pandaRun{}
	for _, arm := range pandaArms {
		got := make([]pandaRun, len(l.Seeds))
		err := x.each(ctx, func(ctx context.Context, i int, pool *parallel.Pool) (err error) {
			x.progress("%s, seed %d", arm.name, l.Seeds[i])
			got[i], err = x.supernet(ctx, arm, l.Seeds[i], pool)
			return err
		})
		if err != nil {
			return err
		}
		runs[arm.name] = got
	}
	x.ranks(runs)
	x.variances(runs)
	return nil
}

// each does something for every seed, for as many at a time as there are threads; each has one.
func (x *pandaLab) each(ctx context.Context, do func(ctx context.Context, i int, pool *parallel.Pool) error) error {
	threads := x.Threads
	if threads == 0 {
		threads = runtime.NumCPU()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(threads, len(x.Seeds)) {
		wg.Go(func() {
			pool := parallel.New(1)
			defer pool.Close()
			for i := range next {
				if err := do(ctx, i, pool); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range x.Seeds {
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (x *pandaLab) progress(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.Progress(format, args...)
}

func (x *pandaLab) measure(pool *parallel.Pool) nas.Measure {
	return nas.Measure{Data: x.train, Val: x.test, Preprocess: &x.pre, Pool: pool}
}

// trainAlone trains each network by itself, once for each seed.
func (x *pandaLab) trainAlone(ctx context.Context) error {
	n, err := nas.New(pandaSpace)
	if err != nil {
		return err
	}
	x.archs = n.Sample(pandaNets, 1)
	x.truth, x.size, x.alone = make([]float64, len(x.archs)), make([]float64, len(x.archs)), make([][]float64, len(x.Seeds))
	err = x.each(ctx, func(ctx context.Context, i int, pool *parallel.Pool) error {
		acc := make([]float64, len(x.archs))
		for k, a := range x.archs {
			x.progress("network %d of %d by itself, seed %d", k+1, len(x.archs), x.Seeds[i])
			r, err := n.TrainAlone(ctx, a, nas.Alone{Epochs: pandaAlone, BatchSize: 64, LR: 0.05, Clip: 5, Seed: x.Seeds[i]},
				x.measure(pool))
			if err != nil {
				return err
			}
			acc[k] = r.Accuracy
			if i == 0 {
				x.size[k] = float64(r.MACs)
			}
		}
		x.alone[i] = acc
		return nil
	})
	for _, acc := range x.alone {
		for k := range acc {
			x.truth[k] += acc[k] / float64(len(x.Seeds))
		}
	}
	return err
}

// supernet trains one from seed, and ranks.
func (x *pandaLab) supernet(ctx context.Context, arm pandaArm, seed uint64, pool *parallel.Pool) (r pandaRun, err error) {
	s := pandaSpace
	s.Seed = seed
	n, err := nas.New(s)
	if err != nil {
		return r, err
	}
	c := nas.Config{Sampler: arm.sampler, Preprocess: &x.pre, Epochs: arm.epochs, Seed: seed, Pool: pool}
	if arm.change != nil {
		arm.change(&c)
	}
	if arm.looks {
		r.spreads = map[string]nas.Spread{}
		c.Look = look(r.spreads)
	}
	if _, err := nas.Train(ctx, n, x.train, c); err != nil {
		return r, err
	}
	got, err := n.Rank(ctx, x.archs, x.measure(pool), nil)
	if err != nil {
		return r, err
	}
	var acc []float64
	for _, g := range got {
		acc = append(acc, g.Accuracy)
		r.mean += g.Accuracy / float64(len(got))
	}
	r.tau = nas.Kendall(acc, x.truth)
	return r, nil
}

// look measures the variance of gradients early, in the middle and late in a training.
func look(into map[string]nas.Spread) func(context.Context, *nas.Trainer, int) (map[string]float64, error) {
	return func(ctx context.Context, t *nas.Trainer, epoch int) (map[string]float64, error) {
		for _, part := range pandaMoments {
			if epoch != pandaEpochs*part/100 {
				continue
			}
			for _, d := range pandaDraw {
				for _, weighted := range []bool{false, true} {
					s, err := t.Variance(ctx, nas.Draw{Data: d.data, Path: d.path, Tau: float64(epoch-1) / pandaEpochs, Weighted: weighted},
						pandaDraws,
						uint64(epoch))
					if err != nil {
						return nil, err
					}
					into[pandaKey(part, d.name, weighted)] = s
				}
			}
		}
		return nil, nil
	}
}

// taus are the rank correlations of an arm.
func taus(runs []pandaRun) (list []float64) {
	for _, r := range runs {
		list = append(list, r.tau)
	}
	return list
}

// ranks says how the supernets rank.
func (x *pandaLab) ranks(runs map[string][]pandaRun) {
	t := Table{Title: fmt.Sprintf("%d of the networks of cells with three edges, on digits (8×8): Kendall's τ-b between the accuracy "+
		"with inherited "+
		"weights and that of the network trained by itself (the mean of %d trainings)", len(x.archs), len(x.Seeds)),
		Columns: []string{"supernet", "τ", "τ − τ(uniform)", "mean accuracy, inherited, %"}}
	base := taus(runs[uniformArm])
	for _, arm := range pandaArms {
		got := taus(runs[arm.name])
		d, means := make([]float64, len(base)), make([]float64, len(base))
		for i := range d {
			d[i], means[i] = got[i]-base[i], runs[arm.name][i].mean
		}
		cell := Mean(3, d)
		if arm.name == uniformArm {
			cell = Word("")
		}
		t.Row(Word(arm.name), Mean(3, got), cell, Percent(1, means))
	}
	var once []float64
	for i, a := range x.alone {
		others := make([]float64, len(a))
		for j, b := range x.alone {
			for k := range b {
				if i != j {
					others[k] += b[k]
				}
			}
		}
		once = append(once, nas.Kendall(a, others))
	}
	t.Row(Word("no supernet: by the number of multiplications"), Word(fmt.Sprintf("%.3f", nas.Kendall(x.size, x.truth))), Word(""),
		Word(""))
	t.Row(Word("no supernet: one training by itself, against the mean of the others"), Mean(3, once), Word(""), Word(""))
	x.Table(t)
	x.Say("The networks by themselves (%d epochs) reach %.1f to %.1f %%. All supernets have %d epochs of batches of 64 but the fair "+
		"one, whose "+
		"steps have five paths; SGD with momentum, half a cosine from 0.05, norms clipped at 5. Statistics of batch normalisation are "+
		"taken anew "+
		"for each network. Networks in which nothing of the input reaches the output are left out. Intervals are over %d seeds of the "+
		"weights and "+
		"of all that is drawn.", pandaAlone, 100*slices.Min(x.truth), 100*slices.Max(x.truth), pandaEpochs, len(x.Seeds))
	words := map[int][]string{}
	for _, arm := range pandaArms {
		if arm.name != uniformArm {
			k := Differs(taus(runs[arm.name]), base)
			words[k] = append(words[k], arm.name)
		}
	}
	for _, w := range []struct {
		sign int
		says string
	}{{1, "Better than uniform sampling, by paired intervals, ranks: "}, {0, "Not to be told from uniform sampling: "},
		{-1, "Worse than uniform sampling ranks: "}} {
		if words[w.sign] != nil {
			x.Say("%s%s.", w.says, strings.Join(words[w.sign], "; "))
		}
	}
	for _, other := range []string{"path only", "data only"} {
		how := map[int]string{1: "ranks better than", 0: "cannot be told from", -1: "ranks worse than"}
		x.Say("PA&DA %s %s.", how[Differs(taus(runs[pandaName]), taus(runs[other]))], other)
	}
}

// variances says how gradients vary.
func (x *pandaLab) variances(runs map[string][]pandaRun) {
	t := Table{Title: fmt.Sprintf("Variance of the gradient of a step (batch of 64, one path) at the same weights, as a share of that "+
		"of uniform "+
		"sampling there; estimated from %d steps that are drawn and not taken", pandaDraws),
		Columns: []string{"weights of", "after", "law", "as trained", "as trained, by the squared mean", "weighted"}}
	joint := map[string][]string{} // whether the joint law has less variance, by column
	for _, arm := range []string{uniformArm, pandaName} {
		for _, part := range pandaMoments {
			for _, d := range pandaDraw[1:] {
				var columns [3][]float64
				for _, r := range runs[arm] {
					u, s, w := r.spreads[pandaKey(part, "uniform", false)], r.spreads[pandaKey(part, d.name, false)],
						r.spreads[pandaKey(part, d.name, true)]
					for k, v := range []float64{s.Variance / u.Variance, s.Relative() / u.Relative(), w.Variance / u.Variance} {
						columns[k] = append(columns[k], v)
					}
				}
				t.Row(Word(arm), Word(fmt.Sprintf("%d %%", part)), Word(d.name), Mean(2, columns[0]), Mean(2, columns[1]), Mean(2,
					columns[2]))
				for k, name := range t.Columns[3:] {
					one := slices.Repeat([]float64{1}, len(columns[k]))
					if d.name == "joint" && Differs(columns[k], one) < 0 {
						joint[name] = append(joint[name], fmt.Sprintf("%s after %d %%", arm, part))
					}
				}
			}
		}
	}
	x.Table(t)
	x.Say("Below 1 is less variance than uniform sampling has. As trained, gradients are what PA&DA steps by: their mean is not that of " +
		"all " +
		"examples and paths alike, so that the variance is shown as a share of the squared norm of the mean gradient too. Weighted, " +
		"each is " +
		"multiplied by what makes it an estimate of that mean (1/(N·p) of an example, the ratio of probabilities of a path), which is " +
		"what the " +
		"theory of importance sampling is about. The estimate is (Σ‖g‖² − M‖ḡ‖²)/(M−1) over all weights of the supernet.")
	for _, name := range t.Columns[3:] {
		at := "at none of the six moments"
		if joint[name] != nil {
			at = "at the weights of " + list(joint[name])
		}
		x.Say("Less variance than uniform sampling the joint law has (the interval leaves 1 out), %s: %s.", name, at)
	}
}
