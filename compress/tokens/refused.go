package tokens

// RefusedError says why the tokens of a model cannot be pruned or merged.
type RefusedError struct {
	Node string // where it was found, "" for the whole model
	Why  string
}

// Error is the reason and where it lies.
func (e *RefusedError) Error() string {
	if e.Node == "" {
		return e.Why
	}
	return e.Node + ": " + e.Why
}
