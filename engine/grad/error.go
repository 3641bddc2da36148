package grad

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/shown"
)

// Error collects, by node, why a graph cannot be differentiated.
type Error struct {
	Nodes []NodeError
	From  []string // names of the values that were asked for and act through these nodes
}

// NodeError is the reason for one node.
type NodeError struct {
	Node   *graph.Node
	Within []*graph.Node // nodes whose bodies hold it, the outermost first
	Err    error
}

// Error lists all nodes, and says what to do.
func (e *Error) Error() string {
	var nodes []string
	const most = 12
	for i, n := range e.Nodes {
		if i == most && len(e.Nodes) > most+1 {
			nodes = append(nodes, fmt.Sprintf("and %d more nodes", len(e.Nodes)-most))
			break
		}
		s := ""
		for _, w := range n.Within {
			s += w.Label() + ": "
		}
		nodes = append(nodes, s+n.Node.Label()+": "+n.Err.Error())
	}
	s := "grad: " + strings.Join(nodes, "; ")
	if len(e.From) == 0 {
		return s
	}
	return s + fmt.Sprintf("; %s: freeze these parameters or choose a later layer, or export the model without the operator",
		actors(e.From))
}

// actors says which values act through a node: the first few by name.
func actors(names []string) string {
	const few = 3
	var quoted []string
	for _, n := range names[:min(few, len(names))] {
		quoted = append(quoted, shown.Quote(n))
	}
	list, verb := strings.Join(quoted, ", "), "act"
	if len(names) > few {
		list += fmt.Sprintf(" and %d more", len(names)-few)
	}
	if len(names) == 1 {
		verb = "acts"
	}
	return list + " " + verb + " through it"
}

// Is reports whether target is among the reasons, for example graph.ErrNoGradient.
func (e *Error) Is(target error) bool {
	return slices.ContainsFunc(e.Nodes, func(n NodeError) bool { return errors.Is(n.Err, target) })
}

// fail records that n cannot be differentiated by the inputs that need it; what failed in a body of n is named by its own node.
func (s *sweep) fail(n *graph.Node, need []bool, err error) {
	for k, v := range n.In {
		if need[k] {
			s.stuck = append(s.stuck, v)
		}
	}
	inner, ok := errors.AsType[*Error](err)
	if ok {
		inner.From = nil // this sweep knows what was asked for
	}
	if !ok || len(n.Bodies) == 0 {
		s.failed = append(s.failed, NodeError{Node: n, Err: err})
		return
	}
	for _, f := range inner.Nodes {
		f.Within = append([]*graph.Node{n}, f.Within...)
		s.failed = append(s.failed, f)
	}
}

// through names those of the values asked for on which the inputs of the nodes that failed depend.
func (s *sweep) through(asked []graph.Value) []string {
	var names []string
	rows := graph.Carries(s.g, asked, s.stuck)
	for k, v := range asked {
		if slices.ContainsFunc(rows, func(r []bool) bool { return r[k] }) {
			names = append(names, s.g.Info(v).Name)
		}
	}
	return names
}
