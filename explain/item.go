package explain

import (
	"fmt"
	"image"
	"math"
	"slices"
)

// Item is an input with its explanation. Of Text, Row and Series at most one is set, for inputs that are no pictures; their maps have one
// value for each token, column or moment.
type Item struct {
	Name   string      // as shown: a file name, for example
	Base   image.Image // the picture after resizing and cropping, before normalisation; of the size of the model's input
	Result Image

	Original image.Image     // the picture that Base was cut from, upright; nil when there is none
	Box      image.Rectangle // the part of Original that became Base, in its pixels; it may reach beyond it where Base is padded
	Size     image.Point     // of the picture before it was reduced to Original; zero when it was not

	Text   *Text
	Row    *Row
	Series *Series
}

// Text is an input of tokens.
type Text struct {
	Tokens []string // as they are shown; "" for one that stands for no text
}

// Row is one row of a table.
type Row struct {
	Names  []string // of the columns
	Values []string // as they are shown
}

// Series is an input of channels over time.
type Series struct {
	Names  []string    // of the channels; nil for none
	Values [][]float32 // [C][L]
}

// picture reports whether it is shown as a picture.
func (it Item) picture() bool { return it.Text == nil && it.Row == nil && it.Series == nil }

// whole reports whether there is more to see in the original than in the input.
func (it Item) whole() bool {
	if it.Original == nil || it.Base == nil {
		return false
	}
	return it.Box != it.Original.Bounds() || it.Original.Bounds().Size() != it.Base.Bounds().Size()
}

// Reduced is it with an Original that is as large as a page shows it, for those who keep many.
func (it Item) Reduced() Item {
	if !it.whole() {
		it.Original = nil
		return it
	}
	if small, box, err := shownOriginal(it.Original, it.Box, maxPageOriginal); err == nil && small.Bounds().Dx() < it.Original.Bounds().Dx() {
		it.Size, it.Original, it.Box = it.Original.Bounds().Size(), small, box
	}
	return it
}

// flat are the n values of m, one for each part of the input.
func (it Item) flat(m Map, n int) ([]float32, error) {
	switch {
	case len(m.Up) == n:
		return m.Up, nil
	case m.Raw != nil && m.Raw.Len() == n:
		return m.Raw.F32(), nil
	}
	return nil, fmt.Errorf("explain: %s: the map of %s has %d values for %d parts of the input", it.Name, m.Method, len(m.Up), n)
}

// channels are the values of m for a series of C channels over L moments: its own, or the same for all channels.
func (it Item) channels(m Map) ([][]float32, error) {
	c := len(it.Series.Values)
	if c == 0 || len(it.Series.Values[0]) == 0 {
		return nil, fmt.Errorf("explain: %s: the series is empty", it.Name)
	}
	l := len(it.Series.Values[0])
	out := make([][]float32, c)
	if m.Raw != nil && m.Raw.Len() == c*l {
		for i := range out {
			out[i] = m.Raw.F32()[i*l : (i+1)*l]
		}
		return out, nil
	}
	if v, err := it.flat(m, c*l); err == nil {
		for i := range out {
			out[i] = v[i*l : (i+1)*l]
		}
		return out, nil
	}
	v, err := it.flat(m, l)
	for i := range out {
		out[i] = v
	}
	return out, err
}

// Picture is m over the input of it: an overlay, a strip of tokens, bars or lines.
func (r Render) Picture(it Item, m Map) (img image.Image, err error) {
	switch {
	case it.Text != nil:
		var v []float32
		if v, err = it.flat(m, len(it.Text.Tokens)); err == nil {
			img, err = RenderTokens(it.Text.Tokens, v, r)
		}
	case it.Row != nil:
		var v []float32
		if v, err = it.flat(m, len(it.Row.Names)); err == nil {
			img, err = RenderBars(it.Row.Names, it.Row.Values, v, r)
		}
	case it.Series != nil:
		var v [][]float32
		if v, err = it.channels(m); err == nil {
			img, err = RenderSeries(it.Series.Values, v, it.Series.Names, r)
		}
	case it.Base == nil:
		err = fmt.Errorf("explain: there is no picture beneath the map")
	default:
		img, err = r.Overlaid(it.Base, m)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (input %s)", err, it.Name)
	}
	return img, nil
}

// shares are values over the largest of their sizes, from -1 to 1; all 0 when they are. what and names say whose values they are.
func shares(what string, values ...[]float32) ([][]float64, error) {
	top := 0.0
	for _, vs := range values {
		for i, v := range vs {
			if a := math.Abs(float64(v)); a <= math.MaxFloat32 {
				top = max(top, a)
			} else {
				return nil, fmt.Errorf("explain: the relevance of %s %d is %v", what, i, v)
			}
		}
	}
	out := make([][]float64, len(values))
	for k, vs := range values {
		out[k] = make([]float64, len(vs))
		for i, v := range vs {
			if top > 0 {
				out[k][i] = float64(v) / top
			}
		}
	}
	return out, nil
}

// fewShares are so few values that a percentile of them says nothing.
const fewShares = 100

// shares are shares where those at r.Clip and above are 1 or -1, if there are many, so that one hot moment does not leave the rest
// invisible.
func (r Render) shares(what string, values ...[]float32) ([][]float64, error) {
	out, err := shares(what, values...)
	if err != nil || !(r.Clip >= 50 && r.Clip < 100) {
		return out, err
	}
	var ranked []float64
	for _, vs := range out {
		for _, v := range vs {
			if v != 0 {
				ranked = append(ranked, math.Abs(v))
			}
		}
	}
	if len(ranked) < fewShares {
		return out, nil
	}
	slices.Sort(ranked)
	top := ranked[rank(len(ranked), r.Clip)]
	for _, vs := range out {
		for i, v := range vs {
			vs[i] = min(max(v/top, -1), 1)
		}
	}
	return out, nil
}
