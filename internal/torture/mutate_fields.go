//go:build linux

package torture

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
	pr "google.golang.org/protobuf/reflect/protoreflect"
)

func init() { mutators = append(mutators, mutator{"field", 10, changeField}) }

// site is a field of a message somewhere in a model.
type site struct {
	m pr.Message
	f pr.FieldDescriptor
}

// sites is the fields of m and what is in it that are set, and of small messages some that are not, by the name of the message.
func sites(m pr.Message, by map[pr.FullName][]site, unset bool) {
	kind := m.Descriptor().FullName()
	if len(by[kind]) > 20000 {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			if unset && !f.IsMap() && f.Message() == nil {
				by[kind] = append(by[kind], site{m, f})
			}
			continue
		}
		by[kind] = append(by[kind], site{m, f})
		if f.Message() == nil {
			continue
		}
		if f.IsList() {
			l := m.Get(f).List()
			for k := range l.Len() {
				sites(l.Get(k).Message(), by, unset)
			}
		} else {
			sites(m.Get(f).Message(), by, unset)
		}
	}
}

// changeField changes a field of a kind of message that is chosen first, so that what is rare is changed as often as what is not.
func changeField(r *rand.Rand, m *onnxpb.ModelProto) string {
	by := map[pr.FullName][]site{}
	sites(m.ProtoReflect(), by, r.IntN(4) == 0)
	var kinds []pr.FullName
	for k := range by {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	kind := some(r, kinds)
	s := some(r, by[kind])
	what := fmt.Sprintf("%s.%s", kind.Name(), s.f.Name())
	if s.f.IsList() {
		return what + changeList(r, s)
	}
	if s.f.Message() != nil {
		if r.IntN(3) > 0 { // another of its kind
			if others := by[s.f.Message().FullName()]; len(others) > 0 {
				o := some(r, others).m
				if proto.Size(o.Interface()) < 1<<18 {
					s.m.Set(s.f, pr.ValueOfMessage(proto.Clone(o.Interface()).ProtoReflect()))
					return what + " is another"
				}
			}
		}
		s.m.Clear(s.f)
		return what + " left out"
	}
	if r.IntN(6) == 0 {
		s.m.Clear(s.f)
		return what + " left out"
	}
	v, said := scalar(r, s.f, s.m.Get(s.f))
	s.m.Set(s.f, v)
	return what + " = " + said
}

// changeList changes the elements of a list, or which there are.
func changeList(r *rand.Rand, s site) string {
	l := s.m.Mutable(s.f).List()
	n := l.Len()
	clone := func(i int) pr.Value {
		if s.f.Message() == nil {
			return l.Get(i)
		}
		return pr.ValueOfMessage(proto.Clone(l.Get(i).Message().Interface()).ProtoReflect())
	}
	small := func(i int) bool { return s.f.Message() == nil || proto.Size(l.Get(i).Message().Interface()) < 1<<20 }
	if n == 0 {
		if s.f.Message() == nil {
			v, said := scalar(r, s.f, l.NewElement())
			l.Append(v)
			return " gets " + said
		}
		l.Append(l.NewElement())
		return " gets an empty one"
	}
	i, k := r.IntN(n), r.IntN(n)
	switch r.IntN(9) {
	case 0:
		kept := make([]pr.Value, 0, n)
		for j := range n {
			if j != i {
				kept = append(kept, l.Get(j))
			}
		}
		l.Truncate(0)
		for _, v := range kept {
			l.Append(v)
		}
		return fmt.Sprintf("[%d] left out", i)
	case 1:
		if small(i) {
			l.Append(clone(i))
			return fmt.Sprintf("[%d] twice", i)
		}
	case 2:
		a, b := clone(i), clone(k)
		l.Set(i, b)
		l.Set(k, a)
		return fmt.Sprintf(" %d and %d change places", i, k)
	case 3:
		l.Truncate(i)
		return fmt.Sprintf(" cut to %d of %d", i, n)
	case 4:
		if s.f.Message() == nil || proto.Size(l.Get(i).Message().Interface()) < 1<<10 {
			times := some(r, []int{3, 30, 300})
			for range times {
				l.Append(clone(i))
			}
			return fmt.Sprintf("[%d] %d times", i, times)
		}
	case 5:
		l.Append(l.NewElement())
		return " gets an empty one"
	}
	if s.f.Message() != nil {
		if small(k) {
			l.Set(i, clone(k))
		}
		return fmt.Sprintf("[%d] = [%d]", i, k)
	}
	v, said := scalar(r, s.f, l.Get(i))
	l.Set(i, v)
	return fmt.Sprintf("[%d] = %s", i, said)
}

// scalar is a value for a field that has the value old.
func scalar(r *rand.Rand, f pr.FieldDescriptor, old pr.Value) (v pr.Value, said string) {
	switch f.Kind() {
	case pr.EnumKind:
		n := pr.EnumNumber(r.IntN(24) - 1)
		return pr.ValueOfEnum(n), fmt.Sprint(n)
	case pr.Int32Kind:
		x := int32(some(r, extremes))
		if r.IntN(2) == 0 {
			x = int32(r.IntN(28)) // an element type
		}
		return pr.ValueOfInt32(x), fmt.Sprint(x)
	case pr.Int64Kind:
		x := some(r, extremes)
		if r.IntN(3) == 0 {
			x = old.Int() + int64(r.IntN(5)) - 2
		}
		return pr.ValueOfInt64(x), fmt.Sprint(x)
	case pr.Uint64Kind:
		x := uint64(some(r, extremes))
		return pr.ValueOfUint64(x), fmt.Sprint(x)
	case pr.FloatKind:
		x := some(r, []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), -1, 1e38, 1e-45, 2.5})
		return pr.ValueOfFloat32(float32(x)), fmt.Sprint(x)
	case pr.DoubleKind:
		x := some(r, []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e308, 5e-324})
		return pr.ValueOfFloat64(x), fmt.Sprint(x)
	case pr.StringKind:
		x := some(r, names)
		return pr.ValueOfString(x), fmt.Sprintf("%.40q", x)
	case pr.BytesKind:
		b := slices.Clone(old.Bytes())
		switch r.IntN(5) {
		case 0:
			b = b[:r.IntN(len(b)+1)]
			return pr.ValueOfBytes(b), fmt.Sprintf("cut to %d bytes", len(b))
		case 1:
			b = append(b, make([]byte, 1+r.IntN(64))...)
			return pr.ValueOfBytes(b), "longer"
		case 2:
			x := byte(some(r, []int{0, 0xff, 0x7f, 0x80, 1}))
			for i := range b {
				b[i] = x
			}
			return pr.ValueOfBytes(b), fmt.Sprintf("bytes of %#x", x)
		case 3:
			x := some(r, names)
			return pr.ValueOfBytes([]byte(x)), fmt.Sprintf("%.40q", x)
		}
		for range min(len(b), 8) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		return pr.ValueOfBytes(b), "changed bytes"
	case pr.BoolKind:
		return pr.ValueOfBool(!old.Bool()), "the other"
	}
	return old, "as it was"
}
