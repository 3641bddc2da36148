package explain

import (
	"context"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// Reductions are the ways to make one number of the C channels of a pixel: abs-max is max_c |g_c|, sum is signed, abs-sum is
// sum_c |g_c|, l2 is sqrt(sum_c g_c²), none keeps the channels (the picture then shows their sum).
var Reductions = []string{"abs-max", "sum", "abs-sum", "l2", "none"}

// byKind is the choice of a reduction by what the input is: the numbers of an embedding mean nothing one by one, those of a table or of the
// channels of a series do, and so does their sign.
const byKind = "auto"

var reduceParam = Param{Name: "reduce", Default: byKind, Choices: append([]string{byKind}, Reductions...),
	Doc: "how the channels of a pixel become one number; auto is abs-max for pictures, l2 over the embedding of tokens, none for tables and " +
		"series"}

func init() {
	register(Method{
		Name: "gradient", Title: "Gradient", Doc: "gradient of the class score by the input (vanilla saliency)",
		Source: "https://arxiv.org/abs/1312.6034",
		Place:  AtInput,
		Params: []Param{reduceParam},
		New: func(o Options) (Func, error) {
			return func(ctx context.Context, p *Probe) ([]Output, error) {
				pass, err := p.Clean(ctx)
				if err != nil {
					return nil, err
				}
				how := o["reduce"]
				switch {
				case how == byKind && p.Kind() == KindTokens:
					how = "l2"
				case how == byKind && p.Kind() != KindPicture:
					how = "none"
				case how == byKind:
					how = "abs-max"
				}
				return []Output{reduced(pass.InputGrad, how)}, nil
			}, nil
		},
	})
}

// reduced is the Output of an attribution a [N,C,H,W] after Reduce.
func reduced(a *tensor.Tensor, how string) Output {
	return Output{Map: Reduce(a, how), Signed: how == "sum" || how == "none"}
}

// Reduce makes of a [N,C,H,W] a map [N,1,H,W] by one of Reductions; "none" gives a copy.
func Reduce(a *tensor.Tensor, how string) *tensor.Tensor {
	if how == "none" {
		return a.Clone()
	}
	n, h, w := a.Dim(0), a.Dim(2), a.Dim(3)
	out := tensor.New(tensor.Float32, n, 1, h, w)
	for i := range n {
		copy(volumeAt(out, i).X, reducePlane(volumeAt(a, i), how))
	}
	return out
}

func reducePlane(v Volume, how string) []float32 {
	acc := make([]float64, v.Plane())
	for c := range v.C {
		for u, g := range v.Channel(c) {
			x := float64(g)
			switch how {
			case "abs-max":
				acc[u] = max(acc[u], math.Abs(x))
			case "abs-sum":
				acc[u] += math.Abs(x)
			case "l2":
				acc[u] += x * x
			default:
				acc[u] += x
			}
		}
	}
	if how == "l2" {
		for u, x := range acc {
			acc[u] = math.Sqrt(x)
		}
	}
	return float32s(acc)
}
