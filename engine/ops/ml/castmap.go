package ml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// CastMap makes a row [1,K] of the values of a map from integers, in the order of the keys, in the type that cast_to names. DENSE takes
// the values one after the other; SPARSE puts each at its key, in a row of max_map elements whose others are 0 or empty.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_CastMap.html
var CastMap = new(graph.Spec)

type castMapAttrs struct {
	CastTo string `onnx:"cast_to,default=TO_FLOAT"`
	Form   string `onnx:"map_form,default=DENSE"`
	Max    int    `onnx:"max_map,default=1"`
}

var castTo = map[string]tensor.DType{"TO_FLOAT": tensor.Float32, "TO_STRING": tensor.String, "TO_INT64": tensor.Int64}

func init() {
	define(CastMap, graph.Def[castMapAttrs]{
		Name: "CastMap", Since: []int{1},
		In: []graph.Formal{{Name: "X", NoGrad: true, Kinds: []tensor.Kind{tensor.Map}}}, Out: []graph.Formal{{Name: "Y"}},
		Types: func(a *castMapAttrs, in, out []tensor.DType) error {
			d, ok := castTo[a.CastTo]
			switch {
			case !ok:
				return fmt.Errorf("attribute cast_to is %q, want TO_FLOAT, TO_STRING or TO_INT64", a.CastTo)
			case in[0].Key() != tensor.Int64 || in[0].Inner() != tensor.Float32 && in[0].Inner() != tensor.String:
				return fmt.Errorf("input X is a %v, want a map from int64 to float32 or strings", in[0])
			case a.Form != "DENSE" && a.Form != "SPARSE":
				return fmt.Errorf("attribute map_form is %q, want DENSE or SPARSE", a.Form)
			case a.Form == "SPARSE" && a.Max < 1:
				return fmt.Errorf("attribute max_map is %d", a.Max)
			}
			out[0] = d
			return nil
		},
		Infer: func(*castMapAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Run:   runCastMap,
	})
}

func runCastMap(a *castMapAttrs, c *graph.RunCtx) error {
	keys, values := c.In[0].Items()[0].I64(), c.In[0].Items()[1]
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case keys[i] < keys[j]:
			return -1
		case keys[i] > keys[j]:
			return 1
		}
		return 0
	})
	n := len(keys)
	if a.Form == "SPARSE" {
		n = a.Max
	}
	y, err := c.Alloc(0, castTo[a.CastTo], 1, n)
	if err != nil {
		return err
	}
	for at, i := range order {
		if a.Form == "SPARSE" {
			if keys[i] < 0 || keys[i] >= int64(n) {
				return fmt.Errorf("the map has key %d, max_map is %d", keys[i], a.Max)
			}
			at = int(keys[i])
		}
		if err := castEntry(y, at, values, i); err != nil {
			return err
		}
	}
	return nil
}

// castEntry makes element at of y element i of x, in y's type.
func castEntry(y *tensor.Tensor, at int, x *tensor.Tensor, i int) error {
	s, number := "", 0.0
	if x.DType() == tensor.String {
		s = x.Strings()[i]
		if y.DType() != tensor.String {
			var err error
			if number, err = strconv.ParseFloat(strings.TrimSpace(s), 64); err != nil {
				return fmt.Errorf("the map has %q, which is no number", s)
			}
		}
	} else {
		number = float64(x.F32()[i])
		s = strconv.FormatFloat(number, 'g', -1, 32)
	}
	switch y.DType() {
	case tensor.String:
		y.Strings()[at] = s
	case tensor.Int64:
		y.I64()[at] = int64(number)
	default:
		y.F32()[at] = float32(number)
	}
	return nil
}
