package cli

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "ops", Usage: "list the operators that run, and what can be differentiated", ArgsUsage: "[NAME…]",
		Flags: []ucli.Flag{
			&ucli.BoolFlag{Name: "private", Usage: "list gtk's own operators, of gradients and fusions, too"},
			&ucli.BoolFlag{Name: "list", Usage: "names and sources only"},
		},
	}, opsCommand))
}

type opsReport struct {
	Schema string  `json:"schema"`
	Ops    []opRow `json:"ops"`
}

type opRow struct {
	Domain      string `json:"domain"`
	Op          string `json:"op"`
	Since       []int  `json:"since"`
	Forward     bool   `json:"forward"`
	Gradient    bool   `json:"gradient"`
	SecondOrder bool   `json:"second_order"`
	PerExample  bool   `json:"per_example"`
	Doc         string `json:"doc"`
	none        bool
}

func opsCommand(_ context.Context, e *env, c *ucli.Context) error {
	want := map[string]bool{}
	for _, a := range c.Args().Slice() {
		want[a] = true
	}
	r := opsReport{Schema: "gtk.ops/1", Ops: []opRow{}}
	seen := map[string]bool{}
	for _, s := range ops.Standard.All() {
		if s.Domain == ops.Private && !c.Bool("private") || len(want) > 0 && !want[s.Name] {
			continue
		}
		seen[s.Name] = true
		domain := s.Domain
		if domain == "" {
			domain = "ai.onnx"
		}
		row := opRow{domain, s.Name, s.Since, s.HasRun() || s.HasLower(), s.HasGrad(), secondOrder(s), s.HasPerExample(), s.Doc, !differentiable(s)}
		r.Ops = append(r.Ops, row)
	}
	for name := range want {
		if !seen[name] {
			return usagef("there is no operator %q%s; see gtk ops", name, suggestion(name, append(ops.Standard.Names(""), ops.Standard.Names(ops.Private)...)))
		}
	}
	if c.Bool("list") {
		t := e.newTable()
		for _, o := range r.Ops {
			t.row(opName(strings.TrimPrefix(o.Domain, "ai.onnx"), o.Op), o.Doc)
		}
		if err := t.flush(); err != nil {
			return err
		}
		return e.emit(r)
	}
	t := e.newTable()
	t.row("operator", "since", "runs", "gradient", "per example")
	gradients, differentiables := 0, 0
	for _, o := range r.Ops {
		g, p := yes(o.Gradient), yes(o.PerExample)
		if !o.none {
			differentiables++
		}
		if o.Gradient {
			gradients++
		}
		if o.none && !o.Gradient {
			g = "-"
		}
		if !o.PerExample {
			p = ""
		}
		t.row(opName(strings.TrimPrefix(o.Domain, "ai.onnx"), o.Op), strings.Trim(fmt.Sprint(o.Since), "[]"), yes(o.Forward), g, p)
	}
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("%d entries; %d of %d through which a gradient can flow have one\n", len(r.Ops), gradients, differentiables)
	return e.emit(r)
}

// secondOrder reports whether the gradient of an operator can be differentiated again: it tries, on a node with default attributes, and
// where those are not enough (a size or a type that has no default), with 1 for the numbers that are 0.
func secondOrder(s *graph.Spec) bool {
	if !s.HasGrad() || len(s.Out) == 0 {
		return false
	}
	if s.Control() { // its gradient is of operators with bodies again
		return true
	}
	attrs := s.NewAttrs()
	if differentiableTwice(s, attrs) {
		return true
	}
	v := reflect.ValueOf(attrs).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() && f.CanInt() && f.Int() == 0 {
			f.SetInt(1)
		}
	}
	return differentiableTwice(s, attrs)
}

// differentiableTwice tries to differentiate a node of operator s with these attributes, and then its gradient.
func differentiableTwice(s *graph.Spec, attrs any) bool {
	g := graph.New("")
	b := graph.NewBuilder(g)
	var in, wrt []graph.Value
	for _, f := range s.In {
		if f.Optional {
			break
		}
		d := tensor.Float32
		if len(f.Types) > 0 && !slices.Contains(f.Types, d) {
			d = f.Types[0]
		}
		v := g.AddInput(f.Name, d, nil)
		in = append(in, v)
		if d.IsFloat() && !f.NoGrad {
			wrt = append(wrt, v)
		}
	}
	n := b.AddNode("n", s, attrs, in, []bool{true})
	if n == nil || len(wrt) == 0 {
		return false
	}
	dx, err := grad.Reverse(g, []grad.Seed{{Y: n.Out[0], DY: g.AddInput("dy", g.Info(n.Out[0]).DType, nil)}}, wrt, grad.Options{})
	if err != nil {
		return false
	}
	var seeds []grad.Seed
	for _, v := range dx {
		if v != 0 {
			seeds = append(seeds, grad.Seed{Y: v, DY: g.AddInput("u", g.Info(v).DType, nil)})
		}
	}
	_, err = grad.Reverse(g, seeds, wrt, grad.Options{})
	return err == nil
}
