package graph

import (
	"cmp"
	"fmt"
	"slices"
)

// Set is a collection of operators, looked up by domain, name and operator-set version.
type Set struct {
	specs map[[2]string][]*Spec
}

// NewSet is an empty set.
func NewSet() *Set { return &Set{specs: map[[2]string][]*Spec{}} }

// Add adds s. It panics when a version of that operator is there already, an error of the program.
func (t *Set) Add(s *Spec) {
	key := [2]string{s.Domain, s.Name}
	for _, o := range t.specs[key] {
		for _, v := range s.Since {
			if slices.Contains(o.Since, v) {
				panic(fmt.Sprintf("graph: operator %s version %d is defined twice", s.Name, v))
			}
		}
	}
	t.specs[key] = append(t.specs[key], s)
}

// Find is the operator that opset defines name to be, with ok false when the set has none, or none that old or that new;
// known then tells whether the name exists in another version.
func (t *Set) Find(domain, name string, opset int) (s *Spec, known bool) {
	since := sinceAt(domain, name, opset)
	var best *Spec
	bestV := 0
	for _, o := range t.specs[[2]string{domain, name}] {
		known = true
		for _, v := range o.Since {
			if since > 0 && v == since {
				return o, true
			}
			if since == 0 && v <= opset && v > bestV {
				best, bestV = o, v
			}
		}
	}
	return best, known
}

// All lists the operators by domain, name and version.
func (t *Set) All() []*Spec {
	var all []*Spec
	for _, s := range t.specs {
		all = append(all, s...)
	}
	slices.SortFunc(all, func(a, b *Spec) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Since[0], b.Since[0]))
	})
	return all
}

// Names lists the operator names of a domain.
func (t *Set) Names(domain string) []string {
	var names []string
	for k := range t.specs {
		if k[0] == domain {
			names = append(names, k[1])
		}
	}
	slices.Sort(names)
	return names
}

// SinceAt is the version of ONNX's definition of the operator that is in force at opset, or 0 when ONNX's own
// domains do not have it.
func SinceAt(domain, name string, opset int) int { return sinceAt(domain, name, opset) }

func sinceAt(domain, name string, opset int) int {
	if domain == "ai.onnx" {
		domain = ""
	}
	best := 0
	for _, v := range onnxVersions[domain+"/"+name] {
		if v <= opset && v > best {
			best = v
		}
	}
	return best
}
