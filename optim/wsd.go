package optim

import (
	"fmt"
	"math"
)

func init() {
	registerSchedule(ScheduleInfo{
		Name: "wsd", Doc: "warm-up, stable, decay: after the warm-up the learning rate stays until it falls at the end",
		Source: "https://arxiv.org/abs/2404.06395 section 4, https://arxiv.org/abs/2405.18392 for the shape sqrt",
		recipe: func() recipe { return &wsdOptions{Decay: "20%", Shape: "sqrt"} },
	})
}

type wsdOptions struct {
	Decay string  `opt:"decay" doc:"length of the decay at the end"`
	Shape string  `opt:"shape" doc:"of the decay: sqrt (1 - sqrt), linear or cosine"`
	End   float64 `opt:"end" doc:"share of the learning rate at the end"`
}

func (o *wsdOptions) schedule(lr float64, t Timing) (Schedule, error) {
	n, err := length("decay", o.Decay, "", t)
	switch {
	case err != nil:
		return nil, err
	case o.Shape != "sqrt" && o.Shape != "linear" && o.Shape != "cosine":
		return nil, fmt.Errorf("shape=%q: want sqrt, linear or cosine", o.Shape)
	}
	return WSD{Base: lr, Decay: n, Shape: o.Shape, End: o.End}, share("end", o.End, 0)
}

// WSD is Base until the last Decay steps, in which it falls to End·Base, which it would reach one step after the last.
//
// Source: Hu et al., https://arxiv.org/abs/2404.06395, section 4; Hägele et al., https://arxiv.org/abs/2405.18392, equation 1.
type WSD struct {
	Base  float64
	Decay int     // steps
	Shape string  // sqrt, linear or cosine
	End   float64 // share of Base, 0 to 1
}

// LR is Base·(End + (1−End)·f(t)) with t the share of the decay that is over: f is 1−√t, 1−t or half a cosine.
func (w WSD) LR(step, total int) float64 {
	n := min(w.Decay, total)
	t := done(step-(total-n), n)
	f := 1 - t
	switch w.Shape {
	case "sqrt":
		f = 1 - math.Sqrt(t)
	case "cosine":
		f = halfCosine(1, 0, t)
	}
	return w.Base * (w.End + (1-w.End)*f)
}
