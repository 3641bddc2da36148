package denoise

import (
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// Patches are parts of the pictures of a bank as an objective shows them to a network. An epoch has Each of every picture; where they lie
// and how they are turned depends on seed, epoch and number alone. It is a Dataset of as many examples, which are upright.
type Patches struct {
	Bank      *Bank
	Objective Objective
	Params    *Parameters
	Side      int  // of a patch
	Each      int  // patches of each picture in an epoch
	Redraw    bool // noise that is added is drawn anew for each patch
	Upright   bool // patches are not turned or mirrored
	Seed      uint64
}

// Check refuses patches that cannot be made.
func (p *Patches) Check() error {
	if p.Side < minSide || p.Side%p.Params.Multiple != 0 {
		return fmt.Errorf("denoise: patches of %d×%d: want sides of at least %d, and a multiple of %d as the network takes them", p.Side, p.Side,
			minSide, p.Params.Multiple)
	}
	want := p.Objective.Wants()
	for i := range p.Bank.Pictures {
		switch c := &p.Bank.Pictures[i]; {
		case min(c.H, c.W) < p.Side:
			return fmt.Errorf("denoise: picture %q is %d×%d, smaller than patches of %d×%d: take smaller ones, or leave it out", c.ID, c.H, c.W,
				p.Side, p.Side)
		case want == WantClean && c.Clean == nil, want == WantSecond && c.Second == nil && c.Clean == nil:
			return fmt.Errorf("denoise: picture %q: what it is to be compared with is missing", c.ID)
		}
	}
	if p.Redraw && !p.Bank.Added {
		return fmt.Errorf("denoise: noise that the pictures have cannot be drawn anew")
	}
	return nil
}

// Len is the number of patches in an epoch.
func (p *Patches) Len() int { return p.Each * len(p.Bank.Pictures) }

// ID names patch i.
func (p *Patches) ID(i int) string {
	return fmt.Sprintf("%s#%d", p.Bank.Pictures[i/p.Each].ID, i%p.Each)
}

// Label is none.
func (p *Patches) Label(int) int { return -1 }

// Classes are none.
func (p *Patches) Classes() []string { return nil }

// Example is the noisy patch i of the first epoch, float32 [C,Side,Side].
func (p *Patches) Example(i int) (data.Example, error) {
	x := tensor.New(tensor.Float32, p.Bank.Channels, p.Side, p.Side)
	q := p.cut(i, 0)
	level := q.Level
	for k, v := range q.Noisy {
		x.F32()[k] = float32(p.Params.Shown(float64(v), level))
	}
	return data.Example{ID: p.ID(i), X: x, Label: -1}, nil
}

// Schedule is how noise is annealed in a training of so many examples.
func (p *Patches) Schedule(examples int) Anneal {
	f := p.Bank.Noise.Family
	if o, ok := p.Objective.(*Noise2Score); ok {
		deviation := f.Deviation(p.Bank.Mean*f.Scale(p.Bank.Typical), p.Bank.Typical)
		return o.Schedule(f.Anneal(), deviation, examples*o.Rows())
	}
	return Anneal{}
}

// Fill makes the patches of the given numbers, in an epoch from 0, the rows of b, of which there are Objective.Rows for each: b.X is what
// the network is shown, [R,C,S,S], and b.Y weight and target, [R,2,C,S,S].
func (p *Patches) Fill(b *data.Batch, index []int, epoch, seen int, anneal Anneal) {
	rows, c, s := p.Objective.Rows(), p.Bank.Channels, p.Side
	n := len(index) * rows
	if b.X == nil || b.X.Dim(0) != n {
		*b = data.Batch{IDs: make([]string, n), Index: make([]int, n), Labels: make([]int64, n),
			X: tensor.New(tensor.Float32, n, c, s, s), Y: tensor.New(tensor.Float32, n, 2, c, s, s)}
	}
	size := c * s * s
	for k, i := range index {
		q := p.cut(i, epoch)
		q.Seen, q.Anneal, q.Params = seen+k*rows, anneal, p.Params
		for r := range rows {
			at := k*rows + r
			b.IDs[at], b.Index[at], b.Labels[at] = p.ID(i), i, -1
			q.Input = append(q.Input, b.X.F32()[at*size:][:size])
			y := b.Y.F32()[2*at*size:]
			q.Weight, q.Target = append(q.Weight, y[:size]), append(q.Target, y[size:][:size])
		}
		p.Objective.Fill(q)
	}
}

// cut takes patch i of an epoch out of its picture.
func (p *Patches) cut(i, epoch int) *Patch {
	from := &p.Bank.Pictures[i/p.Each]
	q := &Patch{Random: NewRandom(p.Seed, 2, uint64(epoch), uint64(i)), C: from.C, H: p.Side, W: p.Side, Level: p.Bank.LevelOf(from)}
	top, left := q.Int(from.H-p.Side+1), q.Int(from.W-p.Side+1)
	turn := 0
	if !p.Upright {
		turn = q.Int(8)
	}
	take := func(x []float32) []float32 {
		if x == nil {
			return nil
		}
		return turned(x, from.C, from.H, from.W, top, left, p.Side, turn)
	}
	if !p.Redraw {
		q.Noisy, q.Clean, q.Second = take(from.Noisy), take(from.Clean), take(from.Second)
		if q.Second == nil { // of pictures to measure on the clean ones are known
			q.Second = q.Clean
		}
		return q
	}
	q.Clean = take(from.Clean)
	q.Level = p.Bank.Noise.draw(q.Random)
	q.Noisy = noisy(q.Random, q.Clean, p.Bank.Noise.Family, q.Level)
	if p.Objective.Wants() == WantSecond {
		q.Second = noisy(q.Random, q.Clean, p.Bank.Noise.Family, q.Level)
	}
	return q
}

// turned is the square of x [C,H,W] at top and left, in one of the eight ways in which a square lies.
func turned(x []float32, c, h, w, top, left, side, turn int) []float32 {
	out := make([]float32, 0, c*side*side)
	for ch := range c {
		for i := range side {
			for j := range side {
				a, b := i, j
				if turn&1 != 0 {
					a = side - 1 - a
				}
				if turn&2 != 0 {
					b = side - 1 - b
				}
				if turn&4 != 0 {
					a, b = b, a
				}
				out = append(out, x[(ch*h+top+a)*w+left+b])
			}
		}
	}
	return out
}
