package optim

// Lookahead is the rule that every so many steps takes the weights a share α of the way from where they were then to where they are now:
// s ← s + α·(w − s) and w ← s. It is the last rule of a chain.
//
// Source: Zhang et al., https://arxiv.org/abs/1907.08610, algorithm 1. What the rules before remember is kept at the synchronisation.
func Lookahead(every int, alpha float64) Finisher { return &lookahead{every, alpha} }

type lookahead struct {
	every int
	alpha float64
}

func (r *lookahead) Name() string                       { return "lookahead" }
func (r *lookahead) Slots() []string                    { return []string{"slow"} }
func (r *lookahead) Update32(_ Step, b *Block[float32]) { startAt(b, 0) }
func (r *lookahead) Update64(_ Step, b *Block[float64]) { startAt(b, 0) }
func (r *lookahead) Finish32(_ Step, b *Block[float32]) { lookaheadFinish(r, b) }
func (r *lookahead) Finish64(_ Step, b *Block[float64]) { lookaheadFinish(r, b) }

// startAt has a slot begin with the weights.
func startAt[T Float](b *Block[T], slot int) {
	if b.T == 1 {
		copy(b.Slot[slot], b.W)
	}
}

func lookaheadFinish[T Float](r *lookahead, b *Block[T]) {
	if b.T%r.every != 0 {
		return
	}
	alpha, w := T(r.alpha), b.W
	slow := b.Slot[0][:len(w)]
	for i := range w {
		slow[i] += alpha * (w[i] - slow[i])
		w[i] = slow[i]
	}
}
