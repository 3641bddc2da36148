package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
)

// Restore is the training of a network that restores pictures. The data set of the training is Patches; each example is as many rows as
// their objective makes of it.
type Restore struct {
	Patches *denoise.Patches
	Tiles   denoise.Tiles // in which whole pictures are restored to be measured
}

// mayRestore refuses what has no meaning for patches.
func (f *fit) mayRestore() error {
	x, t := f.c.Restore, f.c.Task
	switch {
	case x == nil:
		return errors.New("train: a restoring task needs patches (Config.Restore)")
	case t.Kind != task.Restoration:
		return fmt.Errorf("train: patches are for a restoring task (task.ForRestoration), and this is a %s task", t.Kind)
	case f.ds != data.Dataset(x.Patches):
		return errors.New("train: the data set of a restoring task is its patches")
	case f.c.MicroBatch > 0 || f.c.Growth != nil || f.c.Teacher != nil:
		return fmt.Errorf("train: %s: batches of patches do not go in parts, nor grow, and have no teacher", t.Name)
	case !f.c.Augment.None():
		return errors.New("train: patches are turned and mirrored, and not changed otherwise: leave out the augmentation")
	}
	if err := x.Patches.Check(); err != nil {
		return err
	}
	f.anneal = x.Patches.Schedule(f.c.Steps(f.ds.Len()) * f.c.BatchSize)
	return nil
}

// patches are the batches of an epoch, each made while the one before is trained on.
func (f *fit) patches(ctx context.Context, size int, o data.BatchOptions) iter.Seq2[*data.Batch, error] {
	return func(yield func(*data.Batch, error) bool) {
		p, order := f.c.Restore.Patches, f.sampler.Order(o.Epoch)
		order = order[min(o.Start, len(order)):]
		rows := p.Objective.Rows()
		seen := f.examples * rows
		var both [2]data.Batch
		made, stop := make(chan *data.Batch), make(chan struct{})
		var ended sync.WaitGroup
		defer ended.Wait()
		defer close(stop)
		ended.Go(func() {
			defer close(made)
			for k := 0; len(order) > 0; k++ {
				n := min(size, len(order))
				b := &both[k%2]
				p.Fill(b, order[:n], o.Epoch, seen, f.anneal)
				order, seen = order[n:], seen+n*rows
				select {
				case made <- b: // the receiver is done with the other one
				case <-stop:
					return
				}
			}
		})
		for b := range made {
			if ctx.Err() != nil {
				yield(nil, fmt.Errorf("train: %w", context.Cause(ctx)))
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// trait knows the pictures and how they are shown.
func (x *Restore) trait() Trait {
	h := sha256.New()
	p := x.Patches
	for i := range p.Bank.Pictures {
		c := &p.Bank.Pictures[i]
		fmt.Fprintf(h, "%q %d %d %d %g\n", c.ID, c.C, c.H, c.W, c.Level)
		for _, v := range [][]float32{c.Noisy, c.Clean, c.Second} {
			var bits [4]byte
			for _, x := range v {
				binary.LittleEndian.PutUint32(bits[:], math.Float32bits(x))
				h.Write(bits[:])
			}
		}
	}
	fmt.Fprintf(h, "%+v %+v", p.Params, p.Objective)
	return Trait{"pictures and patches", fmt.Sprintf("%d of %d×%d of each of %d pictures, redrawn %v, upright %v", p.Each, p.Side,
		p.Side, len(p.Bank.Pictures),
		p.Redraw, p.Upright), hex.EncodeToString(h.Sum(nil))}
}

// restoreEvaluator measures a network on whole pictures, where clean ones are known, and by its objective on patches.
type restoreEvaluator struct {
	c      Config
	val    *denoise.Patches
	anneal denoise.Anneal
	loss   *engine.Session
	whole  *denoise.Restorer // nil where no clean pictures are known
}

// NewRestoreEvaluator measures m as the training c does, on c.Val, which are patches.
func NewRestoreEvaluator(m *engine.Model, c Config) (interface {
	Run(context.Context) (*Evaluation, error)
}, error) {
	val, ok := c.Val.(*denoise.Patches)
	if !ok {
		return nil, errors.New("train: a restoring task is measured on patches")
	}
	if err := val.Check(); err != nil {
		return nil, err
	}
	e := &restoreEvaluator{c: c, val: val, anneal: val.Schedule(1)}
	e.anneal.Max = e.anneal.Min // as in the end
	var err error
	if e.loss, err = m.Session(engine.Query{Loss: c.Task.Total()}); err != nil {
		return nil, err
	}
	if name, _ := c.Task.Primary(); name == "psnr" {
		e.whole, err = denoise.NewRestorer(m, c.Restore.Patches.Params, c.Restore.Tiles)
	}
	return e, err
}

// Run measures once.
func (e *restoreEvaluator) Run(ctx context.Context) (*Evaluation, error) {
	pictures := e.val.Bank.Pictures
	r := &Evaluation{N: len(pictures), Loss: math.NaN(), Accuracy: math.NaN(), Top5: math.NaN()}
	var b data.Batch
	sum, n := 0.0, e.val.Len()
	order, size := data.Sequential(n).Order(0), e.c.Batch(n)
	for at := 0; at < n; at += size {
		e.val.Fill(&b, order[at:min(at+size, n)], 0, 0, e.anneal)
		truth, err := e.c.Task.Truth(&b)
		if err != nil {
			return nil, err
		}
		err = e.c.Feed.Run(ctx, e.loss, &b, truth.Rows(truth.Mean()), func(p feed.Part) error {
			sum += p.Loss().Float64s()[0] * float64(b.Len())
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	r.Loss = sum / float64(n*e.val.Objective.Rows())
	if e.whole == nil {
		name, lower := e.c.Task.Primary()
		r.Metrics = []task.Measure{{Name: name, Value: r.Loss, Lower: lower}}
		return r, nil
	}
	psnr, ssim := 0.0, 0.0
	for i := range pictures {
		p := &pictures[i]
		x, err := e.whole.Picture(ctx, p.Noisy, p.C, p.H, p.W, e.val.Bank.LevelOf(p))
		if err != nil {
			return nil, err
		}
		q, err := denoise.Compare(x, p.Clean, p.C, p.H, p.W)
		if err != nil {
			return nil, err
		}
		psnr, ssim = psnr+q.PSNR, ssim+q.SSIM
	}
	many := float64(len(pictures))
	r.Metrics = []task.Measure{{Name: "psnr", Value: psnr / many}, {Name: "ssim", Value: ssim / many}}
	return r, nil
}
