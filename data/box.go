package data

import (
	"image"
	"math"
)

// Box is the part of a picture of that width and height, in its pixels, that becomes the input of the model: what is left by the crop. It
// is rounded to whole pixels.
func (p Preprocess) Box(width, height int) (image.Rectangle, error) {
	g, err := p.plan(height, width, nil)
	if err != nil {
		return image.Rectangle{}, err
	}
	at := func(v, size, of int) int { return int(math.Round(float64(v) * float64(size) / float64(of))) }
	return image.Rect(
		at(g.left, width, g.rw), at(g.top, height, g.rh), at(g.left+g.width, width, g.rw), at(g.top+g.height, height, g.rh),
	), nil
}
