package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// SVMClassifier is a support-vector classifier. For X [N,C] it gives the label Y [N] and the scores Z. With support vectors
// (vectors_per_class), a pair of classes i < j has the decision value Σ coefficients·kernel + rho, a vote for i where it is above 0, and
// the class with most votes wins, the first of equals. With prob_a and prob_b, Z [N,K] are the probabilities that couple those of the
// pairs; else Z are the decision values: [N,K(K-1)/2], of two classes (-d, d). Without support vectors, Z [N,K] are the scores of a
// linear model, the highest wins. post_transform applies to Z, of two classes without probabilities as that of LinearClassifier.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html; what it leaves open as in ONNX Runtime. Coupling: T.-F. Wu,
// C.-J. Lin, R. C. Weng, Probability estimates for multi-class classification by pairwise coupling, JMLR 5 (2004), algorithm 2.
var SVMClassifier = new(graph.Spec)

type svmClassifierAttrs struct {
	LabelInts      []int     `onnx:"classlabels_ints"`
	LabelStrings   []string  `onnx:"classlabels_strings"`
	Coefficients   []float32 `onnx:"coefficients"`
	KernelParams   []float32 `onnx:"kernel_params"`
	KernelType     string    `onnx:"kernel_type,default=LINEAR"`
	PostTransform  string    `onnx:"post_transform,default=NONE"`
	ProbA          []float32 `onnx:"prob_a"`
	ProbB          []float32 `onnx:"prob_b"`
	Rho            []float32 `onnx:"rho"`
	SupportVectors []float32 `onnx:"support_vectors"`
	PerClass       []int     `onnx:"vectors_per_class"`

	built lazy[*svmClassifier]
}

type svmClassifier struct {
	*svm
	labels
	pairs  bool  // has support vectors
	start  []int // of the vectors of each class, and the end
	coef   []float64
	rho    []float64
	pa, pb []float64
	post   transform
}

func (a *svmClassifierAttrs) model() (*svmClassifier, error) { return a.built.get(a.build) }

func (a *svmClassifierAttrs) build() (*svmClassifier, error) {
	names, err := labelsOf("classlabels_ints", a.LabelInts, "classlabels_strings", a.LabelStrings)
	if err != nil {
		return nil, err
	}
	post, err := transformOf(a.PostTransform)
	if err != nil {
		return nil, err
	}
	k := names.count()
	m := &svmClassifier{labels: names, pairs: len(a.PerClass) > 0, start: []int{0}, coef: widened(a.Coefficients), rho: widened(a.Rho),
		pa: widened(a.ProbA), pb: widened(a.ProbB), post: post}
	if !m.pairs {
		if len(m.rho) > 1 && len(m.rho) != k {
			return nil, fmt.Errorf("attribute rho has %d elements, want one, or one for each of %d classes", len(m.rho), k)
		}
		if m.svm, err = svmOf("LINEAR", nil, a.Coefficients, k); err != nil {
			return nil, fmt.Errorf("attribute coefficients: %w", err)
		}
		return m, nil
	}
	for _, n := range a.PerClass {
		last := m.start[len(m.start)-1]
		if n < 0 || n > len(a.SupportVectors) {
			return nil, fmt.Errorf("attribute vectors_per_class has %d", n)
		}
		m.start = append(m.start, last+n)
	}
	total, pairs := m.start[len(m.start)-1], k*(k-1)/2
	switch {
	case len(a.PerClass) != k || k < 2:
		return nil, fmt.Errorf("attribute vectors_per_class has %d elements, there are %d classes", len(a.PerClass), k)
	case len(m.coef) != total*(k-1):
		return nil, fmt.Errorf("attribute coefficients has %d elements, want %d, %d for each of %d support vectors", len(m.coef), total*(k-1),
			k-1, total)
	case len(m.rho) != pairs:
		return nil, fmt.Errorf("attribute rho has %d elements, want %d, one for each pair of classes", len(m.rho), pairs)
	case len(m.pa) != len(m.pb) || len(m.pa) != 0 && len(m.pa) != pairs:
		return nil, fmt.Errorf("attributes prob_a and prob_b have %d and %d elements, want none or %d", len(m.pa), len(m.pb), pairs)
	}
	if m.svm, err = svmOf(a.KernelType, a.KernelParams, a.SupportVectors, total); err != nil {
		return nil, fmt.Errorf("attribute support_vectors: %w", err)
	}
	return m, nil
}

// columns of the scores.
func (m *svmClassifier) columns() int {
	k := m.labels.count()
	if m.pairs && len(m.pa) == 0 && k > 2 {
		return k * (k - 1) / 2
	}
	return k
}

func init() {
	define(SVMClassifier, graph.Def[svmClassifierAttrs]{
		Name: "SVMClassifier", Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: classifierOut(),
		Types: classifierTypes(func(a *svmClassifierAttrs) ([]int, []string) { return a.LabelInts, a.LabelStrings }),
		Check: func(a *svmClassifierAttrs, _ *graph.Node) error {
			_, err := a.model()
			return err
		},
		Infer: func(a *svmClassifierAttrs, c *graph.InferCtx) error {
			m, err := a.model()
			if err != nil {
				return err
			}
			rows, err := m.rows(c)
			c.Out(0, rows)
			c.Out(1, rows, m.columns())
			return err
		},
		Run: func(a *svmClassifierAttrs, c *graph.RunCtx) error {
			m, err := a.model()
			if err != nil {
				return err
			}
			return m.run(c, func(row int, kernels []float64) {
				best, z := m.decide(kernels)
				if c.Want(0) {
					m.set(c.Out[0], row, best)
				}
				if c.Want(1) {
					copy(c.Out[1].F32()[row*len(z):], z)
				}
			})
		},
	})
}

// decide is the class and the scores of a row, whose kernels with all vectors are given.
func (m *svmClassifier) decide(kernels []float64) (best int, z []float32) {
	k := m.labels.count()
	if !m.pairs {
		for i, v := range kernels {
			switch len(m.rho) {
			case 0:
			case 1:
				v += m.rho[0]
			default:
				v += m.rho[i]
			}
			z = append(z, float32(v))
		}
		best = top(z)
		m.post.apply(z)
		return best, z
	}
	votes := make([]int, k)
	var values []float32
	for i := range k {
		for j := i + 1; j < k; j++ {
			sum := 0.0
			for v := m.start[i]; v < m.start[i+1]; v++ {
				sum += m.coef[(j-1)*m.svm.count+v] * kernels[v]
			}
			for v := m.start[j]; v < m.start[j+1]; v++ {
				sum += m.coef[i*m.svm.count+v] * kernels[v]
			}
			sum += m.rho[len(values)]
			if sum > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
			values = append(values, float32(sum))
		}
	}
	for c, v := range votes {
		if v > votes[best] {
			best = c
		}
	}
	switch {
	case len(m.pa) > 0:
		z = m.probabilities(values)
		m.post.apply(z)
	case k == 2:
		z = twoFromOne(values[0], m.post, m.post == none)
	default:
		z = values
		m.post.apply(z)
	}
	return best, z
}

// probabilities are those of the classes, from the decision values of the pairs.
func (m *svmClassifier) probabilities(values []float32) []float32 {
	const least = 1e-7
	k := m.labels.count()
	r := make([]float64, k*k) // r[i,j] is the probability of i among i and j
	for i, at := 0, 0; i < k; i++ {
		for j := i + 1; j < k; j++ {
			p := 1 - float64(sigmoid(values[at]*float32(m.pa[at])+float32(m.pb[at])))
			p = min(max(p, least), 1-least)
			r[i*k+j], r[j*k+i] = p, 1-p
			at++
		}
	}
	return narrowed(couple(r, k))
}

// couple is the p that minimises Σ (r[j,i]·p[i] - r[i,j]·p[j])² with Σ p = 1: the algorithm 2 of Wu, Lin and Weng.
func couple(r []float64, k int) []float64 {
	q := make([]float64, k*k)
	for i := range k {
		for j := range k {
			if j == i {
				continue
			}
			q[i*k+i] += r[j*k+i] * r[j*k+i]
			q[i*k+j] = -r[j*k+i] * r[i*k+j]
		}
	}
	p, qp := make([]float64, k), make([]float64, k)
	for i := range p {
		p[i] = 1 / float64(k)
	}
	for range max(100, k) {
		pqp := 0.0
		for i := range k {
			qp[i] = 0
			for j := range k {
				qp[i] += q[i*k+j] * p[j]
			}
			pqp += p[i] * qp[i]
		}
		worst := 0.0
		for i := range k {
			worst = max(worst, abs(qp[i]-pqp))
		}
		if worst < 0.005/float64(k) {
			break
		}
		for i := range k {
			d := (pqp - qp[i]) / q[i*k+i]
			p[i] += d
			pqp = (pqp + d*(d*q[i*k+i]+2*qp[i])) / (1 + d) / (1 + d)
			for j := range k {
				qp[j] = (qp[j] + d*q[i*k+j]) / (1 + d)
				p[j] /= 1 + d
			}
		}
	}
	return p
}

func abs(x float64) float64 { return max(x, -x) }
