package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/job"
)

// opRow is a row of gtk ops --json.
type opRow struct {
	Domain      string   `json:"domain"`
	Op          string   `json:"op"`
	Since       []int    `json:"since"`
	Types       []string `json:"types"`
	Forward     bool     `json:"forward"`
	Gradient    bool     `json:"gradient"`
	SecondOrder bool     `json:"second_order"`
	JVP         bool     `json:"jvp"`
	PerExample  bool     `json:"per_example"`
	Kernels     []string `json:"kernels"`
	Doc         string   `json:"doc"`
}

// operatorRows are the operators as the command lists them, the definitions of one operator joined: what one version can, the others
// can too, as their rules are shared.
func operatorRows() (onnx, private []opRow, err error) {
	out, err := gtk("ops", "--private", "--json")
	if err != nil {
		return nil, nil, err
	}
	var r struct{ Ops []opRow }
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return nil, nil, err
	}
	for _, o := range r.Ops {
		list := &onnx
		if o.Domain == "gtk" {
			list = &private
		}
		if n := len(*list); n > 0 && (*list)[n-1].Op == o.Op && (*list)[n-1].Domain == o.Domain {
			last := &(*list)[n-1]
			last.Since = append(last.Since, o.Since...)
			slices.Sort(last.Since)
			last.Forward = last.Forward || o.Forward
			last.Gradient = last.Gradient || o.Gradient
			last.SecondOrder = last.SecondOrder || o.SecondOrder
			last.JVP = last.JVP || o.JVP
			last.PerExample = last.PerExample || o.PerExample
			if len(last.Kernels) == 0 {
				last.Kernels = o.Kernels
			}
			if len(last.Types) > 0 { // the newest takes the most
				last.Types = o.Types
			}
			continue
		}
		*list = append(*list, o)
	}
	return onnx, private, nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func operatorTable(context) (string, error) {
	rows, _, err := operatorRows()
	if err != nil {
		return "", err
	}
	t := newTable("operator", "versions of ONNX's definition", "runs", "types", "gradient", "second order", "JVP",
		"per example", "kernel")
	for _, o := range rows {
		name := o.Op
		if o.Domain != "ai.onnx" {
			name = o.Domain + "." + name
		}
		if strings.HasPrefix(o.Doc, "http") {
			name = "[" + name + "](" + o.Doc + ")"
		}
		t.row(name, commas(o.Since), yes(o.Forward), job.ShortTypes(o.Types), yes(o.Gradient), yes(o.SecondOrder), yes(o.JVP),
			yes(o.PerExample), strings.Join(o.Kernels, " "))
	}
	return t.String(), nil
}

func privateTable(context) (string, error) {
	_, rows, err := operatorRows()
	if err != nil {
		return "", err
	}
	t := newTable("operator", "what", "gradient", "second order", "per example")
	for _, o := range rows {
		t.row(code("gtk."+o.Op), o.Doc, yes(o.Gradient), yes(o.SecondOrder), yes(o.PerExample))
	}
	return t.String(), nil
}

// missingOperators lists the operators of ONNX that are not there, by domain.
func missingOperators(context) (string, error) {
	rows, _, err := operatorRows()
	if err != nil {
		return "", err
	}
	have := map[string]bool{}
	for _, o := range rows {
		have[o.Domain+"/"+o.Op] = true
	}
	all, err := onnxOperators()
	if err != nil {
		return "", err
	}
	var order []string
	missing := map[string][]string{}
	for _, o := range all {
		d := o.domain
		if d == "" {
			d = "ai.onnx"
		}
		if have[d+"/"+o.name] {
			continue
		}
		if missing[d] == nil {
			order = append(order, d)
		}
		missing[d] = append(missing[d], o.name)
	}
	if len(order) == 0 {
		return "Nothing: all operators of ONNX 1.22 are there.", nil
	}
	t := newTable("domain", "", "not there")
	for _, d := range order {
		t.row(code(d), fmt.Sprint(len(missing[d])), strings.Join(missing[d], ", "))
	}
	return t.String(), nil
}

// operatorSummary counts.
func operatorSummary(c context) (string, error) {
	rows, private, err := operatorRows()
	if err != nil {
		return "", err
	}
	all, err := onnxOperators()
	if err != nil {
		return "", err
	}
	total, known := map[string]int{}, map[string]int{} // by domain
	standard := map[string]bool{}
	for _, o := range all {
		d := cmp.Or(o.domain, "ai.onnx")
		total[d]++
		standard[d+"/"+o.name] = true
	}
	var versions, older, gradient, second, jvp, per int
	seen := map[string]bool{}
	for _, o := range rows {
		versions += len(o.Since)
		key := o.Domain + "/" + o.Op
		switch {
		case standard[key] && !seen[key]:
			known[o.Domain]++
		case !standard[key]:
			older++
		}
		seen[key] = true
		for count, is := range map[*int]bool{&gradient: o.Gradient, &second: o.SecondOrder, &jvp: o.JVP, &per: o.PerExample} {
			if is {
				*count++
			}
		}
	}
	var domains []string
	for _, d := range slices.Sorted(maps.Keys(known)) {
		domains = append(domains, fmt.Sprintf("%d of %d in `%s`", known[d], total[d], d))
	}
	return fmt.Sprintf("%d operators in %d versions. Of those of ONNX 1.22 there are %s; %d are older ones that it has dropped, or of other "+
		"domains. %d have a gradient, %d a second one, %d forward mode (JVP), %d a rule for per-example gradients. "+
		"%d private operators serve gradients and fusion. "+
		"The %s also says what is missing.",
		len(rows), versions, strings.Join(domains, ", "), older, gradient, second, jvp, per, len(private),
		c.link("whole table", "docs/operators.md")), nil
}
