package feed

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/tensor"
)

// open adds to the error of a node what was fed along axes that the file leaves open: it may take fewer sizes than it says, as a language
// model does with a table of positions. A look-up by the very numbers that were fed fails for another reason, which it says.
func (p *Plan) open(err error, fed map[string]*tensor.Tensor) error {
	var node *exec.NodeError
	if !errors.As(err, &node) {
		return err
	}
	for _, in := range p.m.Inputs() {
		x := fed[in.Name]
		if x == nil || x.Rank() != len(in.Dims) || x.DType().IsInt() && slices.Contains(node.In, x.String()) {
			continue
		}
		for i, d := range in.Dims {
			if i != p.m.BatchAxis(in.Name) && d.Size < 0 {
				return fmt.Errorf("%w; it was fed %v for %v, and may not take every size of axis %d: ?length=N behind text:FILE and ?in=N "+
					"behind window:FILE make examples of N", err, x, in, i)
			}
		}
	}
	return err
}
