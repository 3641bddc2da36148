package graph

import (
	"fmt"
	"slices"
	"strings"
)

// ArityError says that a node has inputs, outputs or bodies that its operator does not take, or lacks some that it needs.
type ArityError struct {
	Op   *Spec
	Got  string // what is wrong with the node, for example "has no input 1 (W)"
	Want string // what the operator takes, for example "2 or 3 inputs (X, W, optional B)"
}

// Error is for example "has no input 1 (W); Conv takes 2 or 3 inputs (X, W, optional B)".
func (e *ArityError) Error() string {
	return fmt.Sprintf("%s; %s takes %s", e.Got, e.Op.Name, e.Want)
}

// Arity checks what a node has against the formals of its operator: which inputs and outputs are there, and the attributes that hold its
// bodies. A node of a file has none that are private. The error is an *ArityError.
func (s *Spec) Arity(in, out []bool, bodies []string, file bool) error {
	if err := s.arity("input", s.In, in, file); err != nil {
		return err
	}
	if err := s.arity("output", s.Out, out, file); err != nil {
		return err
	}
	return s.arityOfBodies(bodies)
}

// arity checks the inputs or outputs of a node; there tells which have a name.
func (s *Spec) arity(side string, formals []Formal, there []bool, file bool) error {
	if file {
		formals = public(formals)
	}
	for i := range max(len(there), len(formals)) {
		f := formal(formals, i)
		switch {
		case f == nil:
			return s.arityError(side, formals, fmt.Sprintf("has %s", count(len(there), side)))
		case i < len(there) && there[i]:
		case f.Variadic && side == "output" && i < len(there): // one that nobody wants
		case f.Optional && (!f.Variadic || i >= len(there)):
		case len(there) == 0:
			return s.arityError(side, formals, fmt.Sprintf("has no %ss", side))
		default:
			return s.arityError(side, formals, fmt.Sprintf("has no %s %d (%s)", side, i, f.Name))
		}
	}
	return nil
}

// public is the formals of ONNX; private ones come last.
func public(formals []Formal) []Formal {
	if i := slices.IndexFunc(formals, func(f Formal) bool { return f.Private }); i >= 0 {
		return formals[:i]
	}
	return formals
}

func (s *Spec) arityOfBodies(bodies []string) error {
	got := ""
	for i, name := range bodies {
		switch {
		case !slices.Contains(s.Bodies, name):
			got = fmt.Sprintf("has a graph in attribute %s", name)
		case slices.Contains(bodies[:i], name):
			got = fmt.Sprintf("has two graphs in attribute %s", name)
		default:
			continue
		}
		break
	}
	for _, name := range s.Bodies {
		if got == "" && !s.Loose && !slices.Contains(bodies, name) {
			got = fmt.Sprintf("has no graph in attribute %s", name)
		}
	}
	switch {
	case got == "":
		return nil
	case len(s.Bodies) == 0:
		return &ArityError{s, got, "no graphs"}
	}
	return &ArityError{s, got, "graphs in " + strings.Join(s.Bodies, " and ")}
}

func (s *Spec) arityError(side string, formals []Formal, got string) error {
	least, most := 0, len(formals)
	var names []string
	for i, f := range formals {
		name := f.Name
		switch {
		case f.Variadic:
			name, most = name+" …", -1
		case f.Optional:
			name = "optional " + name
		}
		if !f.Optional {
			least = i + 1
		}
		names = append(names, name)
	}
	want := ""
	switch {
	case most == 0:
		want = "no " + side + "s"
	case most < 0:
		want = "at least " + count(least, side)
	case least == most:
		want = count(most, side)
	case least+1 == most:
		want = fmt.Sprintf("%d or %s", least, count(most, side))
	default:
		want = fmt.Sprintf("%d to %s", least, count(most, side))
	}
	if len(names) > 0 {
		want += " (" + strings.Join(names, ", ") + ")"
	}
	return &ArityError{s, got, want}
}

// count is for example "1 input" or "3 inputs".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
