package optim

// EMA is the rule that keeps an average of the weights, e ← β·e + (1−β)·w after each step, from e = w before the first. It changes no step;
// the average is what is measured and kept. See [Averaging].
//
// Source: Polyak and Juditsky 1992 in the exponential form of https://arxiv.org/abs/1512.00567, section 8. With min(β, (1+t)/(10+t)) in
// place of β, so that the first steps are forgotten, as in
// https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage.
func EMA(beta float64) Averaging { return ema(beta) }

type ema float64

func (r ema) Name() string                       { return "ema" }
func (r ema) Slots() []string                    { return []string{"average"} }
func (r ema) Average() string                    { return "average" }
func (r ema) Update32(_ Step, b *Block[float32]) { startAt(b, 0) }
func (r ema) Update64(_ Step, b *Block[float64]) { startAt(b, 0) }
func (r ema) Finish32(_ Step, b *Block[float32]) { emaFinish(r, b) }
func (r ema) Finish64(_ Step, b *Block[float64]) { emaFinish(r, b) }

func emaFinish[T Float](r ema, b *Block[T]) {
	in := T(1 - min(float64(r), float64(1+b.T)/float64(10+b.T)))
	e := b.Slot[0][:len(b.W)]
	for i, w := range b.W {
		e[i] += in * (w - e[i])
	}
}
