package optim

func init() {
	register(Info{
		Name: "schedulefree-sgd", LR: 1, Schedule: "constant",
		Doc:    "Schedule-Free SGD: an average of the weights in place of a falling learning rate",
		Source: "https://arxiv.org/abs/2405.15682 algorithm 1",
		make:   func() Rule { return &scheduleFreeSGD{Average: 0.9} },
	})
}

// scheduleFreeSGD is [ScheduleFree] on the gradient.
//
// Source: Defazio et al., https://arxiv.org/abs/2405.15682, equations 1 to 3.
type scheduleFreeSGD struct {
	Average float64 `opt:"averaging" range:"[0, 1]" doc:"share of the average in the point at which gradients are taken"`
}

func (r *scheduleFreeSGD) Name() string              { return "schedulefree-sgd" }
func (r *scheduleFreeSGD) parts(decay []Rule) []Rule { return append(decay, ScheduleFree(r.Average)) }
