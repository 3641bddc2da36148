package job

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/regular"
)

// classWeights is the list of weights that the loss takes: that of a file where spec is neither a list nor balanced. A file has a weight
// for each class, one a line, in the order of the classes, or behind their names and a comma, a colon or a tab, in any order.
func classWeights(spec string, classes []string) (string, error) {
	if spec == "" || spec == "balanced" || !slices.ContainsFunc(strings.Split(spec, ","), func(s string) bool {
		_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return err != nil
	}) {
		return spec, nil
	}
	if _, err := os.Stat(spec); err != nil {
		return "", usagef("--class-weights %s: want balanced, a weight for each class as 1,2,0.5, or a file of weights (%v)", spec, err)
	}
	b, err := regular.Read(spec, 1<<20)
	if err != nil {
		return "", err
	}
	bad := func(line int, format string, args ...any) error {
		return badInput(fmt.Errorf("--class-weights %s: line %d: %s", spec, line, fmt.Sprintf(format, args...)))
	}
	var plain []string
	named := map[string]string{}
	for n, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		line = strings.TrimSpace(line)
		at := strings.LastIndexAny(line, ",:\t")
		weight := strings.TrimSpace(line[at+1:])
		if v, err := strconv.ParseFloat(weight, 64); err != nil || !(v >= 0) || v-v != 0 {
			return "", bad(n+1, "%q is no weight of at least 0", weight)
		}
		if at < 0 {
			plain = append(plain, weight)
			continue
		}
		name := strings.TrimSpace(line[:at])
		if len(classes) > 0 && !slices.Contains(classes, name) {
			return "", bad(n+1, "%v", &registry.UnknownError{Kind: "class", Name: name, Known: classes})
		}
		if _, twice := named[name]; twice {
			return "", bad(n+1, "class %q is there twice", name)
		}
		named[name] = weight
	}
	switch {
	case len(named) == 0:
		return strings.Join(plain, ","), nil
	case len(plain) > 0:
		return "", badInput(fmt.Errorf("--class-weights %s: some lines have a name and some have not", spec))
	case len(classes) == 0:
		return "", badInput(fmt.Errorf("--class-weights %s: the classes of the data have no names: give one weight a line", spec))
	}
	for _, c := range classes {
		w, ok := named[c]
		if !ok {
			return "", badInput(fmt.Errorf("--class-weights %s: no weight for the class %q", spec, c))
		}
		plain = append(plain, w)
	}
	return strings.Join(plain, ","), nil
}

// classNames are the classes in the order of the model's outputs.
func (l *Model) classNames(ds data.Dataset) []string {
	if l.Labels != nil {
		return l.Labels
	}
	return ds.Classes()
}

// maySample refuses a sampler that says nothing about the training.
func (t *trainee) maySample(o TrainOptions) error {
	switch {
	case o.Sampler == "importance":
		return t.mayChoose(o)
	case o.Sampler != "balanced":
		return nil
	case o.KeepOrder:
		return usagef("--sampler balanced has an order of its own: it goes without --shuffle=false")
	case o.ClassWeights == "balanced":
		return usagef("--sampler balanced and --class-weights balanced make up for the same: give one of them")
	case t.task != nil && (!t.task.HasClasses() || t.task.Positions()):
		return usagef("--sampler balanced is for data with one class for each example, and this is a %s task", t.task.Kind)
	case data.Balanced(t.train, 0) == nil:
		return usagef("--sampler balanced goes by the class numbers of the examples, and these have none")
	}
	return nil
}
