package ops_test

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

const assemblyAbout = "# Operators whose kernel runs assembly in a case of the tests, and for which instruction sets.\n" +
	"# Written by: go test ./engine/ops -run '^TestAssembly$' -update\n"

// probeCases are operators on more numbers than their cases have, for kernels that begin at some length: all that take one such input.
func probeCases() (probes []opCase) {
	for _, s := range ops.Standard.All() {
		others := slices.ContainsFunc(s.In[min(1, len(s.In)):], func(f graph.Formal) bool { return !f.Optional })
		if !s.HasRun() || s.Control() || s.Domain == ops.Private || len(s.In) == 0 || others ||
			s.In[0].Types != nil && !slices.Contains(s.In[0].Types, tensor.Float32) {
			continue
		}
		c := opCase{domain: s.Domain, op: s.Name, opset: s.Since[len(s.Since)-1], in: []arg{{shape: []int{2, 8, 16, 16}, gen: normal}}}
		if _, err := c.build(tensor.Float32, true); err == nil { // the attributes that a node must have are in the cases
			probes = append(probes, c)
		}
	}
	fixed := func(t *tensor.Tensor) arg { return arg{fixed: t} }
	return append(probes, opCase{op: "QuantizeLinear", in: []arg{{shape: []int{8, 64}, gen: normal},
		fixed(tensor.Scalar(float32(0.1))), fixed(tensor.Scalar(int8(3)))}})
}

// TestAssembly runs all cases under each instruction set of the machine and compares which operators came to a kernel in assembly with
// the table that gtk ops shows. Of an instruction set that the machine lacks nothing is compared.
func TestAssembly(t *testing.T) {
	isas := slices.DeleteFunc(kernel.ISAs(), func(i kernel.ISA) bool { return i == kernel.Generic })
	if len(isas) == 0 {
		t.Skip("this build or machine has no kernels in assembly")
	}
	all := slices.Concat(cases, probeCases())
	found := map[string][]string{}
	for _, isa := range isas {
		var calls atomic.Int64
		restore, ok := kernel.Watch(isa, func() { calls.Add(1) })
		if !ok {
			t.Fatalf("%v cannot be forced", isa)
		}
		for i, c := range all {
			p, err := c.build(tensor.Float32, true)
			if err != nil {
				t.Fatalf("%v: %v", c, err)
			}
			name := c.domain + "." + c.op
			if op := p.node.Op; !op.HasRun() || op.Control() || c.domain == ops.Private || slices.Contains(found[name], isa.String()) {
				continue
			}
			before := calls.Load()
			if _, err := p.runOnce(nil, p.feeds, p.node.Out); err != nil && i < len(cases) {
				t.Fatalf("%v: %v", c, err)
			}
			if calls.Load() > before {
				found[name] = append(found[name], isa.String())
			}
		}
		restore()
	}
	var table strings.Builder
	table.WriteString(assemblyAbout)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		table.WriteString(name + " " + strings.Join(found[name], " ") + "\n")
	}
	if flag.Lookup("update").Value.String() == "true" {
		if len(isas) < 2 {
			t.Fatal("the table is written on a machine that has AVX2 and AVX-512")
		}
		if err := os.WriteFile("assembly.txt", []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, s := range ops.Standard.All() {
		if s.Domain == ops.Private || s.Control() {
			continue
		}
		for _, isa := range isas {
			has := slices.Contains(found[s.Domain+"."+s.Name], isa.String())
			if listed := slices.Contains(ops.Assembly(s), isa.String()); has != listed {
				t.Errorf("%s.%s: assembly for %v %v, assembly.txt says %v: run this test with -update", s.Domain, s.Name, isa, has, listed)
			}
		}
	}
}
