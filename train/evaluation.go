package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
)

// mayEvaluate refuses what an optimiser that evaluates the loss itself cannot be given, and asks the session of q for no gradients that it
// does not take from there.
func (f *fit) mayEvaluate(q *engine.Query) error {
	c := &f.c
	switch e := c.Optimizer.Evaluation().(type) {
	case *optim.MeZO:
		q.Grad = nil
		switch {
		case c.BN == engine.BNTrain:
			return errors.New("train: mezo: statistics of the batch cannot be trained, for both passes would change them: train with " +
				"--bn frozen")
		case c.TrAct != nil:
			return errors.New("train: mezo: TrAct changes a gradient, and there is none: leave one of the two out")
		case c.Unfreeze != nil:
			return errors.New("train: mezo: all parameters move together: leave out --unfreeze-every, or say what is trained by --trainable")
		}
	case *optim.SAM:
		if c.TrAct != nil {
			return errors.New("train: sam: TrAct changes the gradient that says where the loss is highest: leave one of the two out")
		}
	case optim.Descender:
		q.Grad, c.Shuffle = nil, false
		n, most := f.ds.Len(), cmp.Or(c.MicroBatch, partSize)
		parts := (n + most - 1) / most
		f.parts = c.Feed.InParts((n + parts - 1) / parts)
		c.MicroBatch = 0 // the batch is in memory whole
		return mayDescend(e.Name(), *c, f.ds.Len())
	}
	return nil
}

// partSize is how many examples of a batch of all go through the model at a time, at most.
const partSize = 256

// plan is what feeds a batch that is trained on.
func (f *fit) plan() *feed.Plan {
	if f.parts != nil {
		return f.parts
	}
	return f.c.Feed
}

// mayDescend refuses what changes the loss from one evaluation, or one step, to the next.
func mayDescend(name string, c Config, n int) error {
	refuse := func(format string, args ...any) error { return fmt.Errorf("train: "+name+": "+format, args...) }
	switch {
	case c.BatchSize != n:
		return refuse("it compares the loss before and after a step, and steps with each other, over the same examples: give --batch-size "+
			"ALL (it is %d of %d)", c.BatchSize, n)
	case c.Balanced:
		return refuse("an epoch of --sampler balanced has other examples than the one before: leave it out, or give --class-weights")
	case c.Restore != nil:
		return refuse("patches are drawn anew in each epoch, and with them the loss: take an optimiser that does not compare steps, such as adam")
	case c.Contrast != nil:
		return refuse("views are drawn anew in each epoch, and with them the loss: take an optimiser that does not compare steps, such as adam")
	case !c.Augment.None():
		return refuse("random changes of the examples change the loss from step to step: leave out --augment")
	case c.Dropout:
		return refuse("the masks of --dropout change the loss from step to step: leave it out")
	case c.BN == engine.BNTrain:
		return refuse("statistics of the batch change with each evaluation: train with --bn frozen")
	case c.TrAct != nil:
		return refuse("TrAct changes the gradient, which has to be that of the loss: leave one of the two out")
	case c.Unfreeze != nil:
		return refuse("all parameters move together: leave out --unfreeze-every, or say what is trained by --freeze")
	case c.Growth != nil:
		return refuse("batches of all examples do not grow: leave out --batch-adapt")
	case c.Reduce != nil:
		return refuse("it takes the gradients itself, and none can be changed before a step")
	}
	return nil
}

// prepareEvaluation makes room for what such an optimiser needs.
func (f *fit) prepareEvaluation() error {
	switch e := f.c.Optimizer.Evaluation().(type) {
	case *optim.MeZO:
		return f.roomToEstimate()
	case optim.Descender:
		var err error
		f.loss, err = f.newObjective(e.Curvature())
		if err != nil {
			return fmt.Errorf("train: %s: %w", e.Name(), err)
		}
	}
	return nil
}

// evaluationTrait tells one way to evaluate from another.
func evaluationTrait(e optim.Evaluation) string {
	switch e := e.(type) {
	case *optim.MeZO:
		return fmt.Sprintf("mezo %g", e.Eps)
	case *optim.SAM:
		return fmt.Sprintf("sam %g adaptive %v", e.Rho, e.Adaptive)
	case optim.Descender:
		return fmt.Sprintf("%s %s", e.Name(), e.Curvature())
	}
	return ""
}

// converged says why the optimiser can go no further, "" where it can.
func (f *fit) converged() string {
	if d, ok := f.c.Optimizer.Evaluation().(optim.Descender); ok {
		return d.Done()
	}
	return ""
}

// gradients makes the gradients of a batch that the optimiser is handed, and gives the loss; each is shown the parts of the batch.
func (f *fit) gradients(ctx context.Context, b *data.Batch, rows feed.Rows, each func(feed.Part) error) (float64, error) {
	if f.noise != nil {
		return f.denoise(ctx, b)
	}
	if z, ok := f.c.Optimizer.Evaluation().(*optim.MeZO); ok {
		return f.estimate(ctx, z.Eps, b, rows, each)
	}
	return f.backward(ctx, f.now.gauge.session(f.s), b, rows, each)
}

// backward makes true gradients by s at the weights as they are.
func (f *fit) backward(ctx context.Context, s *engine.Session, b *data.Batch, rows feed.Rows, each func(feed.Part) error) (float64, error) {
	mean, parts := 0.0, 0
	s.SetSeed(f.seed(f.now.at))
	err := f.plan().Run(ctx, s, b, rows, func(p feed.Part) error {
		mean += p.Loss().Float64s()[0]
		f.gather(p.Result, parts, p.Size >= b.Len())
		parts++
		return each(p)
	})
	return mean, err
}

// take takes a step on the batch whose last part is b, with the parameters that have gradients, or all where the optimiser asks for the
// loss itself.
func (f *fit) take(ctx context.Context, s optim.Step, ps []*optim.Param, b *data.Batch) error {
	switch f.c.Optimizer.Evaluation().(type) {
	case *optim.SAM:
		defer f.m.Changed(f.c.Params...)
		return f.c.Optimizer.StepTwice(f.m.Pool(), s, ps, func() error { return f.again(ctx, b) })
	case optim.Descender:
		if err := f.loss.on(ctx, b, f.now.rows); err != nil {
			return err
		}
		defer f.m.Changed(f.c.Params...)
		return f.c.Optimizer.Descend(ctx, s, f.params, f.loss)
	}
	return f.c.Optimizer.Step(f.m.Pool(), s, ps)
}
