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
	whole   bool         // they are whole numbers of at least 0 (or Ignored)
	high    int          // highest of whole numbers
	sumOne  bool         // they are of 0 to 1 and sum to one in each example
	masks   bool         // examples have masks
	classes []string
}

// sampled is how many examples are read to see what targets look like, when reading them costs no pictures.
const sampled = 256

// readTruth looks at the labels of ds.
func readTruth(ds data.Dataset) (tr truth, err error) {
	tr = truth{highest: -1, zeroOne: true, whole: true, sumOne: true, high: -1, classes: ds.Classes()}
	for i := range ds.Len() {
		if y := ds.Label(i); y >= 0 {
			for len(tr.counts) <= y {
				tr.counts = append(tr.counts, 0)
			}
			tr.counts[y]++
			tr.labels, tr.highest = true, max(tr.highest, y)
		}
	}
	n := min(ds.Len(), sampled)
	for i := range n {
		if i == 2 && tr.y == nil {
			break // pictures without targets are not read for nothing
		}
		at := i
		if ds.Len() > n {
			at = i * (ds.Len() - 1) / (n - 1) // all over the set: sorted data begin with one class
		}
		e, err := ds.Example(at)
		if err != nil {
			return tr, err
		}
		tr.masks = tr.masks || e.Mask != nil
		if e.Y == nil {
			continue
		}
		tr.y = e.Y.Shape()
		if tr.y == nil {
			tr.y = tensor.Shape{}
		}
		tr.ints = e.Y.DType().IsInt() || e.Y.DType() == tensor.Bool
		sum := 0.0
		for _, v := range e.Y.Float64s() {
			ignored := v == Ignored
			tr.zeroOne = tr.zeroOne && (v == 0 || v == 1 || ignored)
			tr.whole = tr.whole && (v >= 0 && v == math.Trunc(v) && v < 1<<31 || ignored)
			tr.sumOne = tr.sumOne && v >= 0 && v <= 1
			sum += v
			if tr.whole {
				tr.high = max(tr.high, int(v))
			}
		}
		tr.sumOne = tr.sumOne && math.Abs(sum-1) < 1e-3
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
