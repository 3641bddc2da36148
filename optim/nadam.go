package optim

import (
	"math"
	"sync"
)

func init() {
	register(Info{
		Name: "nadam", LR: 2e-3,
		Doc:    "Adam with Nesterov's look-ahead",
		Source: "https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
		make:   func() Rule { return &nadam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decay: 4e-3, products: &products{}} },
	})
}

// nadam is u ← ((1−μₜ)·u/(1−Πₜ) + μₜ₊₁·m/(1−Πₜ₊₁))/(√v̂ + ε) with m and v as Adam's, v̂ = v/(1−β2ᵗ), μₜ = β1·(1 − ½·0.96^(t·ψ)) and Πₜ the
// product of μ₁ to μₜ.
//
// Source: Dozat, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, with the schedule of μ that
// https://pytorch.org/docs/stable/generated/torch.optim.NAdam.html takes from it. The products are of t alone, so they are not saved.
type nadam struct {
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	Decay float64 `opt:"momentum-decay" range:"[0, ∞)" doc:"how fast nadam's momentum reaches beta1"`

	products *products
}

// products are Π₀, Π₁ … as far as they were asked for.
type products struct {
	mu  sync.Mutex
	all []float64
}

func (r *nadam) mu(t int) float64 { return r.Beta1 * (1 - 0.5*math.Pow(0.96, float64(t)*r.Decay)) }

// product is Πₜ.
func (r *nadam) product(t int) float64 {
	p := r.products
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = []float64{1}
	}
	for n := len(p.all); n <= t; n++ {
		p.all = append(p.all, p.all[n-1]*r.mu(n))
	}
	return p.all[t]
}

func (r *nadam) Name() string                       { return "nadam" }
func (r *nadam) Slots() []string                    { return []string{"m", "v"} }
func (r *nadam) Update32(_ Step, b *Block[float32]) { nadamUpdate(r, b) }
func (r *nadam) Update64(_ Step, b *Block[float64]) { nadamUpdate(r, b) }

func nadamUpdate[T Float](r *nadam, b *Block[T]) {
	mu, next, prod := r.mu(b.T), r.mu(b.T+1), r.product(b.T)
	cg, cm := T((1-mu)/(1-prod)), T(next/(1-prod*next))
	_, d2 := corrections(r.Beta1, r.Beta2, b.T)
	c2, eps := T(d2), T(r.Eps)
	b1, n1, b2, n2 := T(r.Beta1), T(1-r.Beta1), T(r.Beta2), T(1-r.Beta2)
	u, raw := b.U, b.raw()
	m, v := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	for i, g := range u {
		m[i] = b1*m[i] + n1*g
		v[i] = b2*v[i] + n2*raw[i]*raw[i]
		u[i] = quotient(cg*g+cm*m[i], c2*root(v[i])+eps)
	}
}

// quotient is x/y, and 0 for 0/0: where an element never had a gradient and nothing is added to the denominator.
func quotient[T Float](x, y T) T {
	if x == 0 {
		return 0
	}
	return x / y
}
