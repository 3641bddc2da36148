package graph

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// Attrs are the attributes of a node as read: int64, float32, string, []int64, []float32, []string, *tensor.Tensor or, for an attribute
// that is a type, tensor.DType, by name.
// Subgraphs are not among them (see Body).
type Attrs map[string]any

// Resolver is an attribute struct that names values of the graph around its node. Resolve is told how to find them, of those that are there
// when the node is added.
type Resolver interface {
	Resolve(lookup func(name string) (Value, bool)) error
}

// A field of an attribute struct is tagged `onnx:"name"` with, after commas, `default=V` or `required`.
// The types are int, bool (an ONNX int), float32, string, []int, []float32, []string, *tensor.Tensor, tensor.DType, and
// *int and *float32 where absence means something; *tensor.DType for an attribute that is itself a type. Fields without a tag are not
// attributes.
type attrField struct {
	name     string
	def      string
	hasDef   bool
	required bool
	index    int
}

func fields(t reflect.Type) []attrField {
	if fs, ok := fieldsOf.Load(t); ok {
		return fs.([]attrField)
	}
	fs := findFields(t)
	fieldsOf.Store(t, fs)
	return fs
}

// fieldsOf has what fields found, by type.
var fieldsOf sync.Map

func findFields(t reflect.Type) []attrField {
	var fs []attrField
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("onnx")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		f := attrField{name: parts[0], index: i}
		for _, p := range parts[1:] {
			if v, ok := strings.CutPrefix(p, "default="); ok {
				f.def, f.hasDef = v, true
			} else if p == "required" {
				f.required = true
			}
		}
		fs = append(fs, f)
	}
	return fs
}

func setDefaults(v reflect.Value) {
	for _, f := range fields(v.Type()) {
		if !f.hasDef {
			continue
		}
		fv := v.Field(f.index)
		switch fv.Kind() {
		case reflect.Int, reflect.Int32:
			n, err := strconv.ParseInt(f.def, 10, 64)
			if err != nil {
				panic("graph: bad default in tag of " + f.name)
			}
			fv.SetInt(n)
		case reflect.Bool:
			fv.SetBool(f.def == "1")
		case reflect.Float32:
			x, err := strconv.ParseFloat(f.def, 32)
			if err != nil {
				panic("graph: bad default in tag of " + f.name)
			}
			fv.SetFloat(x)
		case reflect.String:
			fv.SetString(f.def)
		default:
			panic("graph: no default for the type of " + f.name)
		}
	}
}

// DecodeAttrs is a new attribute struct of s filled from in. It fails for an attribute that s does not have, one of the
// wrong type, and a required one that is missing. "consumed_inputs", a relic of the first operator set, is ignored.
func (s *Spec) DecodeAttrs(in Attrs) (any, error) {
	p := reflect.New(s.attrs)
	v := p.Elem()
	setDefaults(v)
	known := map[string]bool{"consumed_inputs": true}
	for _, f := range fields(s.attrs) {
		known[f.name] = true
		x, ok := in[f.name]
		if !ok {
			if f.required {
				return nil, fmt.Errorf("attribute %s is missing", f.name)
			}
			continue
		}
		if err := setField(v.Field(f.index), x); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", f.name, err)
		}
	}
	var unknown []string
	for name := range in {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fmt.Errorf("attribute %s is not one that %s has", shown.Names(unknown, 12), s.Name)
	}
	return p.Interface(), nil
}

func setField(fv reflect.Value, x any) error {
	bad := fmt.Errorf("has type %T, want %v", x, fv.Type())
	switch x := x.(type) {
	case int64:
		switch fv.Kind() {
		case reflect.Int, reflect.Int32:
			fv.SetInt(x)
		case reflect.Bool:
			fv.SetBool(x != 0)
		case reflect.Pointer:
			if fv.Type().Elem().Kind() != reflect.Int {
				return bad
			}
			n := int(x)
			fv.Set(reflect.ValueOf(&n))
		default:
			return bad
		}
	case float32:
		switch {
		case fv.Kind() == reflect.Float32:
			fv.SetFloat(float64(x))
		case fv.Kind() == reflect.Pointer && fv.Type().Elem().Kind() == reflect.Float32:
			fv.Set(reflect.ValueOf(&x))
		default:
			return bad
		}
	case tensor.DType:
		if fv.Type() != reflect.TypeFor[*tensor.DType]() {
			return bad
		}
		fv.Set(reflect.ValueOf(&x))
	case string:
		if fv.Kind() != reflect.String {
			return bad
		}
		fv.SetString(x)
	case []int64:
		if fv.Type() != reflect.TypeFor[[]int]() {
			return bad
		}
		s := make([]int, len(x))
		for i, n := range x {
			s[i] = int(n)
		}
		fv.Set(reflect.ValueOf(s))
	case []float32, []string, *tensor.Tensor:
		if fv.Type() != reflect.TypeOf(x) {
			return bad
		}
		fv.Set(reflect.ValueOf(x))
	default:
		return bad
	}
	return nil
}

// EncodeAttrs is the inverse of DecodeAttrs: the attributes of a struct made by NewAttrs or DecodeAttrs, those that have their
// default or a nil value left out.
func EncodeAttrs(attrs any) Attrs {
	out := Attrs{}
	v := reflect.ValueOf(attrs)
	if !v.IsValid() || v.IsNil() {
		return out
	}
	v = v.Elem()
	def := reflect.New(v.Type()).Elem()
	setDefaults(def)
	for _, f := range fields(v.Type()) {
		fv := v.Field(f.index)
		if !f.required && f.hasDef && fv.Equal(def.Field(f.index)) {
			continue
		}
		switch fv.Kind() {
		case reflect.Int, reflect.Int32:
			out[f.name] = fv.Int()
		case reflect.Bool:
			if fv.Bool() {
				out[f.name] = int64(1)
			} else if f.hasDef {
				out[f.name] = int64(0)
			}
		case reflect.Float32:
			out[f.name] = float32(fv.Float())
		case reflect.String:
			if fv.String() != "" {
				out[f.name] = fv.String()
			}
		case reflect.Pointer:
			switch x := fv.Interface().(type) {
			case *int:
				if x != nil {
					out[f.name] = int64(*x)
				}
			case *float32:
				if x != nil {
					out[f.name] = *x
				}
			case *tensor.DType:
				if x != nil {
					out[f.name] = *x
				}
			case *tensor.Tensor:
				if x != nil {
					out[f.name] = x
				}
			}
		case reflect.Slice:
			if fv.IsNil() {
				continue
			}
			switch x := fv.Interface().(type) {
			case []int:
				s := make([]int64, len(x))
				for i, n := range x {
					s[i] = int64(n)
				}
				out[f.name] = s
			default:
				out[f.name] = x
			}
		}
	}
	return out
}
