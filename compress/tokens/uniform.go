package tokens

import (
	"context"

	"github.com/gtk-onnx/gtk/compress"
)

func init() {
	compress.Register("tome", func() compress.Method { return &ToMe{} },
		"vision transformers: each layer merges the same number of the most similar pairs of tokens", "https://arxiv.org/abs/2210.09461")
	compress.Register("prune", func() compress.Method { return &Prune{} },
		"vision transformers: each layer leaves out the same number of the least attended tokens", "https://arxiv.org/abs/2202.07800")
}

// ToMe merges the same number of pairs of tokens in each layer after the first.
//
// Source: Bolya et al. 2023 (arXiv 2210.09461): bipartite soft matching by keys, sizes, proportional attention. The tokens in front take no
// part; of the others the first, third … are those that are merged into.
type ToMe struct{}

// Prune leaves out the same number of patches in each layer after the first, those that the tokens of the head attend to least (EViT
// without the fused token, Liang et al. 2022, arXiv 2202.07800); with a head that reads the mean, those that all tokens attend to least.
type Prune struct{}

// Needs is the target.
func (*ToMe) Needs() compress.Needs { return compress.Needs{MACs: true} }

// Needs is the target.
func (*Prune) Needs() compress.Needs { return compress.Needs{MACs: true} }

// Plan says what was found in the model.
func (*ToMe) Plan(_ context.Context, s *compress.Subject) ([]string, error) {
	return plan(s, "the same number of pairs merged in each layer")
}

// Plan says what was found in the model.
func (*Prune) Plan(_ context.Context, s *compress.Subject) ([]string, error) {
	return plan(s, "the same number of tokens left out in each layer")
}

// Compress merges tokens.
func (*ToMe) Compress(ctx context.Context, s *compress.Subject) (*compress.Result, error) {
	return compressTokens(ctx, s, ByPairs, "uniform", func(_ context.Context, w *work) (Schedule, error) {
		sched := w.t.uniform(w.whole, w.target, func(from, to int) Kept {
			most := (from - w.t.Prefix) / 2 // pairs
			return Kept{from, max(to, from-most)}
		})
		if left := w.t.cost(w.whole, sched) / w.whole; left > s.MACs*1.02 {
			s.Note("a layer can merge half of its tokens at most: %.3g of the operations are left, not %g", left, s.MACs)
		}
		return sched, nil
	})
}

// Compress leaves tokens out.
func (*Prune) Compress(ctx context.Context, s *compress.Subject) (*compress.Result, error) {
	return compressTokens(ctx, s, ByRank, "uniform", func(_ context.Context, w *work) (Schedule, error) {
		return w.t.uniform(w.whole, w.target, func(_, to int) Kept { return Kept{to, to} }), nil
	})
}
