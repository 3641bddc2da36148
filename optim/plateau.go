package optim

import (
	"errors"
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "plateau", Doc: "multiply the learning rate by a factor when epochs bring no progress",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html",
		recipe: func() recipe {
			return &plateauOptions{On: "auto", Factor: 0.1, Patience: 10, Threshold: 1e-4, Mode: "rel"}
		},
	})
}

type plateauOptions struct {
	On        string  `opt:"on" doc:"what has to progress: metric, val-loss or train-loss; auto: metric, else train-loss"`
	Factor    float64 `opt:"factor" doc:"factor of each drop, in (0, 1)"`
	Patience  int     `opt:"patience" doc:"epochs without progress that are waited for"`
	Threshold float64 `opt:"threshold" doc:"what counts as progress"`
	Mode      string  `opt:"mode" doc:"rel: the threshold is a share of the best, abs: a difference from it"`
	Cooldown  int     `opt:"cooldown" doc:"epochs after a drop that do not count"`
	Min       float64 `opt:"min" doc:"lowest learning rate"`
}

func (o *plateauOptions) schedule(lr float64, t Timing) (Schedule, error) {
	p := &Plateau{Base: lr, On: o.On, Factor: o.Factor, Patience: o.Patience, Threshold: o.Threshold, Absolute: o.Mode == "abs",
		Cooldown: o.Cooldown, Min: o.Min}
	if p.On == "auto" {
		if p.On = "train-loss"; t.Validates {
			p.On = "metric"
		}
	}
	switch {
	case p.On != "metric" && p.On != "val-loss" && p.On != "train-loss":
		return nil, fmt.Errorf("on=%q: want auto, metric, val-loss or train-loss", o.On)
	case p.On != "train-loss" && !t.Validates:
		return nil, fmt.Errorf("on=%s needs validation data; on=train-loss does not", p.On)
	case !(o.Factor > 0 && o.Factor < 1):
		return nil, fmt.Errorf("factor=%v: must be in (0, 1)", o.Factor)
	case o.Patience < 0 || o.Cooldown < 0 || !(o.Threshold >= 0):
		return nil, errors.New("patience, cooldown and threshold must not be below 0")
	case o.Mode != "rel" && o.Mode != "abs":
		return nil, fmt.Errorf("mode=%q: want rel or abs", o.Mode)
	case !(o.Min >= 0 && o.Min <= lr):
		return nil, fmt.Errorf("minimal learning rate %v: must be in [0, %v]", o.Min, lr)
	}
	return p, nil
}

// Plateau multiplies the rate by Factor when more than Patience epochs have brought no progress. Its rates follow from what it was shown
// by See; before that it is Base.
//
// Source: PyTorch's ReduceLROnPlateau.
type Plateau struct {
	Base      float64
	On        string // metric, val-loss or train-loss
	Factor    float64
	Patience  int
	Threshold float64
	Absolute  bool // Threshold is a difference, not a share of the best
	Cooldown  int
	Min       float64

	best  float64
	seen  bool
	bad   int // epochs without progress
	cool  int // epochs that do not count, still
	drops []drop
}

// drop is the rate after a step.
type drop struct {
	step int
	lr   float64
}

// LR is that after the last drop before step.
func (p *Plateau) LR(step, _ int) float64 {
	lr := p.Base
	for _, d := range p.drops {
		if d.step < step {
			lr = d.lr
		}
	}
	return lr
}

// See takes in an epoch.
func (p *Plateau) See(o Outcome) {
	v, lower := o.TrainLoss, true
	switch p.On {
	case "metric":
		v, lower = o.Metric, o.Lower
	case "val-loss":
		v = o.ValLoss
	}
	if !math.IsNaN(v) && (!p.seen || p.better(v, lower)) {
		p.best, p.bad, p.seen = v, 0, true
	} else {
		p.bad++
	}
	if p.cool > 0 {
		p.cool--
		p.bad = 0
	}
	if p.bad <= p.Patience {
		return
	}
	now := p.LR(math.MaxInt, 0)
	if next := max(now*p.Factor, p.Min); next < now {
		p.drops = append(p.drops, drop{o.Step, next})
	}
	p.cool, p.bad = p.Cooldown, 0
}

// better reports whether v is progress over the best.
func (p *Plateau) better(v float64, lower bool) bool {
	margin := p.Threshold
	if !p.Absolute {
		margin *= p.best // as PyTorch, also for values below 0
	}
	if lower {
		return v < p.best-margin
	}
	return v > p.best+margin
}
