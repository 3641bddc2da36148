package science

import (
	"compress/gzip"
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/compress"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/train"
)

const (
	wholeEpochs = 20 // of the large network, and of the small one that is trained as long
	tuneEpochs  = 6  // of fine-tuning
	wholeRate   = .005
	tuneRate    = .002
)

// channelArms takes channels out of a network, fine-tunes, and compares with what the same small network learns from random weights.
func channelArms(ctx context.Context, l *Lab) error {
	b, err := openBench(l, "shapes?size=24&n=1200#train", "shapes?size=24&n=1000#test")
	if err != nil {
		return err
	}
	arms := []struct {
		what, spec string
		fresh      int // epochs of the small network from random weights, 0 for fine-tuning
	}{
		{"channels, l2, the same share of each layer", "channels", 0},
		{"channels, l2, over all layers", "channels:scope=global", 0},
		{"channels, Taylor, the same share of each layer", "channels:importance=taylor", 0},
		{"channels, Taylor, over all layers", "channels:importance=taylor:scope=global", 0},
		{"the same small network from random weights, as long as the fine-tuning", "channels", tuneEpochs},
		{"the same small network from random weights, as long as both", "channels", wholeEpochs + tuneEpochs},
		{"zeros by magnitude, as many weights", "magnitude", 0},
	}
	for _, share := range []float64{0.5, 0.25} {
		t := Table{Title: fmt.Sprintf("resnet8 on shapes (24×24) with %g of its multiply-adds", share),
			Columns: []string{"arm", "multiply-adds", "test accuracy before training, %", "and after, %", "size, zipped, against before"}}
		got := make([][]float64, len(arms))
		raw, macs, size := make([][]float64, len(arms)), make([][]float64, len(arms)), make([][]float64, len(arms))
		var whole []float64
		for _, seed := range l.Seeds {
			l.Progress("resnet8, seed %d", seed)
			file, err := models.New("resnet8", models.Options{ImageSize: 24, Classes: 8, Seed: seed})
			if err != nil {
				return err
			}
			if file, err = b.fit(ctx, file, wholeRate, wholeEpochs, seed, nil); err != nil {
				return err
			}
			was, err := b.judge(ctx, file)
			if err != nil {
				return err
			}
			whole = append(whole, was.accuracy)
			for k, arm := range arms {
				l.Progress("%g: %s, seed %d", share, arm.what, seed)
				small, untrained, err := b.pruned(ctx, file, arm.spec, arm.fresh, share, seed)
				if err != nil {
					return err
				}
				is, err := b.judge(ctx, small)
				if err != nil {
					return err
				}
				got[k], raw[k] = append(got[k], is.accuracy), append(raw[k], untrained.accuracy)
				macs[k] = append(macs[k], float64(is.macs)/float64(was.macs))
				size[k] = append(size[k], float64(zippedSize(small))/float64(zippedSize(file)))
			}
		}
		t.Row(Word("before"), Word("1"), Word(""), Percent(2, whole), Word("1"))
		for k, arm := range arms {
			t.Row(Word(arm.what), Mean(2, macs[k]), Percent(2, raw[k]), Percent(2, got[k]), Mean(2, size[k]))
		}
		l.Table(t)
		against := func(a, b int) string {
			switch Differs(got[a], got[b]) {
			case 1:
				return "above"
			case -1:
				return "below"
			}
			return "not to be told apart from"
		}
		l.Say("With %g of the multiply-adds, paired by seed (95 %% interval of the differences): channels by l2, fine-tuned, are %s the same "+
			"network from random weights that was trained as long as the fine-tuning, and %s the one that was trained as long as the large "+
			"network and the "+
			"fine-tuning together; zeros by magnitude, which save no multiply-adds, are %s channels by l2.", share, against(0, 4), against(0, 5),
			against(6, 0))
	}
	l.Say("Adam with half a cosine, batches of 32: %d epochs at %g for the large network and the small one from random weights, %d at %g of "+
		"fine-tuning. The rates were not tuned for each arm."+
		" How many epochs there are decides: with 12 and 4 of them and other rates, tried before, the small network from random weights "+
		"trained as long as both was the better one (94.2 against 84.0 %% at half, 91.9 against 74.6 %% at a quarter).", wholeEpochs, wholeRate,
		tuneEpochs, tuneRate)
	return nil
}

// pruned makes file smaller and trains what is left, or the same network with fresh weights for so many epochs; untrained is how good it is
// before.
func (b *bench) pruned(ctx context.Context, file *onnx.Model, spec string, fresh int, share float64, seed uint64) (*onnx.Model, *judged,
	error) {
	if spec == "magnitude" { // as many numbers go as channels take with them, about the share of the multiply-adds
		spec, share = fmt.Sprintf("magnitude:sparsity=%g", 1-share), 0
	}
	res, err := b.compress(ctx, file, spec, share, seed)
	if err != nil {
		return nil, nil, err
	}
	small, lr, epochs := res.File, tuneRate, tuneEpochs
	if fresh > 0 {
		if small, err = train.Reinit(small, seed+100); err != nil {
			return nil, nil, err
		}
		lr, epochs = wholeRate, fresh
	}
	untrained, err := b.judge(ctx, small)
	if err != nil {
		return nil, nil, err
	}
	small, err = b.fit(ctx, small, lr, epochs, seed+200, func(m *engine.Model) error {
		for name, zero := range res.Zero {
			p, err := m.Param(name)
			if err != nil {
				return err
			}
			compress.Clear(p.Value, zero)
		}
		return nil
	})
	return small, untrained, err
}

// zippedSize is the size of a model's file, zipped.
func zippedSize(m *onnx.Model) int {
	b, err := m.Bytes()
	if err != nil {
		return 0
	}
	var n countWriter
	z := gzip.NewWriter(&n)
	if _, err := z.Write(b); err != nil {
		return 0
	}
	if err := z.Close(); err != nil {
		return 0
	}
	return int(n)
}

// countWriter counts bytes.
type countWriter int

func (n *countWriter) Write(p []byte) (int, error) { *n += countWriter(len(p)); return len(p), nil }
