package engine

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// malformed is the error of a place in the file that breaks the rules of the format.
func (im *importer) malformed(where, msg string) error {
	return fmt.Errorf("engine: %w", &onnx.FormatError{Where: where, Msg: msg})
}

// arityOf checks the inputs, outputs and graphs that np has in the file against its operator.
func arityOf(spec *graph.Spec, np *onnxpb.NodeProto) error {
	var bodies []string
	for _, a := range np.GetAttribute() {
		if onnx.AttrType(a) == onnxpb.AttributeProto_GRAPH {
			bodies = append(bodies, a.GetName())
		}
	}
	return spec.Arity(present(np.GetInput(), spec.In), present(np.GetOutput(), spec.Out), bodies, true)
}

// constantArity is arityOf for a Constant, which is no node of a graph.
func constantArity(np *onnxpb.NodeProto) error {
	switch {
	case len(np.GetInput()) > 0:
		return fmt.Errorf("has %d inputs; Constant takes none", len(np.GetInput()))
	case len(np.GetOutput()) != 1:
		return fmt.Errorf("has %d outputs; Constant has 1", len(np.GetOutput()))
	case np.GetOutput()[0] == "":
		return errors.New("has no output 0 (output); Constant has 1")
	case len(np.GetAttribute()) != 1:
		return fmt.Errorf("has %d attributes; Constant takes 1, which is its value", len(np.GetAttribute()))
	}
	return nil
}

// present tells which of names are there. Those that are left out at the end do not count, but for the parts of a variadic formal, whose
// number says something.
func present(names []string, formals []graph.Formal) []bool {
	end := len(names)
	for end > 0 && names[end-1] == "" && !(len(formals) > 0 && end >= len(formals) && formals[len(formals)-1].Variadic) {
		end--
	}
	there := make([]bool, end)
	for i, name := range names[:end] {
		there[i] = name != ""
	}
	return there
}
