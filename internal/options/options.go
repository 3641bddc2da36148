// Package options reads the options of one method, loss or rule into its tagged struct: NAME:KEY=VALUE:KEY=VALUE. A struct field
// is an option when it has the tag opt with its name; the tag doc says what it does; its value when made is the default. Kinds are
// float64, int, bool and string.
package options

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Option is one option of a struct.
type Option struct {
	Name, Doc string
	Default   string // as it is written
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
			out = append(out, Option{n, f.Tag.Get("doc"), fmt.Sprint(v.Field(i).Interface())})
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
			return set(v.Field(i), key, value)
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
