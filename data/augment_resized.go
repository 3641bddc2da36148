package data

import (
	"errors"
	"fmt"
	"math"
)

func init() {
	registerAugmentation("resized", func() Augmentation { return &resized{0.08, 1, 3. / 4, 4. / 3} },
		"a random part of the picture in place of resize and centre crop",
		"https://pytorch.org/vision/stable/generated/torchvision.transforms.RandomResizedCrop.html")
}

// resized takes a random part of the picture, scaled to the size of the model.
//
// Source: Szegedy et al. 2015, "Going deeper with convolutions", section 6; torchvision RandomResizedCrop.
type resized struct {
	Low  float64 `opt:"low" doc:"least share of the area"`
	High float64 `opt:"high" doc:"largest share of the area"`
	Slim float64 `opt:"slim" doc:"least ratio of width and height"`
	Wide float64 `opt:"wide" doc:"largest ratio of width and height"`
}

func (a *resized) short(v string) error {
	a.High = 1
	return shortRange(&a.Low, &a.High, v)
}

func (a *resized) check() error {
	switch {
	case !(a.Low > 0 && a.Low <= a.High && a.High <= 1):
		return fmt.Errorf("resized=%v:%v: need 0 < low <= high <= 1", a.Low, a.High)
	case !(a.Slim > 0 && a.Slim <= a.Wide):
		return errors.New("need 0 < slim <= wide")
	}
	return nil
}

// part is a random box of a picture of h×w; the largest that fits in its middle where ten tries find none.
func (a *resized) part(r random, h, w int) *box {
	for range 10 {
		area := float64(h*w) * r.between(a.Low, a.High)
		aspect := math.Exp(r.between(math.Log(a.Slim), math.Log(a.Wide)))
		bw, bh := int(math.RoundToEven(math.Sqrt(area*aspect))), int(math.RoundToEven(math.Sqrt(area/aspect)))
		if bw > 0 && bh > 0 && bw <= w && bh <= h {
			y, x := r.intn(h-bh+1), r.intn(w-bw+1)
			return &box{float64(y), float64(x), float64(y + bh), float64(x + bw)}
		}
	}
	bh, bw := h, w
	switch ratio := float64(w) / float64(h); {
	case ratio < a.Slim:
		bh = max(1, int(math.RoundToEven(float64(w)/a.Slim)))
	case ratio > a.Wide:
		bw = max(1, int(math.RoundToEven(float64(h)*a.Wide)))
	}
	y, x := (h-bh)/2, (w-bw)/2
	return &box{float64(y), float64(x), float64(y + bh), float64(x + bw)}
}
