package optim

// ClipValue is the rule u ← sign(u)·min(|u|, limit) for each element. Rules with a second moment take it of the gradient that is not
// clipped, as after [ClipCoord].
//
// Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html, but for the second moment.
func ClipValue(limit float64) Elementwise { return clipValue(limit) }

type clipValue float64

func (r clipValue) Name() string                       { return "clip-value" }
func (r clipValue) Slots() []string                    { return nil }
func (r clipValue) Update32(_ Step, b *Block[float32]) { clampUpdate(float64(r), b) }
func (r clipValue) Update64(_ Step, b *Block[float64]) { clampUpdate(float64(r), b) }
func (r clipValue) keepsRaw()                          {}
