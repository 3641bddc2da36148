package tfevents

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema is the part of TensorFlow's messages that is used, told again from event.proto, summary.proto and tensor.proto, so that the
// protobuf library decodes what is written.
func schema(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	type fd = descriptorpb.FieldDescriptorProto
	field := func(name string, n int32, kind descriptorpb.FieldDescriptorProto_Type, of string, many bool) *fd {
		label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		if many {
			label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
		}
		f := &fd{Name: &name, Number: &n, Type: &kind, Label: &label}
		if of != "" {
			f.TypeName = proto.String(".t." + of)
		}
		return f
	}
	const (
		str, bin = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_BYTES
		msg, i64 = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, descriptorpb.FieldDescriptorProto_TYPE_INT64
		f32, f64 = descriptorpb.FieldDescriptorProto_TYPE_FLOAT, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
		i32      = descriptorpb.FieldDescriptorProto_TYPE_INT32
	)
	messages := map[string][]*fd{
		"Event": {field("wall_time", 1, f64, "", false), field("step", 2, i64, "", false), field("file_version", 3, str, "", false),
			field("summary", 5, msg, "Summary", false)},
		"Summary": {field("value", 1, msg, "Value", true)},
		"Value": {field("tag", 1, str, "", false), field("simple_value", 2, f32, "", false), field("tensor", 8, msg, "Tensor", false),
			field("metadata", 9, msg, "Metadata", false)},
		"Metadata": {field("plugin_data", 1, msg, "Plugin", false)},
		"Plugin":   {field("plugin_name", 1, str, "", false)},
		"Tensor": {field("dtype", 1, i32, "", false), field("tensor_shape", 2, msg, "Shape", false),
			field("string_val", 8, bin, "", true)},
		"Shape": {field("dim", 2, msg, "Dim", true)},
		"Dim":   {field("size", 1, i64, "", false)},
	}
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("t.proto"), Package: proto.String("t"), Syntax: proto.String("proto3")}
	for name, fields := range messages {
		file.MessageType = append(file.MessageType, &descriptorpb.DescriptorProto{Name: proto.String(name), Field: fields})
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// events decodes a file, and fails where a checksum is wrong.
func events(t *testing.T, b []byte) []protoreflect.Message {
	t.Helper()
	sum := func(b []byte) uint32 {
		c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return uint32((uint64(c>>15) | uint64(c)<<17&0xffffffff) + 0xa282ead8)
	}
	d := schema(t).Messages().ByName("Event")
	var out []protoreflect.Message
	for len(b) > 0 {
		n := int(binary.LittleEndian.Uint64(b))
		if sum(b[:8]) != binary.LittleEndian.Uint32(b[8:]) {
			t.Fatal("the checksum of a length is wrong")
		}
		if sum(b[12:12+n]) != binary.LittleEndian.Uint32(b[12+n:]) {
			t.Fatal("the checksum of a record is wrong")
		}
		m := dynamicpb.NewMessage(d)
		if err := proto.Unmarshal(b[12:12+n], m); err != nil {
			t.Fatal(err)
		}
		if len(m.GetUnknown()) > 0 {
			t.Fatal("fields that Event does not have")
		}
		out, b = append(out, m), b[16+n:]
	}
	return out
}

func get(m protoreflect.Message, names ...string) protoreflect.Value {
	var v protoreflect.Value
	for i, n := range names {
		if i > 0 {
			m = v.Message()
		}
		v = m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(n)))
	}
	return v
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, 1.5)
	w.Scalars(2.5, 7, Scalar{"loss/train", 0.25}, Scalar{"nothing", math.NaN()}, Scalar{"lr", 1e-3})
	w.Scalars(3.5, 8, Scalar{"nothing", math.Inf(1)})
	w.Text(4.5, 9, "settings", "| a | b |")
	if w.Err() != nil {
		t.Fatal(w.Err())
	}
	es := events(t, b.Bytes())
	if len(es) != 3 {
		t.Fatalf("%d events, want 3: a step of which nothing is finite has none", len(es))
	}
	if v := get(es[0], "file_version").String(); v != "brain.Event:2" || get(es[0], "wall_time").Float() != 1.5 {
		t.Errorf("the first event is %v", es[0])
	}
	var tags []string
	var values []float64
	list := get(es[1], "summary", "value").List()
	for i := range list.Len() {
		m := list.Get(i).Message()
		tags, values = append(tags, get(m, "tag").String()), append(values, get(m, "simple_value").Float())
	}
	if !slices.Equal(tags, []string{"loss/train", "lr"}) || values[0] != 0.25 || float32(values[1]) != 1e-3 ||
		get(es[1], "step").Int() != 7 || get(es[1], "wall_time").Float() != 2.5 {
		t.Errorf("the second event is %v", es[1])
	}
	text := get(es[2], "summary", "value").List().Get(0).Message()
	if get(text, "metadata", "plugin_data", "plugin_name").String() != "text" || get(text, "tensor", "dtype").Int() != 7 ||
		string(get(text, "tensor", "string_val").List().Get(0).Bytes()) != "| a | b |" ||
		get(get(text, "tensor", "tensor_shape", "dim").List().Get(0).Message(), "size").Int() != 1 {
		t.Errorf("the third event is %v", es[2])
	}
}

// Event files of TensorFlow begin with the length of the event of their version, 24, and its masked checksum, whatever the time.
func TestFileHead(t *testing.T) {
	var b bytes.Buffer
	NewWriter(&b, 1700000000)
	if want := "\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7fK\"\t"; !bytes.HasPrefix(b.Bytes(), []byte(want)) {
		t.Errorf("the file begins with %q, want %q", b.Bytes()[:13], want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestError(t *testing.T) {
	w := NewWriter(broken{}, 0)
	w.Scalars(0, 1, Scalar{"x", 1})
	if w.Err() == nil {
		t.Error("no error")
	}
}
