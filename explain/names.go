package explain

import "fmt"

// name finds the names of the choices among the labels. Labels that are not as many as the classes are those of something else.
func (e *Explainer) name() error {
	labels, n := e.c.Labels, e.net.goal.count()
	one := false // number stands for two classes
	switch g := e.net.goal.(type) {
	case *expression:
		labels, n = nil, 0
	case *single:
		one = !g.values()
		if g.values() && len(labels) == 1 {
			e.names = []string{labels[0] + lowers, labels[0]}
			e.retarget()
			return nil
		}
	case *dense:
		one = g.classes == 1
	case *position:
		if labels == nil && len(e.c.Tokens) == n {
			labels = e.c.Tokens
		}
	}
	switch {
	case labels == nil:
	case len(labels) == n:
		e.names = labels
	case one && len(labels) == 1:
		e.names = []string{"not " + labels[0], labels[0]}
		e.retarget()
	default:
		for _, t := range e.c.Targets {
			if t.label != "" {
				return fmt.Errorf("explain: target %v: there are %d labels and output %q has %d classes, so that it is not known which is meant: "+
					"give a number", t, len(labels), e.head.Output, n)
			}
		}
		e.warn(fmt.Sprintf("there are %d labels and output %q has %d classes: the labels are left out", len(labels), e.head.Output, n))
	}
	return nil
}

// retarget lets a target that is the only label mean the number that it names.
func (e *Explainer) retarget() {
	for i, t := range e.c.Targets {
		if t.label != "" {
			e.c.Targets[i] = Target{kind: targetClass, class: 1, label: t.label}
		}
	}
}

// prediction describes choice k of an example.
func (e *Explainer) prediction(r reading, k int) Prediction {
	p := e.net.goal.about(r, k)
	if k < len(e.names) {
		p.Label = e.names[k]
	}
	return p
}
