package engine

// Batch is the number of examples that each run must have, 0 when any number will do.
func (m *Model) Batch() int {
	if len(m.inputs) == 0 || len(m.inputs[0].Dims) == 0 || m.batch1 {
		return 0
	}
	return max(0, m.inputs[0].Dims[0].Size)
}

// HeadAxis is the axis of the softmax of h where its logits have the given rank, -1 when it is not known.
func HeadAxis(h Head, rank int) int { return -1 }
