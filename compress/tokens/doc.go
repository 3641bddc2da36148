// Package tokens makes vision transformers faster by leaving tokens out: it finds the attention layers in the file of any exporter, follows
// the tokens through all nodes after them, and puts in what orders, leaves out and merges tokens, in ONNX's own operators and with constant
// shapes. Find says what is in the way where it cannot be done. The methods are diffrate, tome and prune of package compress.
//
//	t, err := tokens.Find(file, 0)
//	small, err := t.Rewrite(schedule, tokens.ByRank, false)
//
// Source: Chen et al. 2023 (DiffRate, arXiv 2305.17997), Bolya et al. 2023 (ToMe, arXiv 2210.09461).
package tokens
