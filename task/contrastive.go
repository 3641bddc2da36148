package task

import "github.com/gtk-onnx/gtk/engine"

// Contrastive is a Task of an encoder that is trained by an objective over views of examples, not by labels. Its output is features; where
// the data have classes they are what the features are measured by.
const Contrastive Kind = "contrastive"

func init() {
	for _, m := range []struct {
		name, doc, source string
		lower             bool
	}{
		{"knn", "share of examples whose class that of their nearest neighbours among the training data is, by the features",
			"https://arxiv.org/abs/1805.01978 section 3.4", false},
		{"linear_probe", "accuracy of a linear classifier of the features, fitted on the training data", "https://arxiv.org/abs/1610.01644",
			false},
		{"contrast", "the objective on views of the data", "", true},
	} {
		metrics.Register(m.name, Metric{Lower: m.lower, Make: func(*Task) Meter { return nil }}, m.doc, m.source)
	}
}

// contrast is what a contrastive task is trained by.
type contrast struct {
	objective  Objective
	views      Views
	projection string
	labelled   bool // the data have classes to measure features by
}

// ForObjective is the task of a model whose output features is trained by the objective o, called name, of its output projection. labelled
// says that features are measured by the classes of the data, else by the objective alone. A batch has v.N views of each example.
func ForObjective(o Objective, name string, v Views, features, projection string, labelled bool, why ...string) *Task {
	return &Task{Kind: Contrastive, Head: engine.Head{Output: features, Logits: features}, Name: name, Why: why,
		contrast: &contrast{o, v, projection, labelled}}
}

// Views are those of a batch of a contrastive task; the zero value for others.
func (t *Task) Views() Views {
	if t.contrast == nil {
		return Views{}
	}
	return t.contrast.views
}

// Measured reports whether the features of a contrastive task are measured by classes.
func (t *Task) Measured() bool { return t.contrast != nil && t.contrast.labelled }

// Least is the least number of examples in a batch: those that the objective of a contrastive task needs, 1 for others.
func (t *Task) Least() int {
	if t.contrast == nil {
		return 1
	}
	return t.contrast.objective.Least()
}

// loss is the objective, a scalar.
func (c *contrast) loss() engine.Loss { return Contrast(c.objective, c.views, c.projection) }

// viewed is the truth of a batch of views: there is none, and each counts once.
func (t *Task) viewed(n int) *Truth {
	tr := &Truth{N: n, t: t, Terms: make([]float64, n)}
	for i := range tr.Terms {
		tr.Terms[i] = 1
	}
	return tr
}
