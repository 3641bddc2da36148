package kernel

import (
	"reflect"
	"unsafe"
)

// switched are the variables that hold the kernels in use, which onISA's functions set.
var switched = []any{
	&vec, &rows32, &tiles, &pairTiles, &dotTiles, &packTaps, &packColumns, &packRows, &padRows, &putEven, &dotRows, &tapRows, &tapDots,
	&pooling, &depth3x3, &depth3x3Narrow, &pairBytes, &widenBytes, &requantizeBytes, &quantizeBytes, &dequantizeBytes, &addBytes,
}

// Watch is ForceISA, with seen called whenever a kernel begins that this instruction set has in place of the plain one. For tests; seen
// may be called by several goroutines at once.
func Watch(i ISA, seen func()) (restore func(), ok bool) {
	restore, ok = ForceISA(Generic)
	if !ok || i == Generic {
		return restore, ok
	}
	plain := make([]reflect.Value, len(switched))
	for k, p := range switched {
		plain[k] = reflect.New(reflect.TypeOf(p).Elem()).Elem()
		plain[k].Set(reflect.ValueOf(p).Elem())
	}
	if _, ok = ForceISA(i); !ok {
		return restore, false
	}
	for k, p := range switched {
		v := reflect.ValueOf(p).Elem()
		v.Set(watched(v, plain[k], seen))
	}
	return restore, true
}

// watched is a copy of v whose functions report to seen, but for those that plain has too.
func watched(v, plain reflect.Value, seen func()) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Func:
		if v.IsNil() || !plain.IsNil() && v.Pointer() == plain.Pointer() {
			return v
		}
		f := reflect.ValueOf(v.Interface()) // what v holds now
		return reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
			seen()
			return f.Call(args)
		})
	case reflect.Pointer:
		if v.IsNil() || v.Pointer() == plain.Pointer() {
			return v
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(watched(v.Elem(), reflect.Zero(v.Type().Elem()), seen))
	case reflect.Struct:
		for k := range v.NumField() {
			f := field(out, k)
			f.Set(watched(f, field(addressable(plain), k), seen))
		}
	case reflect.Array, reflect.Slice:
		if v.Kind() == reflect.Slice && !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		}
		for k := range v.Len() {
			out.Index(k).Set(watched(v.Index(k), reflect.Zero(v.Type().Elem()), seen))
		}
	}
	return out
}

// field is field k of an addressable struct, exported or not.
func field(v reflect.Value, k int) reflect.Value {
	f := v.Field(k)
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	return out
}
