package data

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// Augment changes training pictures at random, keyed by (seed, epoch, index): the same for any number of workers and after a resume. The
// zero value changes nothing.
type Augment struct {
	// Resized takes a random part of the picture instead of resize and centre crop: its area is a fraction between the two
	// values, its aspect between 3/4 and 4/3. 0,0 is off.
	//
	// Source: Szegedy et al. 2015, "Going deeper with convolutions", section 6; torchvision RandomResizedCrop.
	Resized [2]float64
	// Pad surrounds the preprocessed picture with this many black pixels and crops it back at a random place.
	Pad int
	// Flip mirrors left and right half of the time.
	Flip bool
}

// ParseAugment reads a list such as "flip,crop=4,resized=0.08:1"; "" and "none" change nothing.
func ParseAugment(s string) (Augment, error) {
	var a Augment
	for item := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		var err error
		switch name {
		case "", "none":
		case "flip":
			a.Flip = true
		case "crop":
			a.Pad, err = strconv.Atoi(value)
		case "resized":
			lo, hi, two := strings.Cut(value, ":")
			if value == "" {
				lo, hi, two = "0.08", "1", true
			}
			if a.Resized[0], err = strconv.ParseFloat(lo, 64); err == nil && two {
				a.Resized[1], err = strconv.ParseFloat(hi, 64)
			} else if err == nil {
				a.Resized[1] = 1
			}
		default:
			return a, fmt.Errorf("data: augmentation: %q is unknown (%s)", name,
				didYouMean(name, []string{"none", "flip", "crop", "resized"}))
		}
		if err != nil {
			return a, fmt.Errorf("data: augmentation: %q: %w", item, err)
		}
	}
	return a, a.Validate()
}

// Augmentable reports whether the examples of ds may be augmented: they are pictures, and their labels stay true when a picture is moved
// or mirrored, as classes and numbers do, or move along, as masks do. Targets with places of their own, such as a picture to compare
// with or a class for each position, would not fit any more. It reads the first example.
func Augmentable(ds Dataset) bool {
	if ds.Len() == 0 {
		return false
	}
	e, err := ds.Example(0)
	return err == nil && e.Picture && (e.Y == nil || e.Y.Rank() < 2)
}

// Validate fails for values out of range.
func (a Augment) Validate() error {
	if a.Pad < 0 || a.Pad > maxSide {
		return fmt.Errorf("data: augmentation: crop=%d: padding must be 0 or more", a.Pad)
	}
	if lo, hi := a.Resized[0], a.Resized[1]; lo != 0 || hi != 0 {
		if !(lo > 0 && lo <= hi && hi <= 1) {
			return fmt.Errorf("data: augmentation: resized=%v:%v: need 0 < low <= high <= 1", lo, hi)
		}
	}
	return nil
}

// part is the random box of a picture of h×w, nil when Resized is off.
func (a Augment) part(r random, h, w int) *box {
	if a.Resized[1] == 0 {
		return nil
	}
	for range 10 {
		area := float64(h*w) * r.between(a.Resized[0], a.Resized[1])
		aspect := math.Exp(r.between(math.Log(3./4), math.Log(4./3)))
		bw, bh := int(math.Round(math.Sqrt(area*aspect))), int(math.Round(math.Sqrt(area/aspect)))
		if bw > 0 && bh > 0 && bw <= w && bh <= h {
			y, x := r.intn(h-bh+1), r.intn(w-bw+1)
			return &box{float64(y), float64(x), float64(y + bh), float64(x + bw)}
		}
	}
	side := min(h, w)
	y, x := (h-side)/2, (w-side)/2
	return &box{float64(y), float64(x), float64(y + side), float64(x + side)}
}

// move is where the padded crop and the flip take a picture.
type move struct {
	dy, dx int
	flip   bool
}

// draw draws a move.
func (a Augment) draw(r random) (m move) {
	if a.Pad > 0 {
		m.dy, m.dx = r.intn(2*a.Pad+1)-a.Pad, r.intn(2*a.Pad+1)-a.Pad
	}
	if a.Flip {
		m.flip = r.intn(2) == 1
	}
	return m
}

// apply is pic [C,H,W], uint8 or uint16, after m, fill where nothing of it is left.
func (m move) apply(pic *tensor.Tensor, fill uint8) *tensor.Tensor {
	if m == (move{}) {
		return pic
	}
	out := tensor.New(pic.DType(), pic.Shape()...)
	if pic.DType() == tensor.Uint16 {
		moved(m, tensor.Data[uint16](out), tensor.Data[uint16](pic), pic.Dim(1), pic.Dim(2), uint16(fill))
	} else {
		moved(m, out.Bytes(), pic.Bytes(), pic.Dim(1), pic.Dim(2), fill)
	}
	return out
}

// moved takes the planes of h×w of src to dst.
func moved[T uint8 | uint16](m move, dst, src []T, h, w int, fill T) {
	for i := range dst {
		dst[i] = fill
	}
	for k := range len(src) / (h * w) {
		for y := max(0, -m.dy); y < min(h, h-m.dy); y++ {
			to, from := dst[(k*h+y)*w:][:w], src[(k*h+y+m.dy)*w:][:w]
			for x := max(0, -m.dx); x < min(w, w-m.dx); x++ {
				if m.flip {
					to[w-1-x] = from[x+m.dx]
				} else {
					to[x] = from[x+m.dx]
				}
			}
		}
	}
}
