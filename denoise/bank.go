package denoise

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/tensor"
)

// Picture is one of a Bank: C planes of H×W.
type Picture struct {
	ID      string
	C, H, W int
	Noisy   []float32
	Clean   []float32 // nil where it is not known
	Second  []float32 // another noisy version, nil where there is none
	Level   float64   // of the noise that was added, or by the picture itself where that is not known; 0 for that of the bank
}

// Bank is pictures in memory, with noise of their own or with noise that is added, the same for as long as they are used.
type Bank struct {
	Pictures []Picture
	Channels int
	Noise    Noise   // its level is 0 where it is not known
	Added    bool    // the noise was added
	Typical  float64 // the level of the noise, or where that is not known what the pictures say, or on average
	Mean     float64 // of all pixels
	grants   []*memory.Grant
}

// BankConfig says what is read. Levels that are not known are drawn from the range of the family, one for each picture, where noise is
// added; else what is there is looked at.
type BankConfig struct {
	Channels int   // 1 or 3: pictures of the other kind are converted
	Noise    Noise // of the pictures, or to be added
	Add      bool  // the pictures are clean, and noise is added
	Want     Want  // of the objective
	Targets  data.Dataset
	Seed     uint64
}

// minSide is the least side of a picture.
const minSide = 8

// ReadBank reads all pictures of ds.
func ReadBank(ctx context.Context, ds data.Dataset, c BankConfig) (*Bank, error) {
	b := &Bank{Channels: c.Channels, Noise: c.Noise, Added: c.Add}
	targets := map[string]int{}
	if c.Targets != nil {
		for i := range c.Targets.Len() {
			targets[c.Targets.ID(i)] = i
		}
	}
	err := b.read(ctx, ds, c, targets)
	if err != nil {
		b.Release()
		return nil, err
	}
	b.settle(c)
	return b, nil
}

func (b *Bank) read(ctx context.Context, ds data.Dataset, c BankConfig, targets map[string]int) error {
	if ds.Len() == 0 {
		return fmt.Errorf("denoise: there are no pictures")
	}
	for i := range ds.Len() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		p, err := readPicture(ds, i, c.Channels)
		if err != nil {
			return err
		}
		x := p.Noisy
		versions := 1
		if c.Want != WantNothing || c.Add {
			versions = 3
		}
		if err := b.grow(int64(versions) * 4 * int64(len(x))); err != nil {
			return err
		}
		if c.Add {
			b.spoil(&p, x, c, i)
		}
		if c.Targets != nil {
			k, ok := targets[p.ID]
			if !ok {
				return fmt.Errorf("denoise: picture %q has none of that name among the targets", p.ID)
			}
			t, err := readPicture(c.Targets, k, c.Channels)
			if err != nil {
				return err
			}
			if t.H != p.H || t.W != p.W {
				return fmt.Errorf("denoise: picture %q is %d×%d, its target %d×%d", p.ID, p.H, p.W, t.H, t.W)
			}
			if c.Want == WantSecond {
				p.Second = t.Noisy
			} else {
				p.Clean = t.Noisy
			}
		}
		b.Pictures = append(b.Pictures, p)
	}
	return nil
}

// grow takes memory for a further picture.
func (b *Bank) grow(bytes int64) error {
	g, err := memory.Take(bytes, "the pictures to learn from")
	if err != nil {
		return err
	}
	b.grants = append(b.grants, g)
	return nil
}

// Release gives the memory back.
func (b *Bank) Release() {
	for _, g := range b.grants {
		g.Release()
	}
	b.grants, b.Pictures = nil, nil
}

// spoil adds noise to the clean picture x, and makes a second version where that is wanted.
func (b *Bank) spoil(p *Picture, x []float32, c BankConfig, i int) {
	r := NewRandom(c.Seed, 1, uint64(i))
	p.Level = c.Noise.draw(r)
	p.Clean = x
	p.Noisy = noisy(r, x, c.Noise.Family, p.Level)
	if c.Want == WantSecond {
		p.Second = noisy(r, x, c.Noise.Family, p.Level)
	}
}

// draw is the level, or one of the range where it is not known, uniform in its logarithm.
func (n Noise) draw(r *Random) float64 {
	if n.Known() {
		return n.Level
	}
	low, high := n.Family.Range()
	return low * math.Pow(high/low, r.Float())
}

// noisy is a noisy version of x.
func noisy(r *Random, x []float32, f Family, level float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(f.Noisy(r, float64(v), level))
	}
	return y
}

// settle finds mean and typical level.
func (b *Bank) settle(c BankConfig) {
	sum, n := 0.0, 0
	var levels []float64
	for i := range b.Pictures {
		p := &b.Pictures[i]
		for _, v := range p.Noisy {
			sum += float64(v)
		}
		n += len(p.Noisy)
		if !c.Add && !c.Noise.Known() {
			p.Level = p.Estimate(c.Noise.Family)
			levels = append(levels, p.Level)
		}
	}
	b.Mean = sum / float64(n)
	switch {
	case c.Noise.Known():
		b.Typical = c.Noise.Level
	case c.Add:
		b.Typical = typicalOf(c.Noise.Family.Range())
	default:
		b.Typical = median(levels)
	}
}

// LevelOf is that of the noise of picture p as far as it is known.
func (b *Bank) LevelOf(p *Picture) float64 {
	if p.Level > 0 {
		return p.Level
	}
	return b.Typical
}

// readPicture reads example i as numbers from 0 to 1.
func readPicture(ds data.Dataset, i, channels int) (Picture, error) {
	e, err := ds.Example(i)
	if err != nil {
		return Picture{}, err
	}
	p, err := PictureOf(e, channels)
	if err == nil && min(p.H, p.W) < minSide {
		err = fmt.Errorf("denoise: picture %q is %d×%d, and sides of at least %d are wanted", p.ID, p.H, p.W, minSide)
	}
	return p, err
}

// PictureOf is the picture of e as numbers from 0 to 1, in so many channels; 0 keeps its own.
//
// Source: grey of colours is that of ITU-R BT.601.
func PictureOf(e data.Example, channels int) (Picture, error) {
	p := Picture{ID: e.ID}
	if !e.Picture || e.X == nil || e.X.Rank() != 3 {
		return p, fmt.Errorf("denoise: %q is no picture", e.ID)
	}
	p.C, p.H, p.W = e.X.Dim(0), e.X.Dim(1), e.X.Dim(2)
	if channels == 0 {
		channels = p.C
	}
	x := make([]float32, e.X.Len())
	switch e.X.DType() {
	case tensor.Uint8:
		for i, v := range tensor.Data[uint8](e.X) {
			x[i] = float32(v) / 255
		}
	case tensor.Uint16:
		for i, v := range tensor.Data[uint16](e.X) {
			x[i] = float32(v) / 65535
		}
	default:
		return p, fmt.Errorf("denoise: %q is %v, want 8 or 16 bits", e.ID, e.X)
	}
	n := p.H * p.W
	switch {
	case channels == p.C:
		p.Noisy = x
	case channels == 1 && p.C == 3:
		p.Noisy = make([]float32, n)
		for i := range p.Noisy {
			p.Noisy[i] = 0.299*x[i] + 0.587*x[n+i] + 0.114*x[2*n+i]
		}
	case channels == 3 && p.C == 1:
		p.Noisy = make([]float32, 0, 3*n)
		for range 3 {
			p.Noisy = append(p.Noisy, x...)
		}
	default:
		return p, fmt.Errorf("denoise: %q has %d channels, and the network takes %d", e.ID, p.C, channels)
	}
	p.C = channels
	return p, nil
}

// AddNoise is a noisy version of the clean picture x, that of a seed and a number.
func AddNoise(x []float32, n Noise, seed, number uint64) []float32 {
	return noisy(NewRandom(seed, 3, number), x, n.Family, n.Level)
}
