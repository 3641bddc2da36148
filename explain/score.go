package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Score is the number that is differentiated.
type Score string

// The scores of a class t with logits z and p = softmax(z) (sigmoid(z) for models that end in one). The probability saturates where the
// model is sure, and mixes the other classes in; the logit is the usual choice.
const (
	Logit   Score = "logit"   // z_t
	Prob    Score = "prob"    // p_t
	LogProb Score = "logprob" // log p_t
)

// Scores lists the scores.
var Scores = []Score{Logit, Prob, LogProb}

// Target names the class or classes to explain, for each image anew.
type Target struct {
	kind  targetKind
	class int
	label string
}

type targetKind int

const (
	targetArgmax targetKind = iota
	targetArgmin
	targetTop
	targetClass
	targetSign // class 1 or 0 of a model with one output
)

// Argmax is the class of the highest logit.
var Argmax = Target{}

// Positive and Negative are what speaks for and against the one output of a model: class 1 and class 0.
var (
	Positive = Target{kind: targetSign, class: 1}
	Negative = Target{kind: targetSign, class: 0}
)

// String is the target as ParseTarget reads it.
func (t Target) String() string {
	switch {
	case t.label != "":
		return t.label
	case t.kind == targetArgmin:
		return "argmin"
	case t.kind == targetTop:
		return fmt.Sprintf("top%d", t.class)
	case t.kind == targetSign:
		return []string{"negative", "positive"}[t.class]
	case t.kind == targetClass:
		return strconv.Itoa(t.class)
	}
	return "argmax"
}

// Class is the class k, counted from 0.
func Class(k int) Target { return Target{kind: targetClass, class: k} }

// maxTop is the largest K of topK.
const maxTop = 100

// ParseTarget reads argmax, argmin, topK (top3: the three highest), a class number, one of labels or, for a model with one output,
// positive or negative.
func ParseTarget(s string, labels []string) (Target, error) {
	t := strings.TrimSpace(s)
	if i := slices.Index(labels, t); i >= 0 {
		return Target{kind: targetClass, class: i, label: t}, nil
	}
	for i, l := range labels {
		if strings.EqualFold(l, t) {
			return Target{kind: targetClass, class: i, label: l}, nil
		}
	}
	switch t {
	case "argmax", "":
		return Argmax, nil
	case "argmin":
		return Target{kind: targetArgmin}, nil
	case "positive":
		return Positive, nil
	case "negative":
		return Negative, nil
	}
	if k, err := strconv.Atoi(t); err == nil {
		if k < 0 {
			return Target{}, fmt.Errorf("explain: target %d: classes are counted from 0", k)
		}
		return Class(k), nil
	}
	if rest, ok := strings.CutPrefix(t, "top"); ok {
		if k, err := strconv.Atoi(rest); err == nil {
			if k < 1 || k > maxTop {
				return Target{}, fmt.Errorf("explain: target %q: want top1 to top%d", t, maxTop)
			}
			return Target{kind: targetTop, class: k}, nil
		}
	}
	if len(labels) == 0 {
		return Target{}, fmt.Errorf("explain: target %q: want argmax, argmin, topK or a class number; for names the model needs labels", t)
	}
	return Target{}, fmt.Errorf("explain: target %q is not a label of the model%s; "+
		"want one of its %d labels, a class number, argmax, argmin or topK", t, didYouMean(t, labels), len(labels))
}

// classes are the classes that t means for logits z, best first.
func (t Target) classes(z []float32) ([]int, error) {
	switch t.kind {
	case targetClass, targetSign:
		if t.class >= len(z) {
			return nil, fmt.Errorf("explain: target class %d: the model has classes 0 to %d", t.class, len(z)-1)
		}
		return []int{t.class}, nil
	case targetTop:
		return ranked(z)[:min(t.class, len(z))], nil
	case targetArgmin:
		return ranked(z)[len(z)-1:], nil
	}
	return ranked(z)[:1], nil
}

// ranked are the classes by falling logit; ties go to the lower number, NaN last.
func ranked(z []float32) []int {
	order := make([]int, len(z))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(z[b], z[a]) })
	return order
}

// probabilities of logits z: softmax, or the sigmoid of each.
func probabilities(z []float32, sigmoid bool) []float64 {
	p := make([]float64, len(z))
	if sigmoid {
		for i, v := range z {
			p[i] = 1 / (1 + math.Exp(-float64(v)))
		}
		return p
	}
	top := math.Inf(-1)
	for _, v := range z {
		top = max(top, float64(v))
	}
	var sum float64
	for i, v := range z {
		p[i] = math.Exp(float64(v) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
