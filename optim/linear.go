package optim

func init() {
	registerSchedule(ScheduleInfo{
		Name: "linear", Doc: "a straight line from the learning rate down to a share of it",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html over the whole training",
		recipe: func() recipe { return &linearOptions{} },
	})
}

type linearOptions struct {
	End float64 `opt:"end" doc:"share of the learning rate at the end"`
}

func (o *linearOptions) schedule(lr float64, _ Timing) (Schedule, error) {
	return Linear{Base: lr, End: o.End}, share("end", o.End, 0)
}

// Linear goes from Base at the first step straight to End·Base, which it would reach one step after the last.
type Linear struct {
	Base float64
	End  float64 // share of Base, 0 to 1
}

// LR is Base·(1 + (End−1)·(step−1)/total).
func (l Linear) LR(step, total int) float64 { return l.Base * (1 + (l.End-1)*done(step, total)) }
