package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// extendsFrom is, by operator, the version from which on later versions only take more: more element types, inputs and attributes that
// may be left out and then mean what they meant. A node that is valid in such a version means the same in all later ones.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
var extendsFrom = map[string]int{
	"Abs": 6, "Add": 7, "And": 7, "ArgMax": 1, "ArgMin": 1, "AveragePool": 7, "Cast": 6, "Ceil": 6, "Clip": 11, "Concat": 4, "Constant": 1,
	"ConstantOfShape": 9, "Conv": 1, "ConvTranspose": 1, "Cos": 7, "CumSum": 11, "DepthToSpace": 1, "Div": 7, "Dropout": 12, "Einsum": 12,
	"Elu":   6,
	"Equal": 7, "Erf": 9, "Exp": 6, "Expand": 8, "Flatten": 1, "Floor": 6, "GRU": 7, "Gather": 1, "GatherElements": 11, "GatherND": 11,
	"Gemm":              7,
	"GlobalAveragePool": 1, "GlobalMaxPool": 1, "Greater": 7, "GreaterOrEqual": 12, "HardSigmoid": 6, "HardSwish": 14, "Identity": 1,
	"If":                    11,
	"InstanceNormalization": 6, "LRN": 1, "LSTM": 7, "LayerNormalization": 17, "LeakyRelu": 6, "Less": 7, "LessOrEqual": 12, "Log": 6,
	"LogSoftmax": 13, "MatMul": 1, "Max": 8, "MaxPool": 1, "Mean": 8, "Min": 8, "Mul": 7, "Neg": 6, "NonZero": 9, "Not": 1, "OneHot": 11,
	"Or":    7,
	"PRelu": 7, "Pad": 11, "Pow": 7, "RNN": 7, "Range": 11, "Reciprocal": 6, "ReduceL1": 18, "ReduceL2": 18, "ReduceMax": 18,
	"ReduceMean": 18,
	"ReduceMin":  18, "ReduceProd": 18, "ReduceSum": 13, "ReduceSumSquare": 18, "Relu": 6, "Reshape": 5, "ScatterElements": 11,
	"ScatterND": 11,
	"Selu":      6, "Shape": 1, "Sigmoid": 6, "Sign": 9, "Sin": 7, "Size": 1, "Slice": 10, "Softmax": 13, "Softplus": 1, "Softsign": 1,
	"SpaceToDepth": 1,
	"Sqrt":         6, "Squeeze": 13, "Sub": 7, "Sum": 8, "Tanh": 6, "Tile": 6, "TopK": 11, "Transpose": 1, "Trilu": 14, "Unsqueeze": 13,
	"Where": 9, "Xor": 7,
}

// Upgrade changes the version of the default operator set of m to one of 1 to LatestOpset. It does so only where no operator of the model
// means something else, or is written differently, in the new version; those where it does are listed in an error.
// since is the version of an operator, of the default domain, in an operator set: the newest that is not newer than the set; 0 for none.
func (m *Model) Upgrade(to int64, since func(op string, opset int) int) error {
	from := m.Opset("")
	switch {
	case to < 1 || to > LatestOpset:
		return fmt.Errorf("onnx: there is no operator set %d; they are 1 to %d", to, LatestOpset)
	case from == to:
		return nil
	}
	found := map[string]int{}
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		if normalDomain(n.GetDomain()) == "" && !sameMeaning(n, int(from), int(to), since) {
			found[n.GetOpType()]++
		}
	})
	var errs []error
	for op, k := range found {
		errs = append(errs, &UnsupportedError{File: m.Path, Where: fmt.Sprintf("%s (%d of them)", op, k), Feature: fmt.Sprintf(
			"conversion from operator set %d to %d, which changes it; export the model with the operator set you need", from, to)})
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return errors.Join(errs...)
	}
	if len(m.Proto.GetOpsetImport()) == 0 { // as in IR versions 1 and 2
		m.Proto.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: new("")}}
	}
	for _, o := range m.Proto.OpsetImport {
		if normalDomain(o.GetDomain()) == "" {
			o.Version = &to
		}
	}
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, a := range n.GetAttribute() {
			if t := AttrType(a); a.Type == nil && t != onnxpb.AttributeProto_UNDEFINED {
				a.Type = &t // which the new version must have
			}
		}
	})
	for _, f := range m.Proto.GetFunctions() {
		for _, o := range f.OpsetImport {
			if normalDomain(o.GetDomain()) == "" {
				o.Version = &to
			}
		}
	}
	if ir := NewModel(&onnxpb.GraphProto{}, to).Proto.GetIrVersion(); m.Proto.GetIrVersion() < ir {
		m.Proto.IrVersion = &ir
	}
	return nil
}

// sameMeaning reports whether n means the same in two operator sets.
func sameMeaning(n *onnxpb.NodeProto, from, to int, since func(op string, opset int) int) bool {
	a, b := since(n.GetOpType(), from), since(n.GetOpType(), to)
	if a == b {
		return true
	}
	if a == 0 || b < a {
		return false
	}
	if n.GetOpType() == "BatchNormalization" && a >= 9 {
		return len(n.GetOutput()) == 1 // its other outputs were renamed and given another meaning in 14
	}
	least, ok := extendsFrom[n.GetOpType()]
	return ok && a >= least
}
