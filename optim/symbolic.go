package optim

import (
	"errors"
	"fmt"
	"strings"
)

// Expr is an expression that an [Algebra] made: a number, or as many numbers as a parameter has elements.
type Expr int32

// Algebra writes arithmetic down instead of doing it, so that the same chain of rules can become part of a graph. A number
// meets a parameter element by element; numbers, those that depend on the step among them, are of double precision until then.
type Algebra interface {
	Const(v float64) Expr
	Add(x, y Expr) Expr
	Sub(x, y Expr) Expr
	Mul(x, y Expr) Expr
	Div(x, y Expr) Expr
	Pow(x, y Expr) Expr
	Min(x, y Expr) Expr
	Max(x, y Expr) Expr
	Abs(x Expr) Expr
	Sqrt(x Expr) Expr
	Sigmoid(x Expr) Expr
	// SumSquares is the sum of the squares of all elements of x, a number.
	SumSquares(x Expr) Expr
	// Sign is −1, 0 or 1.
	Sign(x Expr) Expr
	// Positive is x where c, a number or a parameter, is above zero, and y elsewhere.
	Positive(c, x, y Expr) Expr
	// First is x in the first step, where t is 1, and y in all others.
	First(t, x, y Expr) Expr
}

// Symbolic is a rule that can be written down: what a step does as expressions. Not all rules are: of those that New makes by name,
// Info.Symbolic says it.
type Symbolic interface {
	Rule
	// Express rewrites U of each variable as a step does, and Slot, which are the rule's own. t is the number of the step, from 1.
	Express(a Algebra, t Expr, vs []*Variable)
}

// Variable is a parameter as an expression: what Param and Block are to a rule that computes.
type Variable struct {
	Name  string
	Decay bool   // whether weight decay applies
	W, G  Expr   // weights and gradient
	Slot  []Expr // what the optimiser remembers: of all rules in the order of Slots, for a rule its own
	U     Expr   // the update: first the gradient, which each rule rewrites
}

// Slots names what the optimiser remembers of each element of a parameter, as "rule.slot", in the order of [Optimizer.State].
func (o *Optimizer) Slots() []string {
	names := make([]string, len(o.slots))
	for i, s := range o.slots {
		names[i] = s.name
	}
	return names
}

// Express writes a step down: it replaces W and Slot of each variable by what they are after the step number t, from 1, of the
// learning rate lr. Every variable takes part from the first step on. The check for finite gradients is not part of it, since
// expressions cannot refuse. It fails for a rule that is not [Symbolic].
func (o *Optimizer) Express(a Algebra, t, lr Expr, vs []*Variable) error {
	switch e := o.evaluate.(type) {
	case *SAM:
		return errors.New("optim: sam takes a second gradient elsewhere, and a training step in ONNX has one")
	case *MeZO:
		return errors.New("optim: a step of mezo is two runs of the model, which no graph of one step can be")
	case Descender:
		return fmt.Errorf("optim: %s runs the model as often as it needs to, which no graph of one step can do", e.Name())
	}
	for _, r := range o.rules {
		if _, ok := r.(Symbolic); !ok {
			return fmt.Errorf("optim: %s cannot be written as expressions, as a training step in ONNX needs; there are %s, with weight "+
				"decay and clip-norm", r.Name(), strings.Join(symbolicRules(), ", "))
		}
	}
	at := 0
	for _, v := range vs {
		if len(v.Slot) != len(o.slots) {
			return fmt.Errorf("optim: variable %q has %d slots, the chain %d", v.Name, len(v.Slot), len(o.slots))
		}
		v.U = v.G
	}
	for _, r := range o.rules {
		s := r.(Symbolic)
		n := 0
		for _, slot := range o.slots[at:] {
			if !strings.HasPrefix(slot.name, r.Name()+".") {
				break
			}
			n++
		}
		own := make([]*Variable, len(vs))
		for i, v := range vs {
			c := *v
			c.Slot = append([]Expr{}, v.Slot[at:at+n]...)
			own[i] = &c
		}
		s.Express(a, t, own)
		for i, v := range vs {
			v.U = own[i].U
			copy(v.Slot[at:at+n], own[i].Slot)
		}
		at += n
	}
	for _, v := range vs {
		v.W = a.Sub(v.W, a.Mul(lr, v.U))
	}
	return nil
}

// symbolicRules are the names of the rules that can be written down.
func symbolicRules() (names []string) {
	for name, r := range Rules() {
		if r.Symbolic {
			names = append(names, name)
		}
	}
	return names
}

// mix is β·x + (1−β)·y.
func mix(a Algebra, beta float64, x, y Expr) Expr {
	return a.Add(a.Mul(a.Const(beta), x), a.Mul(a.Const(1-beta), y))
}

// correction is 1 − βᵗ.
func correction(a Algebra, beta float64, t Expr) Expr {
	return a.Sub(a.Const(1), a.Pow(a.Const(beta), t))
}
