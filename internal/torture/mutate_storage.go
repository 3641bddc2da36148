//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

func init() {
	mutators = append(mutators,
		mutator{"sparse", 2, makeSparse}, mutator{"external", 2, makeExternal}, mutator{"claim", 2, claimSize}, mutator{"element", 2,
			changeElement},
		mutator{"metadata", 1, changeMetadata}, mutator{"version", 1, changeVersion}, mutator{"type", 2, changeType},
	)
}

func anyInitializer(r *rand.Rand, m *onnxpb.ModelProto) (*onnxpb.GraphProto, int) {
	g := some(r, graphs(m))
	if len(g.Initializer) == 0 {
		return nil, 0
	}
	return g, r.IntN(len(g.Initializer))
}

// makeSparse moves an initializer to the sparse ones, with the same extents or larger ones.
func makeSparse(r *rand.Rand, m *onnxpb.ModelProto) string {
	g, i := anyInitializer(r, m)
	if g == nil {
		return ""
	}
	t := g.Initializer[i]
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	dims := append([]int64(nil), t.Dims...)
	if len(dims) > 0 && r.IntN(3) == 0 {
		dims[r.IntN(len(dims))] = some(r, extremes)
	}
	if n < 0 || n > 1<<16 {
		return ""
	}
	at := make([]int64, n)
	for k := range at {
		at[k] = int64(k)
	}
	if n > 0 && r.IntN(3) == 0 {
		at[r.IntN(len(at))] = some(r, extremes)
	}
	v := proto.Clone(t).(*onnxpb.TensorProto)
	v.Dims = []int64{n}
	g.Initializer = append(g.Initializer[:i:i], g.Initializer[i+1:]...)
	g.SparseInitializer = append(g.SparseInitializer, &onnxpb.SparseTensorProto{Values: v, Dims: dims,
		Indices: &onnxpb.TensorProto{Dims: []int64{n}, DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Int64Data: at}})
	return fmt.Sprintf("%.40q is sparse, of extents %v", t.GetName(), dims)
}

// locations are where external data is said to be. The model stands alone in its folder, beside itself.
var locations = []string{"", ".", "mutant.onnx", "./mutant.onnx", "nosuch.bin", "../mutant.onnx", "/dev/zero", "/etc/passwd",
	"sub/../mutant.onnx", "a\x00b"}

func makeExternal(r *rand.Rand, m *onnxpb.ModelProto) string {
	g, i := anyInitializer(r, m)
	if g == nil {
		return ""
	}
	t := g.Initializer[i]
	where := some(r, locations)
	add := func(k, v string) {
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: &k, Value: &v})
	}
	add("location", where)
	if r.IntN(2) == 0 {
		add("offset", fmt.Sprint(some(r, extremes)))
	}
	if r.IntN(2) == 0 {
		add("length", fmt.Sprint(some(r, extremes)))
	}
	if r.IntN(6) == 0 {
		add(some(r, []string{"checksum", "location", "offset"}), some(r, names))
	}
	t.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	if r.IntN(4) > 0 {
		t.RawData, t.FloatData, t.Int64Data, t.Int32Data = nil, nil, nil, nil
	}
	return fmt.Sprintf("%.40q is in %q", t.GetName(), where)
}

// claimSize gives a tensor or a declared value extents that it has not.
func claimSize(r *rand.Rand, m *onnxpb.ModelProto) string {
	if r.IntN(2) == 0 {
		g, i := anyInitializer(r, m)
		if g == nil {
			return ""
		}
		t := g.Initializer[i]
		for range 1 + r.IntN(2) {
			if len(t.Dims) == 0 || r.IntN(4) == 0 {
				t.Dims = append(t.Dims, some(r, extremes))
			} else {
				t.Dims[r.IntN(len(t.Dims))] = some(r, extremes)
			}
		}
		if r.IntN(3) == 0 {
			t.RawData, t.FloatData, t.Int64Data = nil, nil, nil
		}
		return fmt.Sprintf("%.40q is %v", t.GetName(), t.Dims)
	}
	g := some(r, graphs(m))
	all := append(append(append([]*onnxpb.ValueInfoProto(nil), g.Input...), g.Output...), g.ValueInfo...)
	v, ok := anyOf(r, all)
	s := v.GetType().GetTensorType().GetShape()
	if !ok || s == nil {
		return ""
	}
	x := some(r, extremes)
	d := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: x}}
	if len(s.Dim) == 0 || r.IntN(4) == 0 {
		s.Dim = append(s.Dim, d)
	} else {
		s.Dim[r.IntN(len(s.Dim))] = d
	}
	return fmt.Sprintf("%.40q has an extent of %d", v.GetName(), x)
}

// changeElement changes the element type of an initializer or a declared value.
func changeElement(r *rand.Rand, m *onnxpb.ModelProto) string {
	to := int32(r.IntN(27))
	if r.IntN(2) == 0 {
		g, i := anyInitializer(r, m)
		if g == nil {
			return ""
		}
		g.Initializer[i].DataType = &to
		return fmt.Sprintf("%.40q has element type %d", g.Initializer[i].GetName(), to)
	}
	g := some(r, graphs(m))
	v, ok := anyOf(r, append(append([]*onnxpb.ValueInfoProto(nil), g.Input...), g.Output...))
	if !ok || v.GetType().GetTensorType() == nil {
		return ""
	}
	v.GetType().GetTensorType().ElemType = &to
	return fmt.Sprintf("%.40q is declared with element type %d", v.GetName(), to)
}

// changeMetadata says something of labels, preprocessing or targets.
func changeMetadata(r *rand.Rand, m *onnxpb.ModelProto) string {
	key := some(r, []string{"gtk.labels", "gtk.preprocess", "gtk.targets", "labels", "names", "x"})
	v := some(r, []string{
		"", "{", "[]", "{}", "null", "[\"a\",\"b\"]", "[1,2]", "a\nb\nc", `{"size":[2147483647,2147483647]}`,
		`{"size":[-1,0],"mean":[1e999],"std":[0,0,0]}`,
		`{"image_size":1000000000}`, `{"crop":-1,"resize":1e9,"channels":"x"}`, `{"version":99}`, "[\"\\u001b[31m\",\"=1+1\",\"\\n\"]",
		"[[[[[[[[[[[[[[[[[[[[",
		`[{"name":"y","mean":0,"std":0}]`, `{"a":{"a":{"a":1}}}`, some(r, names),
	})
	m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: &key, Value: &v})
	return fmt.Sprintf("%s is %.60q", key, v)
}

func changeVersion(r *rand.Rand, m *onnxpb.ModelProto) string {
	if r.IntN(3) == 0 || len(m.OpsetImport) == 0 {
		v := int64(r.IntN(16))
		m.IrVersion = &v
		return fmt.Sprintf("IR version %d", v)
	}
	o := some(r, m.OpsetImport)
	v := int64(r.IntN(30))
	if r.IntN(5) == 0 {
		v = some(r, extremes)
	}
	o.Version = &v
	return fmt.Sprintf("operator set %d", v)
}

// changeType turns the type of a declared value into a sequence, an optional, a sparse tensor or a map of it, or into each other deeply.
func changeType(r *rand.Rand, m *onnxpb.ModelProto) string {
	g := some(r, graphs(m))
	v, ok := anyOf(r, append(append([]*onnxpb.ValueInfoProto(nil), g.Input...), g.Output...))
	if !ok {
		return ""
	}
	t := v.GetType()
	if t == nil {
		t = &onnxpb.TypeProto{}
	}
	deep := some(r, []int{1, 1, 2, 200})
	for range deep {
		switch r.IntN(4) {
		case 0:
			t = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: t}}}
		case 1:
			t = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: t}}}
		case 2:
			t = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_MapType{MapType: &onnxpb.TypeProto_Map{KeyType: proto.Int32(7), ValueType: t}}}
		case 3:
			t = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SparseTensorType{SparseTensorType: &onnxpb.TypeProto_SparseTensor{
				ElemType: proto.Int32(1), Shape: t.GetTensorType().GetShape()}}}
		}
	}
	v.Type = t
	return fmt.Sprintf("%.40q has another type, %d deep", v.GetName(), deep)
}
