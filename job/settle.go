package job

import (
	"context"

	"github.com/gtk-onnx/gtk/train"
)

// settle makes the model what the file that is written will give: the statistics of batch normalisation are estimated anew where that was
// asked for, and parameters are rounded to what the file holds them in. It reports whether the model may compute otherwise than before.
func (f *finetuning) settle(ctx context.Context) (bool, error) {
	if f.c.BNEstimate {
		batch := f.cfg.Batch(f.train.Len())
		if err := train.EstimateBatchNorm(ctx, f.Model.Model, f.train, f.plan, batch, f.pre, f.c.Seed); err != nil {
			return false, badInput(err)
		}
	}
	settled, err := f.Settle()
	return settled || f.c.BNEstimate, badInput(err)
}

// mayEstimate refuses to estimate statistics that the model does not have, before the work.
func (c FinetuneConfig) mayEstimate(t *trainee) error {
	if !c.BNEstimate {
		return nil
	}
	if t.normalises() {
		return nil
	}
	return usagef("--bn-reestimate: the model has no batch normalisation with statistics")
}

// normalises reports whether the model has statistics of batches.
func (t *trainee) normalises() bool {
	for p := range t.Params() {
		if p.State {
			return true
		}
	}
	return false
}
