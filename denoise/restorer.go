package denoise

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Restorer restores whole pictures by a model that Compose made, or one that gives clean pictures by itself.
type Restorer struct {
	Params *Parameters // nil for a model that Compose did not make: its output is the clean picture
	Tiles  Tiles

	channels      int
	input, output string
	takes         bool            // the level of the noise
	clean         *engine.Session // gives the picture
	raw           *engine.Session // gives the output of the network, nil until it is asked for
	m             *engine.Model
}

// NewRestorer prepares m.
func NewRestorer(m *engine.Model, p *Parameters, t Tiles) (*Restorer, error) {
	in, channels, err := PictureIn(m)
	if err != nil {
		return nil, err
	}
	takes := len(m.Inputs()) > 1
	if takes && p == nil {
		return nil, fmt.Errorf("denoise: the model has an input %q, and its metadata do not say what it is for", LevelInput)
	}
	outs := m.Outputs()
	if len(outs) != 1 {
		return nil, fmt.Errorf("denoise: the model has %d outputs, want one, the clean picture", len(outs))
	}
	r := &Restorer{Params: p, Tiles: t, channels: channels, input: in.Name, output: outs[0].Name, takes: takes, m: m}
	r.clean, err = m.Session(engine.Query{})
	return r, err
}

// PictureIn is the input of m that is a picture, float32 [N,C,H,W], and its C. LevelInput may be there too.
func PictureIn(m *engine.Model) (in engine.IO, channels int, err error) {
	ins := slices.DeleteFunc(slices.Clone(m.Inputs()), func(i engine.IO) bool { return i.Name == LevelInput })
	if len(ins) != 1 {
		return in, 0, fmt.Errorf("denoise: the model has %d inputs, want one, a picture", len(ins))
	}
	switch in = ins[0]; {
	case in.DType != tensor.Float32 || len(in.Dims) != 4:
		return in, 0, fmt.Errorf("denoise: input %s is no picture: want float32 [N,C,H,W]", in)
	case in.Dims[1].Size != 1 && in.Dims[1].Size != 3:
		return in, 0, fmt.Errorf("denoise: input %s: want pictures of one channel or three, and the model says neither", in)
	}
	return in, in.Dims[1].Size, nil
}

// Channels is 1 or 3.
func (r *Restorer) Channels() int { return r.channels }

// Picture is the clean picture of y [C,H,W] with noise of a level. A model of one channel restores each channel by itself. Where the
// level is no input, what the graph does around the network for another level is done here.
func (r *Restorer) Picture(ctx context.Context, y []float32, c, h, w int, level float64) ([]float32, error) {
	if r.takes || r.Params == nil || !r.Params.Scores() || level == r.Params.Level {
		return r.planes(y, c, h, w, func(y []float32, h, w int) ([]float32, error) { return r.run(ctx, r.clean, r.output, y, h, w, level) })
	}
	f, err := r.Network(ctx, y, c, h, w, level)
	if err != nil {
		return nil, err
	}
	for i, v := range f {
		f[i] = float32(r.Params.Restored(float64(y[i]), float64(v), level))
	}
	return f, nil
}

// Network is the output of the network for y, likewise.
func (r *Restorer) Network(ctx context.Context, y []float32, c, h, w int, level float64) ([]float32, error) {
	if r.Params == nil {
		return nil, fmt.Errorf("denoise: the model does not say what its inner values mean")
	}
	if r.raw == nil {
		var err error
		if r.raw, err = r.m.Session(engine.Query{Fetch: []string{r.Params.Network}}); err != nil {
			return nil, err
		}
	}
	if by := r.Params.Shown(1, level) / r.Params.Shown(1, r.Params.Level); by != 1 && !r.takes {
		y = slices.Clone(y)
		for i := range y {
			y[i] *= float32(by)
		}
	}
	return r.planes(y, c, h, w, func(y []float32, h, w int) ([]float32, error) {
		return r.run(ctx, r.raw, r.Params.Network, y, h, w, level)
	})
}

// planes runs f on as many channels at a time as the model takes, tile by tile.
func (r *Restorer) planes(y []float32, c, h, w int, f func([]float32, int, int) ([]float32, error)) ([]float32, error) {
	if c == r.channels {
		return r.Tiles.Run(y, c, h, w, f)
	}
	if r.channels != 1 {
		return nil, fmt.Errorf("denoise: a picture of %d channels, and the model takes %d", c, r.channels)
	}
	out := make([]float32, 0, len(y))
	for k := range c {
		x, err := r.Tiles.Run(y[k*h*w:][:h*w], 1, h, w, f)
		if err != nil {
			return nil, err
		}
		out = append(out, x...)
	}
	return out, nil
}

func (r *Restorer) run(ctx context.Context, s *engine.Session, value string, y []float32, h, w int, level float64) ([]float32, error) {
	feeds := map[string]*tensor.Tensor{r.input: tensor.From(y, 1, r.channels, h, w)}
	if r.takes {
		feeds[LevelInput] = tensor.Scalar(float32(level))
	}
	res, err := s.Run(ctx, feeds)
	if err != nil {
		return nil, err
	}
	v := res.Value(value)
	if v.DType() != tensor.Float32 || v.Len() != len(y) {
		return nil, fmt.Errorf("denoise: the model makes %v of a picture of [%d,%d,%d], want as much", v, r.channels, h, w)
	}
	return slices.Clone(v.F32()), nil
}

// estimateSide bounds the part of a picture, its middle, in which its level is looked for.
const estimateSide = 256

var errNoLevel = errors.New("denoise: only the level of a network that gives scores can be told from its pictures")

// LeastPenalty is the level of the grid with the least penalty, as in the paper; it goes astray where a network knows little, and where
// Picture.Estimate does not.
func (r *Restorer) LeastPenalty(ctx context.Context, y []float32, c, h, w int, grid []float64) (float64, error) {
	if r.Params == nil || !r.Params.Scores() {
		return 0, errNoLevel
	}
	y, h, w = middle(y, c, h, w, estimateSide)
	f := r.Params.Family()
	noisy := planesOf(y, c, h, w)
	var shared []float32
	level, _, err := BestLevel(f, grid, noisy, func(level float64) ([]Plane, error) {
		out := shared
		if out == nil {
			var err error
			if out, err = r.Network(ctx, y, c, h, w, level); err != nil {
				return nil, err
			}
			if f.Scale(1) == 1 { // what the network sees does not depend on the level
				shared = out
			}
		}
		x := planesOf(out, c, h, w)
		for k := range x {
			for i, v := range x[k].X {
				x[k].X[i] = r.Params.Restored(noisy[k].X[i], v, level)
			}
		}
		return x, nil
	})
	return level, err
}

// planesOf are the channels of y.
func planesOf(y []float32, c, h, w int) []Plane {
	out := make([]Plane, c)
	for k := range out {
		out[k] = PlaneOf(y[k*h*w:], h, w)
	}
	return out
}

// middle is the middle of y, with sides of at most side.
func middle(y []float32, c, h, w, side int) (out []float32, oh, ow int) {
	oh, ow = min(h, side), min(w, side)
	top, left := (h-oh)/2, (w-ow)/2
	for k := range c {
		for i := range oh {
			out = append(out, y[(k*h+top+i)*w+left:][:ow]...)
		}
	}
	return out, oh, ow
}
