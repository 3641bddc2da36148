package optim

import "errors"

func init() {
	registerSchedule(ScheduleInfo{
		Name: "constant", Doc: "the same learning rate always",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html with factor 1",
		build: func(c ScheduleConfig) (Schedule, error) {
			return Constant(c.LR), errors.Join(c.noMin(), c.noStep())
		},
	})
}

// Constant is a learning rate that stays.
type Constant float64

// LR is c.
func (c Constant) LR(step, total int) float64 { return float64(c) }
