package job

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/check"
)

// CheckReport is what is wrong with a model by the letter of ONNX.
type CheckReport struct {
	Schema   string   `json:"schema"`
	Model    string   `json:"model"`
	Pass     bool     `json:"pass"`
	Problems []string `json:"problems"`
}

// Check looks at a model as strictly as ONNX is written, and compares the shapes that it declares with those that follow. Where something
// is wrong the report comes with a NoError.
func Check(path string, threads int) (*CheckReport, error) {
	m, err := readUnchecked(path)
	if err != nil {
		return nil, err
	}
	r := &CheckReport{Schema: "gtk.check/1", Model: path, Problems: []string{}}
	for _, err := range problems(m, threads) {
		r.Problems = append(r.Problems, err.Error())
	}
	if r.Pass = len(r.Problems) == 0; !r.Pass {
		return r, &NoError{fmt.Sprintf("%s is not valid ONNX", path)}
	}
	return r, nil
}

// readUnchecked reads a model of which nothing but its form is known.
func readUnchecked(path string) (*onnx.Model, error) {
	if path == "" || strings.HasPrefix(path, BuiltinPrefix) {
		return ReadModel(path)
	}
	return onnx.ReadFile(path)
}

// readStrictly is ReadModel with all problems in the error of a model that cannot be used.
func readStrictly(path string) (m *onnx.Model, problems []error, err error) {
	if m, err = readUnchecked(path); err != nil {
		return nil, nil, err
	}
	problems = check.Full(m)
	if m.Check() != nil {
		return nil, nil, badInput(errors.Join(problems...))
	}
	return m, problems, nil
}

// problems is what is wrong with m.
func problems(m *onnx.Model, threads int) []error {
	list := check.Full(m)
	if m.Check() == nil {
		list = append(list, engine.Contradictions(m, engine.WithThreads(threads))...)
	}
	return list
}
