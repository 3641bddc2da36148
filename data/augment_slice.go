package data

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	registerAugmentation("slice", func() Augmentation { return &slice{Share: 0.9, Axis: "first", P: 1} },
		"a random stretch of a series, brought back to its length",
		"https://arxiv.org/abs/2007.15951 section 2 (window slicing: Le Guennec et al. 2016)")
}

type slice struct {
	Share float64 `opt:"share" doc:"length of the stretch, as a share of the series"`
	Axis  string  `opt:"axis" doc:"which axis of an example is time: first or last"`
	P     float64 `opt:"p" doc:"probability"`
}

func (a *slice) short(v string) error { return shortP(&a.Share, v) }

func (a *slice) check() error {
	switch {
	case !(a.Share > 0 && a.Share <= 1):
		return fmt.Errorf("share=%v: want a share above 0 up to 1", a.Share)
	case a.Axis != "first" && a.Axis != "last":
		return fmt.Errorf("axis=%q: want first or last", a.Axis)
	}
	return chance(a.P)
}

func (a *slice) fits(e Example) error {
	switch {
	case e.Picture:
		return fmt.Errorf("the examples are pictures: resized is what does so for them")
	case e.X == nil || e.Fields != nil || e.X.Rank() == 0 || e.X.Rank() > 2 || !e.X.DType().IsFloat():
		return fmt.Errorf("the examples are no series: want real numbers [T] or [T,C], or [C,T] with axis=last")
	case e.Y != nil && e.Y.Rank() > 0 && e.Y.Len() > 1:
		return fmt.Errorf("the targets are several numbers, such as the steps that follow: they would have to be stretched alike")
	}
	return nil
}

func (a *slice) touch(r random, x *tensor.Tensor, _ lie) error {
	if r.float() >= a.P {
		return nil
	}
	n, k, step, next := x.Dim(0), x.Len()/max(1, x.Dim(0)), 0, 1
	if step = k; a.Axis == "last" && x.Rank() == 2 {
		n, k, step, next = x.Dim(1), x.Dim(0), 1, x.Dim(1)
	}
	length := max(2, int(math.Ceil(a.Share*float64(n))))
	if n < 3 || length >= n {
		return nil
	}
	start := r.intn(n - length + 1)
	switch x.DType() {
	case tensor.Float32:
		stretch(x.F32(), n, k, step, next, start, length)
	case tensor.Float64:
		stretch(tensor.Data[float64](x), n, k, step, next, start, length)
	default:
		return fmt.Errorf("%v: want numbers of 32 or 64 bits", x)
	}
	return nil
}

// stretch brings the length values from start on of each of k series of n values to n, linearly; step is between values, next between
// series.
func stretch[T float32 | float64](d []T, n, k, step, next, start, length int) {
	old := make([]T, n)
	for c := range k {
		for i := range old {
			old[i] = d[c*next+i*step]
		}
		for i := range n {
			at := float64(start) + float64(i)*float64(length-1)/float64(n-1)
			j := min(int(at), start+length-2)
			f := at - float64(j)
			d[c*next+i*step] = T(float64(old[j])*(1-f) + float64(old[j+1])*f)
		}
	}
}
