package ops

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// The corners of Slice, counted by hand from the rules of opset 13.
func TestRanges(t *testing.T) {
	const big = math.MaxInt
	for _, c := range []struct {
		d, start, end, step int
		first, count        int // -1: no element
	}{
		{10, 0, big, 1, 0, 10}, {10, -3, big, 1, 7, 3}, {10, 2, 5, 2, 2, 2}, {10, 5, 2, 1, -1, 0}, {10, -100, -8, 1, 0, 2},
		{10, big, -big, -1, 9, 10}, {10, 9, -11, -1, 9, 10}, {10, 9, -1, -1, -1, 0}, {10, 3, 0, -1, 3, 3},
		{10, -1, math.MinInt, -4, 9, 3},
		{10, 0, big, big, 0, 1}, {10, 9, math.MinInt, math.MinInt, 9, 1}, {0, 0, big, 1, -1, 0}, {0, -1, math.MinInt, -1, -1, 0},
		{1, 0, 1, -1, -1, 0},
	} {
		r, err := newRanges(tensor.Shape{c.d}, []int{c.start}, []int{c.end}, []int{-1}, []int{c.step})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if r.count[0] != c.count || (c.first >= 0 && r.start != c.first) {
			t.Errorf("%+v: %d elements from %d", c, r.count[0], r.start)
		}
	}
	for what, f := range map[string]func() (*ranges, error){
		"axis twice": func() (*ranges, error) {
			return newRanges(tensor.Shape{2, 2}, []int{0, 0}, []int{1, 1}, []int{1, -1}, nil)
		},
		"axis outside": func() (*ranges, error) { return newRanges(tensor.Shape{2, 2}, []int{0}, []int{1}, []int{2}, nil) },
		"step 0":       func() (*ranges, error) { return newRanges(tensor.Shape{2}, []int{0}, []int{1}, nil, []int{0}) },
		"lengths":      func() (*ranges, error) { return newRanges(tensor.Shape{2}, []int{0}, []int{1, 2}, nil, nil) },
		"too many":     func() (*ranges, error) { return newRanges(tensor.Shape{2}, []int{0, 0}, []int{1, 1}, nil, nil) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
