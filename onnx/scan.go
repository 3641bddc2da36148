package onnx

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/gtk-onnx/gtk/internal/memory"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// maxDepth is how deep messages may nest; other implementations of protobuf have the same limit.
const maxDepth = 100

// memoryFor is how much memory a message of n bytes may take when decoded. Small messages inside the file cost more
// than their bytes: an empty node is 2 bytes in the file and hundreds in memory. Real models are far below.
func memoryFor(n int) int64 { return 96<<20 + 16*int64(max(0, n-10<<20)) }

// decode is proto.Unmarshal of untrusted bytes into msg: the wire format is walked first, so that errors name the place
// and nothing is allocated for a file that would take more than budget bytes. Fields that the message does not know are kept in it, to be
// written again, unless it is only read.
func decode(b []byte, msg proto.Message, budget int64, onlyRead bool) error {
	s := scanner{budget: budget, discard: onlyRead}
	if err := s.message(layoutOf(msg.ProtoReflect().Descriptor()), b, 0, 1); err != nil {
		return err
	}
	if s.cost >= memory.Small {
		g, err := memory.Take(s.cost, fmt.Sprintf("decoding a file of %s", memory.Size(int64(len(b)))))
		if err != nil {
			return fmt.Errorf("onnx: %w", err)
		}
		defer g.Release()
	}
	if err := (proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: maxDepth + 1, DiscardUnknown: onlyRead}).Unmarshal(b,
		msg); err != nil {
		return &FormatError{Msg: fmt.Sprintf("not a valid %s: %v", msg.ProtoReflect().Descriptor().Name(), err)}
	}
	return nil
}

// layout is what the scanner needs of a message type.
type layout struct {
	size   int64 // of the Go struct
	fields map[protowire.Number]*fieldLayout
}

type fieldLayout struct {
	name     string
	repeated bool
	wire     protowire.Type // of one element that is not packed
	elem     int64          // bytes of one element in a slice, or behind a pointer
	fixed    int            // bytes of one packed element; 0 for varints
	sub      *layout        // for messages
}

var layouts sync.Map // protoreflect.FullName → *layout

var layoutMu sync.Mutex

func layoutOf(md protoreflect.MessageDescriptor) *layout {
	if l, ok := layouts.Load(md.FullName()); ok {
		return l.(*layout)
	}
	layoutMu.Lock()
	defer layoutMu.Unlock()
	made := map[protoreflect.FullName]*layout{}
	l := makeLayout(md, made)
	for name, l := range made {
		layouts.Store(name, l)
	}
	return l
}

func makeLayout(md protoreflect.MessageDescriptor, made map[protoreflect.FullName]*layout) *layout {
	if l := made[md.FullName()]; l != nil {
		return l
	}
	l := &layout{size: 64, fields: map[protowire.Number]*fieldLayout{}}
	made[md.FullName()] = l
	if mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName()); err == nil {
		l.size = int64(reflect.TypeOf(mt.Zero().Interface()).Elem().Size()) * 9 / 8 // size classes of the allocator
	}
	fds := md.Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		f := &fieldLayout{name: string(fd.Name()), repeated: fd.IsList()}
		switch fd.Kind() {
		case protoreflect.MessageKind:
			f.wire, f.elem, f.sub = protowire.BytesType, 8, makeLayout(fd.Message(), made)
		case protoreflect.StringKind:
			f.wire, f.elem = protowire.BytesType, 16
		case protoreflect.BytesKind:
			f.wire, f.elem = protowire.BytesType, 24
		case protoreflect.FloatKind:
			f.wire, f.elem, f.fixed = protowire.Fixed32Type, 4, 4
		case protoreflect.DoubleKind:
			f.wire, f.elem, f.fixed = protowire.Fixed64Type, 8, 8
		case protoreflect.Int32Kind, protoreflect.EnumKind:
			f.wire, f.elem = protowire.VarintType, 4
		default:
			f.wire, f.elem = protowire.VarintType, 8
		}
		l.fields[protowire.Number(fd.Number())] = f
	}
	return l
}

// scanner walks the wire format and adds up an upper estimate of the memory of the decoded message. A slice that grows
// by appending has cost up to three times its size in all.
type scanner struct {
	cost, budget int64
	discard      bool // unknown fields
}

const sliceGrowth = 3

// message walks the bytes b of one message, which start at byte base of the input.
func (s *scanner) message(l *layout, b []byte, base, depth int) error {
	if depth > maxDepth {
		return &FormatError{Msg: fmt.Sprintf("messages are nested more than %d deep at byte %d", maxDepth, base)}
	}
	s.cost += l.size
	var packed [32]int64 // elements so far, by field number
	for i := 0; i < len(b); {
		start := i
		num, typ, n := protowire.ConsumeTag(b[i:])
		if n < 0 {
			return &FormatError{Msg: fmt.Sprintf("no valid field at byte %d: %v", base+i, wireError(n))}
		}
		i += n
		f := l.fields[num]
		if f == nil || typ != f.wire && !(typ == protowire.BytesType && f.repeated) {
			n := protowire.ConsumeFieldValue(num, typ, b[i:])
			if n < 0 {
				return &FormatError{Msg: fmt.Sprintf("field %d at byte %d: %v", num, base+start, wireError(n))}
			}
			i += n
			if !s.discard {
				s.cost += 2 * int64(i-start)
			}
		} else if err := s.field(f, typ, num, b, &i, base, depth, &packed[num%32]); err != nil {
			return prefixPath(err, l, num, b[:start])
		}
		if s.cost > s.budget {
			return &UnsupportedError{Feature: fmt.Sprintf("the %d bytes before byte %d would take more than %d MiB of memory when "+
				"decoded, far more than models do; if the file is meant to be so, raise the limit (MaxMemory)", i, base+i, s.budget>>20)}
		}
	}
	return nil
}

// field walks one known field whose value starts at b[*i]. prior is how many elements it had in packed form so far.
func (s *scanner) field(f *fieldLayout, typ protowire.Type, num protowire.Number, b []byte, i *int, base, depth int, prior *int64) error {
	grow := int64(1)
	if f.repeated {
		grow = sliceGrowth
	}
	if typ != protowire.BytesType {
		n := protowire.ConsumeFieldValue(num, typ, b[*i:])
		if n < 0 {
			return &FormatError{Msg: fmt.Sprintf("byte %d: %v", base+*i, wireError(n))}
		}
		*i += n
		s.cost += max(8, f.elem*grow)
		return nil
	}
	size, n := protowire.ConsumeVarint(b[*i:])
	if n < 0 {
		return &FormatError{Msg: fmt.Sprintf("length at byte %d: %v", base+*i, wireError(n))}
	}
	at := *i + n
	if size > uint64(len(b)-at) {
		return &FormatError{Msg: fmt.Sprintf("length %d at byte %d runs past the end, %d bytes are left: the file is cut short or damaged",
			size, base+*i, len(b)-at)}
	}
	v := b[at : at+int(size)]
	*i = at + int(size)
	switch {
	case f.sub != nil:
		s.cost += 16 + f.elem*grow // 16: the wrapper of a oneof
		return s.message(f.sub, v, base+at, depth+1)
	case f.wire == protowire.BytesType:
		s.cost += f.elem*grow + int64(len(v)+15)&^7
	default: // packed
		count := int64(0)
		if f.fixed > 0 {
			count = int64(len(v) / f.fixed)
		} else {
			for _, c := range v {
				count += int64(c>>7 ^ 1)
			}
		}
		// The decoder makes the slice anew, of just the size needed, for every piece; one piece is usual, and many small
		// ones would take quadratic time.
		*prior += count
		s.cost += 8 + *prior*f.elem
	}
	return nil
}

// prefixPath adds "field[k]" to the place of an error; before is the part of the message before the field.
func prefixPath(err error, l *layout, num protowire.Number, before []byte) error {
	f := l.fields[num]
	name := f.name
	if f.repeated {
		k := 0
		for i := 0; i < len(before); {
			n, typ, m := protowire.ConsumeTag(before[i:])
			if n == num {
				k++
			}
			i += m + protowire.ConsumeFieldValue(n, typ, before[i+m:])
		}
		name = fmt.Sprintf("%s[%d]", name, k)
	}
	switch e := err.(type) {
	case *FormatError:
		e.Where = joinPath(name, shorten(e.Where))
	case *UnsupportedError:
		e.Where = joinPath(name, shorten(e.Where))
	}
	return err
}

// shorten keeps the end of the path of a deeply nested place.
func shorten(path string) string {
	if len(path) < 200 {
		return path
	}
	return "…" + path[len(path)-150:]
}

func joinPath(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "." + b
}

// wireError is the error of a negative length, without the prefix of the protobuf package.
func wireError(n int) error {
	if err := protowire.ParseError(n); err.Error() == "unexpected EOF" {
		return errors.New("the file is cut short or damaged")
	}
	return errors.New("damaged")
}
