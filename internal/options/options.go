// Package options reads the options of one method, loss or rule into its tagged struct: NAME:KEY=VALUE:KEY=VALUE. A struct field
// is an option when it has the tag opt with its name; the tag doc says what it does; its value when made is the default. A tag range,
// written as in mathematics ("[0, 1)"), bounds a number, and a tag choices ("abs|signed") says which words there are. Kinds are
// float64, int, bool, string, and *float64, which is nil until it is given.
package options

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Option is one option of a struct.
type Option struct {
	Name, Doc string
	Default   string // as it is written
	Range     string // of a number: "[0, 1)", "(0, ∞)"; "" is any
	Choices   []string
	Bool      bool
}

// Split divides NAME:KEY=VALUE:… into the name and its options.
func Split(s string) (name string, pairs [][2]string, err error) {
	name, rest, more := strings.Cut(s, ":")
	for more {
		var item string
		item, rest, more = strings.Cut(rest, ":")
		k, v, ok := strings.Cut(item, "=")
		if !ok || k == "" {
			return "", nil, fmt.Errorf("%q: options are written NAME:KEY=VALUE, this one is %q", s, item)
		}
		pairs = append(pairs, [2]string{k, v})
	}
	return name, pairs, nil
}

// List are the options of the struct that p points to, with their present values as defaults.
func List(p any) []Option {
	var out []Option
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if n := f.Tag.Get("opt"); n != "" {
			o := Option{Name: n, Doc: f.Tag.Get("doc"), Range: f.Tag.Get("range"), Bool: f.Type.Kind() == reflect.Bool}
			if c := f.Tag.Get("choices"); c != "" {
				o.Choices = strings.Split(c, "|")
			}
			if v.Field(i).Kind() != reflect.Pointer {
				o.Default = fmt.Sprint(v.Field(i).Interface())
			} else if !v.Field(i).IsNil() {
				o.Default = fmt.Sprint(v.Field(i).Elem().Interface())
			}
			out = append(out, o)
		}
	}
	return out
}

// Set sets option key of the struct that p points to.
func Set(p any, key, value string) error {
	v := reflect.ValueOf(p).Elem()
	var names []string
	for i := range v.NumField() {
		n := v.Type().Field(i).Tag.Get("opt")
		if n == "" {
			continue
		}
		names = append(names, n)
		if n == key {
			old := reflect.New(v.Field(i).Type()).Elem()
			old.Set(v.Field(i))
			err := set(v.Field(i), key, value)
			if err == nil {
				err = check(v.Type().Field(i), v.Field(i))
			}
			if err != nil {
				v.Field(i).Set(old)
			}
			return err
		}
	}
	if near := registry.Suggest(key, names); len(near) > 0 {
		return fmt.Errorf("no option %q (did you mean %q?)", key, near[0])
	}
	if len(names) == 0 {
		return fmt.Errorf("no option %q: it has none", key)
	}
	return fmt.Errorf("no option %q; it has %s", key, strings.Join(names, ", "))
}

func set(f reflect.Value, key, value string) error {
	var err error
	switch f.Kind() {
	case reflect.String:
		f.SetString(value)
		return nil
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(value); err == nil {
			f.SetBool(b)
		}
	case reflect.Int:
		var n int
		if n, err = strconv.Atoi(value); err == nil {
			f.SetInt(int64(n))
		}
	case reflect.Pointer:
		x := reflect.New(f.Type().Elem())
		if err := set(x.Elem(), key, value); err != nil {
			return err
		}
		f.Set(x)
		return nil
	case reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(value, 64); err == nil {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("option %s=%s: want a finite number", key, value)
			}
			f.SetFloat(x)
		}
	default:
		panic("options: field of kind " + f.Kind().String())
	}
	if err != nil {
		return fmt.Errorf("option %s=%q: want a %s", key, value,
			map[reflect.Kind]string{reflect.Bool: "true or false", reflect.Int: "whole number", reflect.Float64: "number"}[f.Kind()])
	}
	return nil
}

// Apply sets all pairs.
func Apply(p any, pairs [][2]string) error {
	for _, kv := range pairs {
		if err := Set(p, kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

// Check looks at the present values of the struct that p points to: whether numbers are finite and in their range, and words among the
// choices.
func Check(p any) error {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("opt") == "" {
			continue
		}
		if err := check(v.Type().Field(i), v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func check(t reflect.StructField, f reflect.Value) error {
	name, span := t.Tag.Get("opt"), t.Tag.Get("range")
	var x float64
	switch f.Kind() {
	case reflect.Pointer:
		if f.IsNil() {
			return nil
		}
		return check(t, f.Elem())
	case reflect.String:
		if c := t.Tag.Get("choices"); c != "" && !slices.Contains(strings.Split(c, "|"), f.String()) {
			return fmt.Errorf("option %s=%q: there are %s", name, f.String(), strings.ReplaceAll(c, "|", ", "))
		}
		return nil
	case reflect.Float64:
		x = f.Float()
	case reflect.Int:
		x = float64(f.Int())
	default:
		return nil
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("option %s=%v: want a finite number", name, x)
	}
	if span != "" && !within(x, span) {
		return fmt.Errorf("option %s=%v: must be in %s", name, x, span)
	}
	return nil
}

// within reports whether x is in the interval that span writes.
func within(x float64, span string) bool {
	bound := func(s string) float64 {
		if s = strings.TrimSpace(s); s == "∞" {
			return math.Inf(1)
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			panic("options: range " + span)
		}
		return v
	}
	last := len(span) - 1
	a, b, _ := strings.Cut(span[1:last], ",")
	lo, hi := bound(a), bound(b)
	return x >= lo && x <= hi && (x != lo || span[0] == '[') && (x != hi || span[last] == ']')
}
