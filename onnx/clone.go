package onnx

import (
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// cloner copies messages, all but the contents of tensors, which are shared.
type cloner struct {
	tensors map[*onnxpb.TensorProto]*onnxpb.TensorProto // from old to new
}

func (c *cloner) model(p *onnxpb.ModelProto) *onnxpb.ModelProto {
	out := &onnxpb.ModelProto{}
	c.message(out.ProtoReflect(), p.ProtoReflect())
	return out
}

func (c *cloner) message(dst, src protoreflect.Message) {
	if t, ok := src.Interface().(*onnxpb.TensorProto); ok {
		c.tensor(dst.Interface().(*onnxpb.TensorProto), t)
		return
	}
	src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsList():
			from, to := v.List(), dst.Mutable(fd).List()
			for i := range from.Len() {
				if fd.Message() != nil {
					c.message(to.AppendMutable().Message(), from.Get(i).Message())
				} else {
					to.Append(cloneBytes(from.Get(i)))
				}
			}
		case fd.Message() != nil:
			c.message(dst.Mutable(fd).Message(), v.Message())
		default:
			dst.Set(fd, cloneBytes(v))
		}
		return true
	})
	dst.SetUnknown(slices.Clone(src.GetUnknown()))
}

// cloneBytes copies bytes values; every other scalar is one.
func cloneBytes(v protoreflect.Value) protoreflect.Value {
	if b, ok := v.Interface().([]byte); ok {
		return protoreflect.ValueOfBytes(slices.Clone(b))
	}
	return v
}

// tensor copies everything but the contents, whose slices are clipped so that appending to one does not show in the other.
func (c *cloner) tensor(dst, src *onnxpb.TensorProto) {
	dst.Dims = slices.Clone(src.Dims)
	dst.DataType = clonePtr(src.DataType)
	if src.Segment != nil {
		dst.Segment = proto.CloneOf(src.Segment)
	}
	dst.FloatData = slices.Clip(src.FloatData)
	dst.Int32Data = slices.Clip(src.Int32Data)
	dst.StringData = slices.Clip(src.StringData)
	dst.Int64Data = slices.Clip(src.Int64Data)
	dst.Name = clonePtr(src.Name)
	dst.DocString = clonePtr(src.DocString)
	dst.RawData = slices.Clip(src.RawData)
	dst.ExternalData = cloneEntries(src.ExternalData)
	dst.DataLocation = clonePtr(src.DataLocation)
	dst.DoubleData = slices.Clip(src.DoubleData)
	dst.Uint64Data = slices.Clip(src.Uint64Data)
	dst.MetadataProps = cloneEntries(src.MetadataProps)
	dst.ProtoReflect().SetUnknown(slices.Clone(src.ProtoReflect().GetUnknown()))
	c.tensors[src] = dst
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func cloneEntries(es []*onnxpb.StringStringEntryProto) []*onnxpb.StringStringEntryProto {
	if es == nil {
		return nil
	}
	out := make([]*onnxpb.StringStringEntryProto, len(es))
	for i, e := range es {
		out[i] = proto.CloneOf(e)
	}
	return out
}
