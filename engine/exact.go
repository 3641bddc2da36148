package engine

import "github.com/gtk-onnx/gtk/engine/ops"

// SetExact has all models of the process compute convolutions as their sums say, or, which is how it begins, by the fastest way. For 3×3
// weights and stride 1 that is often Winograd's F(4×4, 3×3) (https://arxiv.org/abs/1509.09308), whose results differ from the exact ones by
// up to 32·2⁻²⁴ of the largest sum of magnitudes Σ|x|·|w| among the outputs, where those of plain sums differ by about a third of that; in
// a picture with NaN or infinity in it they reach a few pixels farther. It holds for sessions that are made from then on.
func SetExact(on bool) { ops.SetExact(on) }
