package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// functionName is what a node calls a function by.
type functionName struct{ domain, name, overload string }

func nameOf(f *onnxpb.FunctionProto) functionName {
	return functionName{normalDomain(f.GetDomain()), f.GetName(), f.GetOverload()}
}

// functionIndex finds the functions of a list by name.
type functionIndex struct {
	list   []*onnxpb.FunctionProto
	byName map[functionName]*onnxpb.FunctionProto
}

// of reports whether the index is that of list.
func (x *functionIndex) of(list []*onnxpb.FunctionProto) bool {
	return x != nil && len(x.list) == len(list) && &x.list[0] == &list[0] && x.list[len(list)-1] == list[len(list)-1]
}

// fewFunctions are looked through one by one.
const fewFunctions = 4

// Function is the function of the model that a node calls, nil if it calls an operator. Functions must not be renamed once one was asked
// for.
func (m *Model) Function(n *onnxpb.NodeProto) *onnxpb.FunctionProto {
	list := m.Proto.GetFunctions()
	key := functionName{normalDomain(n.GetDomain()), n.GetOpType(), n.GetOverload()}
	if len(list) <= fewFunctions {
		for _, f := range list {
			if nameOf(f) == key {
				return f
			}
		}
		return nil
	}
	x := m.functions.Load()
	if !x.of(list) {
		x = &functionIndex{list, make(map[functionName]*onnxpb.FunctionProto, len(list))}
		for _, f := range list {
			if _, dup := x.byName[nameOf(f)]; !dup {
				x.byName[nameOf(f)] = f
			}
		}
		m.functions.Store(x)
	}
	return x.byName[key]
}

func functionKey(domain, name, overload string) string {
	return fmt.Sprintf("%q.%q:%q", normalDomain(domain), name, overload)
}
