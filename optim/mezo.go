package optim

func init() {
	register(Info{
		Name: "mezo", LR: 1e-4, Evaluates: "the loss of two forward passes a step",
		Doc:    "MeZO: sgd along gradients estimated from two forward passes, for what has none",
		Source: "https://arxiv.org/abs/2305.17333",
		make:   func() Rule { return &mezo{Eps: 1e-3} },
	})
}

// mezo is sgd of gradients that a MeZO estimates. Its usual rate is far below that of a true gradient, for the estimate is longer by about
// the root of the number of trained parameters.
type mezo struct {
	Eps       float64 `opt:"mezo-eps" range:"(0, ∞)" doc:"how far from the weights the two passes of mezo are"`
	Momentum  float64 `opt:"momentum" range:"[0, 1)" doc:"momentum"`
	Dampening float64 `opt:"dampening" range:"[0, 1]" doc:"dampening of the momentum"`
	Nesterov  bool    `opt:"nesterov" doc:"Nesterov's momentum"`
}

// MeZO says that gradients are estimated: (L(w + ε·z) − L(w − ε·z))/2ε · z, z standard normal. Step is handed the estimate.
type MeZO struct{ Eps float64 }

func (*MeZO) evaluation() {}

func (r *mezo) Name() string              { return "mezo" }
func (r *mezo) sgd() *sgd                 { return &sgd{r.Momentum, r.Dampening, r.Nesterov} }
func (r *mezo) check() error              { return r.sgd().check() }
func (r *mezo) parts(decay []Rule) []Rule { return append([]Rule{r.sgd()}, decay...) }
func (r *mezo) estimate() *MeZO           { return &MeZO{r.Eps} }
