package science

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/nas"
)

func init() {
	register(Recipe{
		Name: "panda", Title: "PA&DA against uniform sampling: rank correlation and gradient variance", Paper: "https://arxiv.org/abs/2302.14772",
		Question: "Does a supernet whose paths and data are drawn by their gradients rank networks better, and do its gradients vary less?",
		Seeds:    5, Run: panda,
	})
}

const (
	pandaEpochs = 60  // of a supernet
	pandaAlone  = 20  // of a network by itself
	pandaNets   = 36  // that are ranked
	pandaDraws  = 128 // steps that a variance is estimated from
)

// pandaSpace is cells of three edges, so that all networks that are ranked can be trained by themselves.
var pandaSpace = nas.Space{Name: "nas201", Nodes: 3, Cells: 1, Stages: 2, Channels: 8}

// pandaArms are ways to train a supernet.
var pandaArms = []struct {
	name    string
	epochs  int // 0 means none: the weights as they are drawn
	sampler string
	change  func(c *nas.Config)
}{
	{"not trained", 0, "uniform", nil},
	{"uniform (SPOS)", pandaEpochs, "uniform", nil},
	{"fair (FairNAS), as many paths", pandaEpochs / 5, "fair", nil},
	{"path only", pandaEpochs, "path", nil},
	{"data only", pandaEpochs, "data", nil},
	{"PA&DA", pandaEpochs, "panda", nil},
	{"PA&DA, floor .05, scores kept", pandaEpochs, "panda", func(c *nas.Config) { c.Floor, c.Keep = 0.05, true }},
	{"PA&DA, unbiased", pandaEpochs, "panda", func(c *nas.Config) { c.Unbiased = true }},
}

// pandaDraw are the laws whose gradients are compared.
var pandaDraw = []struct {
	name       string
	data, path bool
}{{"uniform", false, false}, {"path", false, true}, {"data", true, false}, {"joint", true, true}}

// pandaLab is the data of the arms.
type pandaLab struct {
	*Lab
	pool    *parallel.Pool
	measure nas.Measure
	archs   [][]int
	alone   [][]float64 // by seed, by network
	truth   []float64   // their means
	size    []float64   // MACs by network
}

func panda(ctx context.Context, l *Lab) error {
	x := &pandaLab{Lab: l, pool: parallel.New(l.Threads)}
	defer x.pool.Close()
	for _, o := range []struct {
		into *data.Dataset
		name string
	}{{&x.measure.Data, "digits#train"}, {&x.measure.Val, "digits#test"}} {
		ds, err := data.Open(o.name, data.Options{})
		if err != nil {
			return err
		}
		*o.into = ds
	}
	pre := data.Suggested(x.measure.Data)
	x.measure.Preprocess, x.measure.Pool = &pre, x.pool
	if err := x.trainAlone(ctx); err != nil {
		return err
	}
	taus, means := map[string][]float64{}, map[string][]float64{}
	spreads := map[string]map[string][]nas.Spread{} // by moment, by law, by seed
	for _, arm := range pandaArms {
		for _, seed := range l.Seeds {
			l.Progress("%s, seed %d", arm.name, seed)
			s := pandaSpace
			s.Seed = seed
			n, err := nas.New(s)
			if err != nil {
				return err
			}
			c := nas.Config{Sampler: arm.sampler, Preprocess: &pre, Epochs: arm.epochs, Seed: seed, Pool: x.pool}
			if arm.change != nil {
				arm.change(&c)
			}
			if arm.sampler == "uniform" || arm.sampler == "panda" && arm.change == nil {
				c.Look = x.look(arm.name, spreads)
			}
			if arm.epochs > 0 {
				if _, err := nas.Train(ctx, n, x.measure.Data, c); err != nil {
					return err
				}
			}
			got, err := n.Rank(ctx, x.archs, x.measure, nil)
			if err != nil {
				return err
			}
			acc, mean := []float64{}, 0.0
			for _, r := range got {
				acc = append(acc, r.Accuracy)
				mean += r.Accuracy / float64(len(got))
			}
			taus[arm.name] = append(taus[arm.name], nas.Kendall(acc, x.truth))
			means[arm.name] = append(means[arm.name], mean)
		}
	}
	x.ranks(taus, means)
	x.variances(spreads)
	return nil
}

// trainAlone trains each network by itself, once for each seed.
func (x *pandaLab) trainAlone(ctx context.Context) error {
	n, err := nas.New(pandaSpace)
	if err != nil {
		return err
	}
	x.archs = n.Sample(pandaNets, 1)
	x.truth, x.size = make([]float64, len(x.archs)), make([]float64, len(x.archs))
	for _, seed := range x.Seeds {
		var acc []float64
		for k, a := range x.archs {
			x.Progress("network %d of %d by itself, seed %d", k+1, len(x.archs), seed)
			r, err := n.TrainAlone(ctx, a, nas.Alone{Epochs: pandaAlone, BatchSize: 64, LR: 0.05, Clip: 5, Seed: seed}, x.measure)
			if err != nil {
				return err
			}
			acc = append(acc, r.Accuracy)
			x.truth[k] += r.Accuracy / float64(len(x.Seeds))
			x.size[k] = float64(r.MACs)
		}
		x.alone = append(x.alone, acc)
	}
	return nil
}

// look measures the variance of gradients early, in the middle and late in a training.
func (x *pandaLab) look(arm string, into map[string]map[string][]nas.Spread) func(context.Context, *nas.Trainer, int) error {
	return func(ctx context.Context, t *nas.Trainer, epoch int) error {
		for _, part := range []int{20, 50, 90} {
			if epoch != pandaEpochs*part/100 {
				continue
			}
			at := fmt.Sprintf("%s|%d", arm, part)
			if into[at] == nil {
				into[at] = map[string][]nas.Spread{}
			}
			for _, d := range pandaDraw {
				for _, weighted := range []bool{false, true} {
					s, err := t.Variance(ctx, nas.Draw{Data: d.data, Path: d.path, Tau: float64(epoch-1) / pandaEpochs, Weighted: weighted}, pandaDraws,
						uint64(epoch))
					if err != nil {
						return err
					}
					key := fmt.Sprintf("%s|%v", d.name, weighted)
					into[at][key] = append(into[at][key], s)
				}
			}
		}
		return nil
	}
}

// ranks says how the supernets rank.
func (x *pandaLab) ranks(taus, means map[string][]float64) {
	t := Table{Title: fmt.Sprintf("%d of the 125 networks of cells with three edges, on digits (8×8): Kendall's τ-b between the accuracy with "+
		"inherited weights and that of the network trained by itself (the mean of %d trainings)", len(x.archs), len(x.Seeds)),
		Columns: []string{"supernet", "τ", "τ − τ(uniform)", "mean accuracy, inherited, %"}}
	base := taus["uniform (SPOS)"]
	for _, arm := range pandaArms {
		d := make([]float64, len(base))
		for i := range d {
			d[i] = taus[arm.name][i] - base[i]
		}
		cell := Mean(3, d)
		if arm.sampler == "uniform" && arm.epochs > 0 {
			cell = Word("")
		}
		t.Row(Word(arm.name), Mean(3, taus[arm.name]), cell, Percent(1, means[arm.name]))
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
	t.Row(Word("no supernet: by the number of multiplications"), Word(fmt.Sprintf("%.3f", nas.Kendall(x.size, x.truth))), Word(""), Word(""))
	t.Row(Word("no supernet: one training by itself, against the mean of the others"), Mean(3, once), Word(""), Word(""))
	x.Table(t)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range x.truth {
		low, high = min(low, v), max(high, v)
	}
	x.Say("The networks by themselves (%d epochs) reach %.1f to %.1f %%. All supernets have %d epochs of batches of 64 but the fair one, whose "+
		"steps have five paths; SGD with momentum, half a cosine from 0.05, norms clipped at 5. Statistics of batch normalisation are taken anew "+
		"for each network. Intervals are over %d seeds of the weights and of all that is drawn.", pandaAlone, 100*low, 100*high, pandaEpochs,
		len(x.Seeds))
	for _, arm := range []string{"path only", "data only", "PA&DA", "PA&DA, floor .05, scores kept", "PA&DA, unbiased"} {
		words := map[int]string{1: "ranks better than", 0: "cannot be told from", -1: "ranks worse than"}
		x.Say("%s %s uniform sampling.", arm, words[Differs(taus[arm], base)])
	}
}

// variances says how gradients vary.
func (x *pandaLab) variances(spreads map[string]map[string][]nas.Spread) {
	t := Table{Title: fmt.Sprintf("Variance of the gradient of a step (batch of 64, one path) at the same weights, as a share of that of uniform "+
		"sampling there; estimated without bias from %d steps that are drawn and not taken", pandaDraws),
		Columns: []string{"weights of", "after", "laws", "as trained", "as trained, by the squared mean", "weighted"}}
	for _, arm := range []string{"uniform (SPOS)", "PA&DA"} {
		for _, part := range []int{20, 50, 90} {
			got := spreads[fmt.Sprintf("%s|%d", arm, part)]
			for _, d := range pandaDraw[1:] {
				var raw, relative, weighted []float64
				for i, u := range got["uniform|false"] {
					s, w := got[d.name+"|false"][i], got[d.name+"|true"][i]
					raw = append(raw, s.Variance/u.Variance)
					relative = append(relative, s.Relative()/u.Relative())
					weighted = append(weighted, w.Variance/u.Variance)
				}
				t.Row(Word(arm), Word(fmt.Sprintf("%d %%", part)), Word(d.name), Mean(2, raw), Mean(2, relative), Mean(2, weighted))
			}
		}
	}
	x.Table(t)
	x.Say("Below 1 is less variance than uniform sampling has. As trained, gradients are what PA&DA steps by: their mean is not that of all " +
		"examples and paths alike. Weighted, each is multiplied by what makes it an estimate of that mean (1/(N·p) of an example, the ratio of " +
		"probabilities of a path), which is what the theory of importance sampling is about.")
}
