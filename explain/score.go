package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
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
)

// Argmax is the class of the highest logit.
var Argmax = Target{}

// Class is the class k, counted from 0.
func Class(k int) Target { return Target{kind: targetClass, class: k} }

// maxTop is the largest K of topK.
const maxTop = 100

// ParseTarget reads argmax, argmin, topK (top3: the three highest), a class number, or one of labels.
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
	return Target{}, fmt.Errorf("explain: target %q is not a label of the model%s; want one of its %d labels, a class number, argmax, argmin or topK", t, didYouMean(t, labels), len(labels))
}

// classes are the classes that t means for logits z, best first.
func (t Target) classes(z []float32) ([]int, error) {
	switch t.kind {
	case targetClass:
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

// seedRow sets dst, of the shape of one row of logits, to the derivative of the score of class t by the logits.
func (s Score) seedRow(dst []float64, z []float32, t int, sigmoid bool) {
	clear(dst)
	if s == Logit {
		dst[t] = 1
		return
	}
	p := probabilities(z, sigmoid)
	switch {
	case s == Prob && sigmoid:
		dst[t] = p[t] * (1 - p[t])
	case s == LogProb && sigmoid:
		dst[t] = 1 - p[t]
	default:
		for k := range dst {
			d := -p[k]
			if k == t {
				d++
			}
			if s == Prob {
				d *= p[t]
			}
			dst[k] = d
		}
	}
}

// value is the score of class t.
func (s Score) value(z []float32, t int, sigmoid bool) float64 {
	switch s {
	case Prob:
		return probabilities(z, sigmoid)[t]
	case LogProb:
		if sigmoid {
			return -math.Log1p(math.Exp(-float64(z[t])))
		}
		// log p_t = -log sum_k exp(z_k - z_t), from the largest term
		top := float64(slices.Max(z))
		var sum float64
		for _, v := range z {
			sum += math.Exp(float64(v) - top)
		}
		return float64(z[t]) - top - math.Log(sum)
	}
	return float64(z[t])
}

// head reads the logits tensor of a model: the class axis is 1, the last one of [N,T,K]; other axes are positions, over which the
// score is the mean.
type head struct{ classes, positions, before int }

// headOf understands the logits of a batch of n.
func headOf(t *tensor.Tensor, n int) (head, error) {
	s := t.Shape()
	bad := fmt.Errorf("explain: the score tensor is %v for a batch of %d; need one row of class scores for each image, such as [N,classes]", t, n)
	if t.DType() != tensor.Float32 && t.DType() != tensor.Float64 || t.Len() == 0 {
		return head{}, bad
	}
	switch {
	case len(s) == 1 && s[0] == n:
		return head{1, 1, 1}, nil
	case len(s) == 1 && n == 1:
		return head{s[0], 1, 1}, nil
	case len(s) < 2 || s[0] != n:
		return head{}, bad
	case len(s) == 3:
		return head{s[2], s[1], s[1]}, nil
	}
	k := s[1]
	return head{k, t.Len() / n / k, 1}, nil
}

// at is where class k of position u of row r is.
func (h head) at(r, k, u int) int {
	if h.before > 1 {
		return (r*h.before+u)*h.classes + k
	}
	return (r*h.classes+k)*h.positions + u
}

// rows are the class scores of each row of t: means over the positions.
func (h head) rows(t *tensor.Tensor, n int) [][]float32 {
	x := t.Float64s()
	out := make([][]float32, n)
	for r := range out {
		out[r] = make([]float32, h.classes)
		for k := range out[r] {
			var sum float64
			for u := range h.positions {
				sum += x[h.at(r, k, u)]
			}
			out[r][k] = float32(sum / float64(h.positions))
		}
	}
	return out
}

// seed is a tensor like the logits t with the rows given by class, spread evenly over the positions.
func (h head) seed(d tensor.DType, shape []int, rows [][]float64) *tensor.Tensor {
	x := make([]float64, tensor.Shape(shape).Len())
	for r, row := range rows {
		for k, v := range row {
			for u := range h.positions {
				x[h.at(r, k, u)] = v / float64(h.positions)
			}
		}
	}
	if d == tensor.Float64 {
		return tensor.From(x, shape...)
	}
	return tensor.From(float32s(x), shape...)
}
