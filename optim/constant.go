package optim

func init() {
	registerSchedule(ScheduleInfo{
		Name: "constant", Doc: "the same learning rate always",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html with factor 1",
		recipe: func() recipe { return &constantOptions{} },
	})
}

type constantOptions struct{}

func (*constantOptions) schedule(lr float64, _ Timing) (Schedule, error) { return Constant(lr), nil }

// Constant is a learning rate that stays.
type Constant float64

// LR is c.
func (c Constant) LR(step, total int) float64 { return float64(c) }
