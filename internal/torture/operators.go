//go:build linux

package torture

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// operator is what mutants know of an operator that gtk has.
type operator struct {
	domain, name string
	needed, most int      // inputs
	outputs      int      // that it must have
	attributes   []string // names
}

// operators are those of all domains but the private one, each name once.
var operators = sync.OnceValue(func() (all []operator) {
	at := map[[2]string]int{}
	for _, s := range ops.Standard.All() {
		o := operator{domain: s.Domain, name: s.Name, most: len(s.In)}
		for _, f := range s.In {
			if !f.Optional {
				o.needed++
			}
			if f.Variadic {
				o.most += 2
			}
		}
		for _, f := range s.Out {
			if !f.Optional {
				o.outputs++
			}
		}
		t := reflect.TypeOf(s.NewAttrs()).Elem()
		for i := range t.NumField() {
			if tag, ok := t.Field(i).Tag.Lookup("onnx"); ok {
				name, _, _ := strings.Cut(tag, ",")
				o.attributes = append(o.attributes, name)
			}
		}
		key := [2]string{s.Domain, s.Name}
		switch k, there := at[key]; {
		case s.Domain == ops.Private:
		case there:
			all[k] = o // the newest
		default:
			at[key] = len(all)
			all = append(all, o)
		}
	}
	return all
})

// attributesOf are the names of the attributes of n's operator, nil when gtk does not have it.
func attributesOf(n *onnxpb.NodeProto) []string {
	for _, o := range operators() {
		if o.name == n.GetOpType() && o.domain == n.GetDomain() {
			return o.attributes
		}
	}
	return nil
}

// anyOperator is an operator, one of ONNX's own more often than not, whose domain m imports from then on.
func anyOperator(r *rand.Rand, m *onnxpb.ModelProto) operator {
	o := some(r, operators())
	for range r.IntN(2) {
		if o.domain != "" {
			o = some(r, operators())
		}
	}
	has := func(s *onnxpb.OperatorSetIdProto) bool { return s.GetDomain() == o.domain }
	if o.domain != "" && !slices.ContainsFunc(m.OpsetImport, has) {
		version := int64(1)
		if o.domain == "ai.onnx.ml" {
			version = int64(1 + r.IntN(5))
		}
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(o.domain), Version: &version})
	}
	return o
}
