package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"go/format"
	"slices"
	"strconv"
	"strings"
)

//go:embed versions.tsv
var versionsTSV string

// operator is a line of versions.tsv.
type operator struct {
	domain, name string
	versions     []int
}

// onnxOperators reads versions.tsv.
func onnxOperators() ([]operator, error) {
	var all []operator
	for i, line := range strings.Split(strings.TrimSpace(versionsTSV), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("versions.tsv:%d: %d columns, want 3", i+1, len(f))
		}
		op := operator{domain: f[0], name: f[1]}
		for _, s := range strings.Split(f[2], ",") {
			v, err := strconv.Atoi(s)
			if err != nil || v < 1 || len(op.versions) > 0 && v <= op.versions[len(op.versions)-1] {
				return nil, fmt.Errorf("versions.tsv:%d: versions %q are not ascending numbers", i+1, f[2])
			}
			op.versions = append(op.versions, v)
		}
		if op.domain == "ai.onnx" {
			op.domain = ""
		}
		all = append(all, op)
	}
	return all, nil
}

// versionTable is engine/graph/zz_versions.go.
func versionTable() ([]byte, error) {
	ops, err := onnxOperators()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`// Code generated from the operator change log of ONNX v1.22.0 (docs/Operators.md, docs/Operators-ml.md); DO NOT EDIT.

package graph

// onnxVersions lists, by "domain/name", the operator-set versions at which ONNX changed the definition of an operator.
var onnxVersions = map[string][]int{
`)
	slices.SortFunc(ops, func(a, b operator) int { return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.name, b.name)) })
	for _, op := range ops {
		fmt.Fprintf(&b, "\t%q: {%s},\n", op.domain+"/"+op.name, commas(op.versions))
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

// commas is for example "1, 6, 13".
func commas(v []int) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = strconv.Itoa(x)
	}
	return strings.Join(s, ", ")
}
