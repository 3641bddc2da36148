package task

import (
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// link is how logits are had from what a model gives. Models end in Sigmoid and Softmax in many guises: sliced, clipped, averaged,
// joined, as one less it, or computed otherwise. What provably lies in [0,1] is a probability then and not a logit, whatever made it.
type link string

const (
	linkNone  link = ""      // they are logits, or the value before the final activation
	linkLog   link = "log"   // a distribution over the classes: the softmax of its logarithm is itself
	linkLogit link = "logit" // probabilities, each for itself: log p - log(1-p)
)

// leastProbability keeps logarithms finite.
const leastProbability = 1e-37

// logits is v, the value called Head.Logits, as logits.
func (t *Task) logits(b *engine.Build, v graph.Value) graph.Value {
	d := b.DType(v)
	at := func(v graph.Value) graph.Value {
		return b.Add(ops.Log, nil, b.Add(ops.Max, nil, v, b.Scalar(d, leastProbability)))
	}
	switch t.link {
	case linkLog:
		return at(v)
	case linkLogit:
		return b.Add(ops.Sub, nil, at(v), at(b.Add(ops.Sub, nil, b.Scalar(d, 1), v)))
	}
	return v
}

// logit is logits for one number.
func (l link) logit(p float64) float64 {
	at := func(p float64) float64 { return math.Log(max(p, leastProbability)) }
	switch l {
	case linkLog:
		return at(p)
	case linkLogit:
		return at(p) - at(1-p)
	}
	return p
}

// sigmoids reports whether each class has a probability of its own: behind a Sigmoid, or by the link.
func (t *Task) sigmoids() bool { return t.Head.Activation == sigmoid || t.link == linkLogit }
