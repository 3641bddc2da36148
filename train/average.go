package train

// averaged calls do with the weights that are to be measured and kept in the model: those of an average, where the optimiser keeps one (see
// optim.Averaging), in place of those that the next step goes on from. Statistics of batch normalisation are the same for both.
func (f *fit) averaged(do func() error) error {
	if !f.c.Optimizer.Averages() {
		return do()
	}
	if err := f.c.Optimizer.Swap(f.params); err != nil {
		return err
	}
	f.m.Changed(f.c.Params...)
	err := do()
	if err := f.c.Optimizer.Swap(f.params); err != nil {
		return err
	}
	f.m.Changed(f.c.Params...)
	return err
}

// settle leaves the model with the weights to keep, when the training is over.
func (f *fit) settle() error {
	if !f.c.Optimizer.Averages() {
		return nil
	}
	f.res.Raw = f.rawWeights()
	if err := f.c.Optimizer.Settle(f.params); err != nil {
		return err
	}
	f.m.Changed(f.c.Params...)
	return nil
}
