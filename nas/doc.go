// Package nas trains supernets: one set of weights for all networks of a space of architectures, of which each step trains one path.
// Which examples and which path a step sees can be drawn by how large their gradients were (PA&DA), and the networks are then ranked by
// what they do with the weights that they inherit.
//
//	s, err := nas.New(nas.Space{Name: "nas201", Channels: 8, Cells: 2})
//	res, err := nas.Train(ctx, s, ds, nas.Config{Sampler: "panda", …})
//	file, err := s.Path([]int{2, 3, 0, 1, 4, 2}, nas.Running) // one network, as plain ONNX
//
// A supernet is written as one ONNX model whose second input chooses the path ([Supernet.File]). It is trained path by path: a path is a
// graph of its own, whose weights are those of the supernet, so that a step costs what the path costs.
//
// Source: Lu et al. 2023, "PA&DA: Jointly Sampling PAth and DAta for Consistent NAS" (CVPR), https://arxiv.org/abs/2302.14772; where the
// paper leaves a choice, the authors' code for NAS-Bench-201 (https://github.com/ShunLu91/PA-DA).
package nas
