package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// MelWeightMatrix [dft_length/2+1, num_mel_bins] weighs the frequencies of a spectrum into bands that are equally wide on the mel scale,
// mel(f) = 2595·log10(1 + f/700): triangles of height 1 that overlap by half, from lower_edge_hertz to upper_edge_hertz.
//
// Source: https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html. As in ONNX's reference the bands are (upper - lower)/(bins + 2) mel
// apart and their edges are rounded down to frequencies of the spectrum.
var MelWeightMatrix = new(graph.Spec)

type melWeightMatrixAttrs struct {
	Output tensor.DType `onnx:"output_datatype,default=1"`
}

func init() {
	in := []graph.Formal{{Name: "num_mel_bins", NoGrad: true, Types: indexes}, {Name: "dft_length", NoGrad: true, Types: indexes},
		{Name: "sample_rate", NoGrad: true, Types: indexes}, {Name: "lower_edge_hertz", NoGrad: true, Types: floats},
		{Name: "upper_edge_hertz", NoGrad: true, Types: floats}}
	define(MelWeightMatrix, graph.Def[melWeightMatrixAttrs]{
		Name: "MelWeightMatrix", Since: []int{17}, Doc: "https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html",
		In: in, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *melWeightMatrixAttrs, _, out []tensor.DType) error { return writtenType(a.Output, out) },
		Infer: func(_ *melWeightMatrixAttrs, c *graph.InferCtx) error {
			var size [2]int
			for i := range size {
				t, err := c.Value(i)
				if err != nil {
					return err
				}
				if size[i], err = count(in[i].Name, t); err != nil {
					return err
				}
			}
			c.Out(0, size[1]/2+1, size[0])
			return nil
		},
		Run: func(_ *melWeightMatrixAttrs, c *graph.RunCtx) error {
			var arg [5]float64
			for i, t := range c.In {
				if t.Len() != 1 {
					return fmt.Errorf("%s has %d elements, want one", in[i].Name, t.Len())
				}
				arg[i] = t.Float64s()[0]
			}
			length, rate, lower, upper := arg[1], arg[2], arg[3], arg[4]
			if !(rate > 0) {
				return fmt.Errorf("sample_rate is %v, want more than 0", rate)
			}
			if !(lower >= 0 && upper >= lower && upper < math.Inf(1)) {
				return fmt.Errorf("the edges are %v and %v, want 0 <= lower_edge_hertz <= upper_edge_hertz", lower, upper)
			}
			rows, bins := c.Out[0].Dim(0), c.Out[0].Dim(1)
			low, high := mel(lower), mel(upper)
			edge := func(k int) int {
				hertz := 700 * (math.Pow(10, (low+float64(k)*(high-low)/float64(bins+2))/2595) - 1)
				return int(min(math.Floor((length+1)*hertz/rate), math.MaxInt32))
			}
			return writeFloats(c, func(y []float64) {
				for k := range bins {
					lo, mid, hi := edge(k), edge(k+1), edge(k+2)
					if lo == mid && mid < rows {
						y[mid*bins+k] = 1
					}
					for j := lo; lo < mid && j <= min(mid, rows-1); j++ {
						y[j*bins+k] = float64(j-lo) / float64(mid-lo)
					}
					for j := mid; mid < hi && j < min(hi, rows); j++ {
						y[j*bins+k] = float64(hi-j) / float64(hi-mid)
					}
				}
			})
		},
	})
	followRules["MelWeightMatrix"] = (*follower).refuse
}

func mel(hertz float64) float64 { return 2595 * math.Log10(1+hertz/700) }
