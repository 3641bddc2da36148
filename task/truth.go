package task

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// truth is what the labels of a data set look like.
type truth struct {
	labels  bool         // a class number for each example
	highest int          // of them
	counts  []int        // examples by class number
	y       tensor.Shape // of the targets of one example, nil for none
	ints    bool         // they are integers
	zeroOne bool         // they are all 0 or 1 (or Ignored)
	logits  bool         // they are a teacher's logits, as the loss says
	whole   bool         // they are whole numbers of at least 0 (or Ignored)
	high    int          // highest of whole numbers
	sumOne  bool         // they are of 0 to 1 and sum to one in each example
	oneHot  bool         // exactly one of each example is 1, the others 0
	bytes   bool         // they are of type uint8
	ends    bool         // they are all 0 or 255, and 255 occurs
	void    bool         // 255 occurs among other numbers
	low     float64      // smallest, but for Ignored
	top     float64      // largest
	some    bool         // some label or target is not Ignored
	masks   bool         // examples have masks
	masked  bool         // masks are the labels: there are no others
	next    bool         // each label is the token behind its position
	classes []string
}

// sampled is how many examples are read to see what targets look like, where each is a picture to be decoded; numbers that lie in memory
// are all read, up to a bound. What a batch holds is checked again when it is used.
const (
	sampled  = 256
	inMemory = 1 << 16
)

// readTruth looks at the labels of ds.
func readTruth(ds data.Dataset) (tr truth, err error) {
	tr = truth{
		highest: -1, zeroOne: true, whole: true, sumOne: true, oneHot: true, ends: true, high: -1, classes: ds.Classes(),
		masked: data.Masked(ds),
		low:    math.Inf(1), top: math.Inf(-1),
	}
	for i := range ds.Len() {
		if y := ds.Label(i); y >= 0 {
			for len(tr.counts) <= y {
				tr.counts = append(tr.counts, 0)
			}
			tr.counts[y]++
			tr.labels, tr.some, tr.highest = true, true, max(tr.highest, y)
		}
	}
	n := min(ds.Len(), sampled)
	var first data.Example
	if ds.Len() > 0 {
		var err error
		if first, err = ds.Example(0); err != nil {
			return tr, err
		}
		if first.Picture {
			first.X = nil // it may be large, and is not looked at
		} else {
			n = min(ds.Len(), inMemory)
		}
	}
	below := -1 // the highest of whole numbers but Void
	for i := range n {
		if i == 2 && tr.y == nil {
			break // pictures without targets are not read for nothing
		}
		at := i
		if ds.Len() > n {
			at = i * (ds.Len() - 1) / (n - 1) // all over the set: sorted data begin with one class
		}
		e := first
		if at > 0 {
			var err error
			if e, err = ds.Example(at); err != nil {
				return tr, err
			}
		}
		tr.masks = tr.masks || e.Mask != nil
		if e.Y == nil {
			continue
		}
		tr.y = e.Y.Shape()
		if tr.y == nil {
			tr.y = tensor.Shape{}
		}
		tr.ints, tr.bytes = e.Y.DType().IsInt() || e.Y.DType() == tensor.Bool, e.Y.DType() == tensor.Uint8
		tr.next = tr.ints && (tr.next || i == 0) && follows(e)
		sum := 0.0
		for _, v := range e.Y.Float64s() {
			ignored := v == Ignored
			if !ignored {
				tr.some, tr.low, tr.top = true, min(tr.low, v), max(tr.top, v)
			}
			tr.void = tr.void || v == data.Void
			tr.ends = tr.ends && (v == 0 || v == data.Void)
			tr.oneHot = tr.oneHot && (v == 0 || v == 1)
			tr.zeroOne = tr.zeroOne && (v == 0 || v == 1 || ignored)
			tr.whole = tr.whole && (v >= 0 && v == math.Trunc(v) && v < 1<<31 || ignored)
			tr.sumOne = tr.sumOne && v >= 0 && v <= 1
			sum += v
			if tr.whole {
				tr.high = max(tr.high, int(v))
				if v != data.Void {
					below = max(below, int(v))
				}
			}
		}
		tr.sumOne = tr.sumOne && math.Abs(sum-1) < 1e-3
		tr.oneHot = tr.oneHot && sum == 1
	}
	// A mask that was stored as a picture has 0 and 255 for two classes; among other classes 255 is none.
	tr.ends = tr.ends && tr.bytes && tr.void && tr.y.Len() > 1
	tr.void = tr.void && tr.bytes && !tr.ends && tr.y.Len() > 1
	switch {
	case tr.ends:
		tr.zeroOne, tr.high = true, 1
	case tr.void:
		tr.high = below
	}
	return tr, nil
}

// none reports whether there is no truth at all.
func (tr truth) none() bool { return !tr.labels && tr.y == nil && !tr.masks }

// String says what the labels are.
func (tr truth) String() string {
	switch {
	case tr.labels && tr.masks:
		return fmt.Sprintf("a class number for each example (0 to %d) and masks", tr.highest)
	case tr.labels:
		return fmt.Sprintf("a class number for each example (0 to %d)", tr.highest)
	case tr.masks:
		return "masks with a class for each pixel"
	case tr.y == nil:
		return "neither labels nor targets"
	case tr.ints && tr.zeroOne:
		return fmt.Sprintf("whole numbers 0 and 1 of shape %v for each example", tr.y)
	case tr.ints:
		return fmt.Sprintf("whole numbers of shape %v for each example", tr.y)
	}
	return fmt.Sprintf("real numbers of shape %v for each example", tr.y)
}

// squeezed is s without axes of one.
func squeezed(s tensor.Shape) tensor.Shape {
	out := tensor.Shape{}
	for _, d := range s {
		if d != 1 {
			out = append(out, d)
		}
	}
	return out
}
