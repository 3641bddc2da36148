package ml

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// LabelEncoder replaces each element of X by the value beside the key that it equals, and what is no key by a default. NaN equals NaN;
// of equal keys the first counts. Y has X's shape and the values' type. Version 1 turns the strings classes_strings into their places,
// or the reverse.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
var LabelEncoder = new(graph.Spec)

type labelEncoderAttrs struct {
	KeysFloats    []float32 `onnx:"keys_floats"`
	KeysInts      []int     `onnx:"keys_int64s"`
	KeysStrings   []string  `onnx:"keys_strings"`
	ValuesFloats  []float32 `onnx:"values_floats"`
	ValuesInts    []int     `onnx:"values_int64s"`
	ValuesStrings []string  `onnx:"values_strings"`
	DefaultFloat  float32   `onnx:"default_float,default=-0"`
	DefaultInt    int       `onnx:"default_int64,default=-1"`
	DefaultString string    `onnx:"default_string,default=_Unused"`
}

// labelEncoder4Attrs has tensors for types that attributes have no lists of.
type labelEncoder4Attrs struct {
	KeysFloats    []float32      `onnx:"keys_floats"`
	KeysInts      []int          `onnx:"keys_int64s"`
	KeysStrings   []string       `onnx:"keys_strings"`
	KeysTensor    *tensor.Tensor `onnx:"keys_tensor"`
	ValuesFloats  []float32      `onnx:"values_floats"`
	ValuesInts    []int          `onnx:"values_int64s"`
	ValuesStrings []string       `onnx:"values_strings"`
	ValuesTensor  *tensor.Tensor `onnx:"values_tensor"`
	DefaultFloat  float32        `onnx:"default_float,default=-0"`
	DefaultInt    int            `onnx:"default_int64,default=-1"`
	DefaultString string         `onnx:"default_string,default=_Unused"`
	DefaultTensor *tensor.Tensor `onnx:"default_tensor"`
}

type labelEncoder1Attrs struct {
	Classes       []string `onnx:"classes_strings"`
	DefaultInt    int      `onnx:"default_int64,default=-1"`
	DefaultString string   `onnx:"default_string,default=_Unused"`
}

// encoder is a mapping: keys [K], values [K] and what becomes of the rest, one element.
type encoder struct{ keys, values, otherwise *tensor.Tensor }

var encoded = []tensor.DType{tensor.String, tensor.Int64, tensor.Float32, tensor.Int32, tensor.Int16, tensor.Float64}

func init() {
	defineEncoder(LabelEncoder, []int{4}, encoded, func(a *labelEncoder4Attrs) (*encoder, error) {
		keys, err := oneList("keys", a.KeysFloats, a.KeysInts, a.KeysStrings, a.KeysTensor)
		if err != nil {
			return nil, err
		}
		values, err := oneList("values", a.ValuesFloats, a.ValuesInts, a.ValuesStrings, a.ValuesTensor)
		if err != nil {
			return nil, err
		}
		d := a.DefaultTensor
		if d == nil {
			d = defaultOf(values.DType(), a.DefaultFloat, a.DefaultInt, a.DefaultString)
		}
		return encoderOf(keys, values, d)
	})
	defineEncoder(new(graph.Spec), []int{2}, encoded[:3], func(a *labelEncoderAttrs) (*encoder, error) {
		keys, err := oneList("keys", a.KeysFloats, a.KeysInts, a.KeysStrings, nil)
		if err != nil {
			return nil, err
		}
		values, err := oneList("values", a.ValuesFloats, a.ValuesInts, a.ValuesStrings, nil)
		if err != nil {
			return nil, err
		}
		return encoderOf(keys, values, defaultOf(values.DType(), a.DefaultFloat, a.DefaultInt, a.DefaultString))
	})
	define(new(graph.Spec), graph.Def[labelEncoder1Attrs]{
		Name: "LabelEncoder", Since: []int{1},
		In:  []graph.Formal{{Name: "X", NoGrad: true, Types: []tensor.DType{tensor.String, tensor.Int64}}},
		Out: []graph.Formal{{Name: "Y"}},
		Types: func(_ *labelEncoder1Attrs, in, out []tensor.DType) error {
			out[0] = tensor.Int64
			if in[0] == tensor.Int64 {
				out[0] = tensor.String
			}
			return nil
		},
		Infer: sameShape[labelEncoder1Attrs],
		Run: func(a *labelEncoder1Attrs, c *graph.RunCtx) error {
			places := int64s(upTo(len(a.Classes)))
			if c.In[0].DType() == tensor.String {
				mapElements(c.In[0].Strings(), c.Out[0].I64(), tableOf(a.Classes, places), int64(a.DefaultInt))
			} else {
				mapElements(c.In[0].I64(), c.Out[0].Strings(), tableOf(places, a.Classes), a.DefaultString)
			}
			return nil
		},
	})
}

func defineEncoder[A any](s *graph.Spec, since []int, types []tensor.DType, of func(a *A) (*encoder, error)) {
	define(s, graph.Def[A]{
		Name: "LabelEncoder", Since: since,
		In: []graph.Formal{{Name: "X", NoGrad: true, Types: types}}, Out: []graph.Formal{{Name: "Y"}},
		Types: func(a *A, in, out []tensor.DType) error {
			e, err := of(a)
			if err != nil {
				return err
			}
			if out[0] = e.values.DType(); in[0] != e.keys.DType() {
				return fmt.Errorf("input X has type %v, the keys have %v", in[0], e.keys.DType())
			}
			return nil
		},
		Infer: sameShape[A],
		Run: func(a *A, c *graph.RunCtx) error {
			e, err := of(a)
			if err != nil {
				return err
			}
			return e.run(c)
		},
	})
}

// oneList is the list of keys or values that is given, [K].
func oneList(name string, floats []float32, ints []int, strings []string, t *tensor.Tensor) (*tensor.Tensor, error) {
	var all []*tensor.Tensor
	if len(floats) > 0 {
		all = append(all, tensor.From(floats, len(floats)))
	}
	if len(ints) > 0 {
		all = append(all, tensor.From(int64s(ints), len(ints)))
	}
	if len(strings) > 0 {
		all = append(all, tensor.FromStrings(strings, len(strings)))
	}
	if t != nil {
		all = append(all, t)
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("%d attributes have %s: want one", len(all), name)
	}
	return all[0], nil
}

// defaultOf is the default for values of type d, one element. Of types that have no attribute it is that of integers or of floats.
func defaultOf(d tensor.DType, float float32, integer int, s string) *tensor.Tensor {
	switch {
	case d == tensor.String:
		return tensor.FromStrings([]string{s})
	case d == tensor.Float32:
		return tensor.Scalar(float)
	case d == tensor.Float64:
		return tensor.Scalar(float64(float))
	case d == tensor.Int32:
		return tensor.Scalar(int32(integer))
	case d == tensor.Int16:
		return tensor.Scalar(int16(integer))
	}
	return tensor.Scalar(int64(integer))
}

func encoderOf(keys, values, otherwise *tensor.Tensor) (*encoder, error) {
	switch {
	case keys.Len() != values.Len():
		return nil, fmt.Errorf("there are %d keys and %d values", keys.Len(), values.Len())
	case !slices.Contains(encoded, keys.DType()) || !slices.Contains(encoded, values.DType()):
		return nil, fmt.Errorf("keys of type %v and values of type %v; supported are %v", keys.DType(), values.DType(), encoded)
	case otherwise.Len() != 1 || otherwise.DType() != values.DType():
		return nil, fmt.Errorf("attribute default_tensor is %v, the values are %v", otherwise, values.DType())
	}
	return &encoder{keys, values, otherwise}, nil
}

func (e *encoder) run(c *graph.RunCtx) error {
	at := make([]int, c.In[0].Len()) // the place among the keys, or -1
	places := upTo(e.keys.Len())
	switch x, k := c.In[0], e.keys; x.DType() {
	case tensor.String:
		mapElements(x.Strings(), at, tableOf(k.Strings(), places), -1)
	case tensor.Int64:
		mapElements(x.I64(), at, tableOf(k.I64(), places), -1)
	case tensor.Int32:
		mapElements(tensor.Data[int32](x), at, tableOf(tensor.Data[int32](k), places), -1)
	case tensor.Int16:
		mapElements(tensor.Data[int16](x), at, tableOf(tensor.Data[int16](k), places), -1)
	case tensor.Float32, tensor.Float64:
		mapElements(bitsOf(x), at, tableOf(bitsOf(k), places), -1)
	default:
		return fmt.Errorf("keys of type %v", x.DType())
	}
	switch v, y, d := e.values, c.Out[0], e.otherwise; v.DType() {
	case tensor.String:
		put(v.Strings(), y.Strings(), at, d.Strings())
	case tensor.Int64:
		put(v.I64(), y.I64(), at, d.I64())
	case tensor.Int32:
		put(tensor.Data[int32](v), tensor.Data[int32](y), at, tensor.Data[int32](d))
	case tensor.Int16:
		put(tensor.Data[int16](v), tensor.Data[int16](y), at, tensor.Data[int16](d))
	case tensor.Float32:
		put(v.F32(), y.F32(), at, d.F32())
	case tensor.Float64:
		put(tensor.Data[float64](v), tensor.Data[float64](y), at, tensor.Data[float64](d))
	default:
		return fmt.Errorf("values of type %v", v.DType())
	}
	return nil
}

// put is y[i] = values[at[i]], the default where at is -1.
func put[T any](values, y []T, at []int, otherwise []T) {
	for i, k := range at {
		if k < 0 {
			y[i] = otherwise[0]
		} else {
			y[i] = values[k]
		}
	}
}

// bitsOf tells real numbers apart as keys: every NaN is one, and both zeros are.
func bitsOf(x *tensor.Tensor) []uint64 {
	v := x.Float64s()
	bits := make([]uint64, len(v))
	for i, f := range v {
		switch {
		case math.IsNaN(f):
			f = math.NaN()
		case f == 0:
			f = 0
		}
		bits[i] = math.Float64bits(f)
	}
	return bits
}
