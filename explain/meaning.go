package explain

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
)

// meaning is what the scores z of head h seem to be, or why that is not known.
func (s *scoreTensor) meaning(h engine.Head, z graph.Value, t *trace, src source, o Objective) (ObjectiveKind, error) {
	switch {
	case o.Position != nil:
		return PositionScore, nil
	case o.Region != "":
		return RegionScore, nil
	case len(s.grid) == 0 && s.classes > 1:
		return ClassScore, nil
	case len(s.grid) == 0 && s.each:
		return BinaryScore, nil
	case len(s.grid) == 0:
		return OutputValue, nil
	case src.kind == KindPicture && s.boxes(t, z, src) != nil:
		return ByOutputs, s.boxes(t, z, src)
	case h.Activation == "" && s.classes == 1:
		return ByOutputs, fmt.Errorf("it has one number at each of %d positions, of which it is not known what they mean", s.positions())
	case h.Activation == "" && src.kind == KindPicture && s.classes == src.fed.C && s.positions() >= src.fed.H*src.fed.W:
		return ByOutputs, fmt.Errorf("it is of the form of the input, a picture more likely than %d classes at each position", s.classes)
	case h.Activation == "" && !t.weighed(z, map[graph.Value]bool{}):
		return ByOutputs, fmt.Errorf("it does not end in a layer of weights: hidden states more likely than %d classes at each position",
			s.classes)
	case src.kind == KindTokens:
		return PositionScore, nil
	}
	return RegionScore, nil
}

// weighed reports whether v comes from products with weights and nothing but shifts, scales, sums, views and resizing after them, as scores
// do, and hidden states, which a normalisation, an activation or a residual sum makes, do not. known are values that were looked at.
func (t *trace) weighed(v graph.Value, known map[graph.Value]bool) bool {
	if ok, seen := known[v]; seen {
		return ok
	}
	known[v] = false
	n := t.g.Info(v).Def
	if n == nil {
		return false
	}
	switch n.Op.Role {
	case graph.Linear:
		known[v] = true
	case graph.View, graph.Move, graph.Pool, graph.Arithmetic:
		known[v] = true
		for _, x := range n.In {
			if x != 0 && t.coords[x] != nil && t.values[x] == nil && !t.weighed(x, known) {
				known[v] = false
			}
		}
	}
	return known[v]
}

// boxes fails where the scores z are those of boxes that a detector finds in a picture, which are no area: on one axis instead of two, or
// beside an output that has four numbers at each of their positions.
func (s *scoreTensor) boxes(t *trace, z graph.Value, src source) error {
	for _, v := range t.g.Outputs {
		b := t.shapes[v]
		if v == z || s.axis <= 0 || len(b) != len(s.shape) || (b[s.axis] == 4) == (s.shape[s.axis] == 4) {
			continue
		}
		rest := slices.Clone(b)
		if rest[s.axis] = s.shape[s.axis]; !rest.Equal(s.shape) {
			continue
		}
		if b[s.axis] == 4 {
			return fmt.Errorf("%q has four numbers at each of its positions: scores of boxes, each for itself", t.g.Info(v).Name)
		}
		return fmt.Errorf("four numbers at each position, beside %q: corners of boxes, no classes", t.g.Info(v).Name)
	}
	if len(s.grid) == 1 && src.fed.H > 1 && src.fed.W > 1 {
		if v, err := newView(s.shape, s.rows, t.coords[z][0], t.places(z)); err == nil && v.H > 1 && v.W > 1 {
			return fmt.Errorf("the positions of the picture lie on one axis, as the boxes of a detector do, each for itself")
		}
	}
	return nil
}
