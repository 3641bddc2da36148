// Package train fine-tunes a loaded model: the loop (Fit), its losses and metrics, evaluation, the replacement of a classifier's head,
// the choice of what is trained, checkpoints, and TrAct updates of the first layer.
//
// A training step is an engine.Query, losses and gradients by the trainable parameters, followed by a step of an
// optim.Optimizer on the very tensors that the model runs on.
package train
